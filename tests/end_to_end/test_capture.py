"""`ratsnake capture`: packets of a running NAT, read by others' programs."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.utils import RawPcapNgReader

from end_to_end.harness import DEADLINE, greet, status, udp_pair, until
from ratsnake.lab import EXTERNAL, LAN_PREFIX, RunningNat, Topology, nat


def _command(running: RunningNat, file: Path, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", "ratsnake", "capture", str(file)]
    return [*program, "--control", str(running.control), *arguments]


@contextmanager
def _capturing(running: RunningNat, file: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        _command(running, file, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _packets(file: Path) -> list[tuple[str, Any, str]]:
    """(interface, packet, comment) of each, so far."""
    if not file.exists() or not file.stat().st_size:
        return []
    with RawPcapNgReader(str(file)) as reader:
        return [(one.ifname.decode(), IP(raw), one.comments[0].decode()) for raw, one in reader]


def test_before_after_and_why(
    topology: Topology, tmp_path: Path, program: Callable[[str], str]
) -> None:
    file = tmp_path / "capture.pcapng"
    with nat(topology, "full-cone") as running, udp_pair(topology) as (near, far):
        with _capturing(running, file, "--protocol", "udp") as process:

            def captures() -> bool:
                greet(near, far)
                return len(_packets(file)) >= 4

            until(captures, "packets are in the file")
            with topology.internet.socket() as stranger:
                stranger.bind((topology.remotes[1], 0))
                stranger.sendto(b"?", (EXTERNAL, 999))
                until(lambda: "no-mapping" in _packets(file)[-1][2], "the stray is in the file")
            process.send_signal(signal.SIGINT)
            said, complaint = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, complaint
            assert f"{file}: " in said and "1 of them dropped" in said
        inside, remote = near.getsockname(), far.getsockname()
    packets = _packets(file)
    (side, out, why), (after_side, left, after_why) = packets[:2]
    if side == "before" and out[IP].dst == EXTERNAL:  # it began with an answer
        (side, out, why), (after_side, left, after_why) = packets[2:4]
    assert (side, after_side) == ("before", "after")
    assert (out[IP].src, out[UDP].sport) == inside
    assert (left[IP].dst, left[UDP].dport) == remote
    assert left[IP].src == EXTERNAL
    assert why == after_why and why.endswith(": translated")
    side, stray, why = packets[-1]
    assert (side, stray[UDP].dport) == ("before", 999)
    assert why.endswith("dropped (no-mapping): inbound to an external endpoint nobody has")
    shown = subprocess.run(
        [program("tshark"), "-r", str(file), "-T", "json", "-Y", "frame.comment contains dropped"],
        capture_output=True,
        check=True,
        text=True,
    )
    (frame,) = json.loads(shown.stdout)
    assert frame["_source"]["layers"]["udp"]["udp.dstport"] == "999"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_stopped_has_all_it_counts_and_can_be_replayed(
    number: signal.Signals, topology: Topology, tmp_path: Path, program: Callable[[str], str]
) -> None:
    file, again = tmp_path / "capture.pcapng", tmp_path / "again.pcapng"
    with nat(topology) as running, udp_pair(topology) as (near, far):
        with _capturing(running, file, "--protocol", "udp") as process:
            until(lambda: bool(greet(near, far)) and len(_packets(file)) >= 8, "packets are there")
            process.send_signal(number)
            said, complaint = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, complaint
        remote = far.getsockname()[0]
    packets = _packets(file)
    count = len({why.split(":")[0] for _, _, why in packets})
    assert said == f"{file}: {count} packets\n"
    ended = subprocess.run(
        [program("capinfos"), "-c", "-M", str(file)], capture_output=True, check=True, text=True
    )
    assert f" {len(packets)}\n" in ended.stdout
    nat_flags = ["--external", EXTERNAL, "--internal", LAN_PREFIX]
    done = subprocess.run(
        [sys.executable, "-m", "ratsnake", "replay", str(file), str(again), *nat_flags],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    after = len([side for side, _, _ in packets if side == "after"])
    assert f"{after} left out: translated already" in done.stderr
    with RawPcapNgReader(str(again)) as reader:
        replayed = [IP(raw) for raw, _ in reader]
    assert {one[IP].src for one in replayed if one[IP].dst == remote} == {EXTERNAL}


def test_it_ends_by_itself(topology: Topology, tmp_path: Path) -> None:
    file = tmp_path / "capture.pcapng"
    with nat(topology) as running, udp_pair(topology) as (near, far):
        with _capturing(running, file, "--count", "3") as process:

            def ended() -> bool:
                greet(near, far)
                return process.poll() is not None

            until(ended, "three packets")
            assert process.returncode == 0
        assert len({why.split(":")[0] for _, _, why in _packets(file)}) == 3

        small = tmp_path / "small.pcapng"
        with _capturing(running, small, "--size", "1k") as process:
            until(lambda: bool(greet(near, far)) and process.poll() is not None, "a kilobyte")
        assert 1000 <= small.stat().st_size < 1500
        assert not select.select([near], [], [], 0)[0]
        assert status(running)["pid"] == running.process.pid


def test_one_at_a_time(topology: Topology, tmp_path: Path) -> None:
    with nat(topology) as running, udp_pair(topology) as (near, far):
        first = tmp_path / "first.pcapng"
        with _capturing(running, first):
            until(lambda: bool(greet(near, far)) and bool(_packets(first)), "it captures")
            done = subprocess.run(
                _command(running, tmp_path / "second.pcapng"), capture_output=True, text=True
            )
            assert done.returncode == 1
            assert "somebody captures already" in done.stderr
            assert not (tmp_path / "second.pcapng").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--count", "0"), 2, "--count 0: must be a whole number from 1"),
        (("--size", "10T"), 2, "--size 10T: must be a whole number"),
        (("--host", "nobody"), 1, "host nobody: must be an IPv4 or IPv6 address"),
    ],
)
def test_wrong_questions(
    topology: Topology, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    with nat(topology) as running:
        command = _command(running, tmp_path / "x", *words)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code
        assert message in done.stderr
