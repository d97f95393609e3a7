"""A real `ratsnake run` of the sanitized build is flooded from both sides, reloaded and captured
from: no report, and a clean end."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from end_to_end.frames import SYN, UDP, raw_sender, send, tcp, udp
from end_to_end.harness import greet, status, udp_pair, until
from end_to_end.pieces import datagram, piece
from ratsnake.daemon.control.control_client import ask_for_change
from ratsnake.lab import EXTERNAL, Namespace, RunningNat, Topology, nat

SECONDS = 9.0  # a flood: longer than an unsolicited SYN waits for its answer (6 s)
RATE = 30_000  # packets a second, if the machine makes as many
BURST = 500
FORWARD = "udp:8080=192.0.2.130:8080"
_INSIDE, _OUTSIDE = "192.0.2.130", "198.51.100.1"
#: What reloads alternate between; flows outlive each.
_FILES = ("[timeouts]\nudp = 300\n", "[timeouts]\nudp = 180\n")
_REPORTS = ("AddressSanitizer", "runtime error", "UndefinedBehaviorSanitizer")


@pytest.fixture
def topology() -> Iterator[Topology]:
    with Topology(hosts=2) as topology:
        yield topology


def syns_to_closed_ports() -> list[bytes]:
    return [tcp(_OUTSIDE, EXTERNAL, (1024 + k, 7), SYN) for k in range(5000)]


def later_fragments_first() -> list[bytes]:
    """Of each datagram 63 pieces that wait, and the one that sets them free."""
    whole = datagram((_OUTSIDE, 9), (EXTERNAL, 8080), bytes(64 * 8 - 8))
    return [
        piece(_OUTSIDE, EXTERNAL, number, 8 * at, whole[8 * at : 8 * at + 8], at < 63, UDP)
        for number in range(100)
        for at in (*range(1, 64), 0)
    ]


def more_flows_than_ports() -> list[bytes]:
    return [udp(_INSIDE, _OUTSIDE, (2000 + k, 53), b"flow") for k in range(900)]


def all_from_outside() -> list[bytes]:
    return [*syns_to_closed_ports(), *later_fragments_first()]


def _send(handle: socket.socket, packets: Sequence[bytes], rate: float) -> None:
    at = 0
    while True:
        started = time.monotonic()
        for _ in range(BURST):
            with suppress(OSError):  # a queue that is full
                send(handle, packets[at % len(packets)])
            at += 1
        time.sleep(max(0.0, BURST / rate - (time.monotonic() - started)))


@contextmanager
def _flood(namespace: Namespace, packets: Sequence[bytes]) -> Iterator[BaseProcess]:
    """Packets round and round, from a process of its own, as long as the `with` lasts."""
    handle = raw_sender(namespace)
    process = multiprocessing.get_context("fork").Process(
        target=_send, args=(handle, packets, RATE), daemon=True
    )
    process.start()
    handle.close()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@contextmanager
def _capturing(running: RunningNat, file: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "ratsnake", "capture", str(file)]
    process = subprocess.Popen(
        [*command, "--control", str(running.control)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _running(topology: Topology, folder: Path, *arguments: str) -> Iterator[RunningNat]:
    """The NAT, whose file is in the folder; afterwards it ends well, and nothing was reported."""
    file = folder / "ratsnake.toml"
    file.write_text(_FILES[0])
    with nat(topology, arguments=["--config", str(file), *arguments]) as running:
        yield running
        running.process.terminate()
        status_at_end = running.process.wait(30)
        log = running.log()
        assert status_at_end == 0, log
        assert not any(report in log for report in _REPORTS), log


def _reload(running: RunningNat) -> None:
    ask_for_change(str(running.control), "reload", {}, lambda _: None)


def _stall(running: RunningNat) -> None:
    """For so long that a whole queue of packets waits, and its next batches are full."""
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(0.05)
    running.process.send_signal(signal.SIGCONT)


def _lives(
    running: RunningNat,
    folder: Path,
    seconds: float,
    disturb: Callable[[RunningNat], None] = _reload,
) -> None:
    """So long, while it is captured from and disturbed."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        (folder / "ratsnake.toml").write_text(_FILES[number % 2])
        with _capturing(running, folder / f"{number}.pcapng"):
            disturb(running)
            status(running)
        assert running.process.poll() is None, running.log()


def test_syns_to_a_closed_port(topology: Topology, tmp_path: Path) -> None:
    """Reloaded only at the end: a NAT that takes over does not know which SYNs wait."""
    with (
        _running(topology, tmp_path) as running,
        _flood(topology.internet, syns_to_closed_ports()),
    ):
        _lives(running, tmp_path, SECONDS, _stall)
        until(lambda: status(running)["counters"]["icmp_errors_sent"] > 200, "answers")
        _lives(running, tmp_path, 0.5)


def test_later_fragments_first(topology: Topology, tmp_path: Path) -> None:
    with _running(topology, tmp_path, "--forward", FORWARD) as running:
        with _flood(topology.internet, later_fragments_first()):
            _lives(running, tmp_path, SECONDS / 3)
        assert status(running)["counters"]["inbound"]["packets"] > 1000


def test_more_flows_than_ports(topology: Topology, tmp_path: Path) -> None:
    """All at once, and then again: 240 at most find a port."""
    with _running(topology, tmp_path, "--ports", "5000-5239") as running:
        with _flood(topology.hosts[0].namespace, more_flows_than_ports()):
            _lives(running, tmp_path, SECONDS / 3)
        dropped = status(running)["counters"]["dropped"]
        assert dropped["no-port"] + dropped["host-limit"] > 500


def test_floods_from_both_sides(topology: Topology, tmp_path: Path) -> None:
    with _running(topology, tmp_path, "--forward", FORWARD) as running:
        with (
            _flood(topology.internet, all_from_outside()),
            _flood(topology.hosts[0].namespace, more_flows_than_ports()),
        ):
            _lives(running, tmp_path, SECONDS)
        with udp_pair(topology, host=1) as (near, far):
            greet(near, far)
