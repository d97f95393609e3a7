"""Flows outlive the program: a TCP download and a UDP exchange notice a pause, however the NAT
ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest

from end_to_end.harness import DEADLINE, greet, readable, rows, udp_pair, until
from ratsnake.daemon.state import state_file
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.router_nat import GatewayError

_NOBODY = 65534
_WORD = 8


def _flows(path: Path) -> int:
    """How many the file holds."""
    state = state_file.read(path, (0, _NOBODY))
    return state.count if state else 0


class _Download:
    """A remote that counts, and a LAN host that checks it, over one connection."""

    def __init__(self, near: socket.socket) -> None:
        self._near = near
        self._next = 0

    def goes_on(self, words: int = 100_000) -> None:
        """So much more of it comes, without a gap."""
        rest = words * _WORD
        while rest:
            part = self._near.recv(min(rest, _WORD << 13), socket.MSG_WAITALL)
            assert part and len(part) % _WORD == 0
            rest -= len(part)
            for at in range(0, len(part), _WORD):
                assert int.from_bytes(part[at : at + _WORD], "big") == self._next
                self._next += 1


@contextmanager
def _downloading(topology: Topology) -> Iterator[_Download]:
    ending = Event()

    def send(far: socket.socket) -> None:
        for number in count(step=1000):
            if ending.is_set():
                return
            far.sendall(b"".join(k.to_bytes(_WORD, "big") for k in range(number, number + 1000)))

    with traffic_generator.connection(topology) as (near, far), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, far)
        try:
            yield _Download(near)
        finally:
            ending.set()
            near.shutdown(socket.SHUT_RDWR)
            far.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):  # it is cut off in the middle of a call
                sending.result()


@pytest.mark.parametrize("user", [(), ("--user", "nobody")], ids=["root", "nobody"])
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_download_and_a_game_outlive_a_restart(
    topology: Topology, end: str, user: tuple[str, ...]
) -> None:
    if user and os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    with ExitStack() as later, _open_folder() as folder:
        path = folder / "ratsnake" / "state"
        arguments = ["--state", str(path), "--state-period", "1", *user]
        with nat(topology, arguments=arguments) as running:
            download = later.enter_context(_downloading(topology))
            near, far = later.enter_context(udp_pair(topology))
            external = greet(near, far)
            download.goes_on()
            if end == "killed":
                until(lambda: _flows(path) == 2, "the flows are in the file")
                running.process.kill()
                running.process.wait(DEADLINE)
        assert _flows(path) == 2
        with nat(topology, arguments=arguments) as running:
            assert "2 of 2 flows go on" in running.log()
            # The remote speaks first: nobody inside has made the mapping anew.
            far.sendto(b"still there?", external)
            assert near.recv(100) == b"still there?"
            near.send(b"yes")
            assert far.recvfrom(100) == (b"yes", external)
            download.goes_on()
            assert {row["external"] for row in rows(running, "mappings")} == {EXTERNAL}
            assert len(rows(running, "sessions")) == 2


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A folder in which every user may make another."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def _warnings(running: RunningNat) -> list[str]:
    return [line for line in running.log().splitlines() if " WARNING state: " in line]


def test_a_damaged_file_is_refused_and_the_nat_starts_empty(
    topology: Topology, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    arguments = ["--state", str(path)]
    with nat(topology, arguments=arguments), udp_pair(topology) as (near, far):
        greet(near, far)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with nat(topology, arguments=arguments) as running:
        (warning,) = _warnings(running)
        assert f"state: {path}: is damaged: " in warning
        assert rows(running, "sessions") == []
        with udp_pair(topology) as (near, far):
            greet(near, far)
    # What it wrote at its end is right again.
    assert _flows(path) == 1


def test_flows_that_are_no_longer_allowed_do_not_come_back(
    topology: Topology, tmp_path: Path
) -> None:
    arguments = ["--state", str(tmp_path / "state")]
    with udp_pair(topology) as (near, far):
        with nat(topology, arguments=arguments):
            external = greet(near, far)
        elsewhere = f"{external[1] + 1}-{external[1] + 9}"
        with nat(topology, ports=elsewhere, arguments=arguments) as running:
            assert "0 of 1 flows" in running.log()
            far.sendto(b"still there?", external)
            assert not readable(near, 0)
            assert greet(near, far) != external


def test_a_folder_that_may_not_be_written_to_is_told_at_the_start(topology: Topology) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    with _open_folder() as folder:
        folder.chmod(0o755)
        path = folder / "state"
        with (
            pytest.raises(GatewayError, match=f"--state {path}: user nobody may not write to"),
            nat(topology, arguments=["--state", str(path), "--user", "nobody"]),
        ):
            pass
        assert not path.exists()


def test_a_folder_that_goes_away_is_told_once_and_the_nat_goes_on(
    topology: Topology, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "state"
    with (
        nat(topology, arguments=["--state", str(path), "--state-period", "1"]) as running,
        udp_pair(topology) as (near, far),
    ):
        until(path.exists, "the file is written")
        folder.rename(tmp_path / "elsewhere")
        until(lambda: len(_warnings(running)) == 1, "the failure is told")
        greet(near, far)
