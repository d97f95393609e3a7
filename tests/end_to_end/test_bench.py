"""The benchmark for real, as short as can be: every contestant, a peer, every kind of load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.harness import until
from ratsnake.bench import peer, trials_tcp, trials_udp
from ratsnake.bench.contestants import NULL, built_in, other, site
from ratsnake.bench.peer import NULL_COMMAND
from ratsnake.bench.process_usage import session
from ratsnake.lab import GatewayError, Topology

DEADLINE = 120.0


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ratsnake", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def test_all_contestants_and_a_peer(program: Callable[[str], str], tmp_path: Path) -> None:
    program("iperf3"), program("nft")
    kept = tmp_path / "x.json"
    trials = "tcp-1-out,udp-flood,tcp-connect"
    done = bench(
        "--quick", "--only", trials, "--peer", f"again={NULL_COMMAND}", "--json", str(kept)
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(kept.read_text())
    (only,) = told["rounds"]
    assert only["order"] == ["ratsnake", "null", "masquerade", "again"]
    assert told["commands"]["again"] == NULL_COMMAND
    assert told["failures"] == [] and told["engine"] is None
    for name in only["order"]:
        cpu = {"tcp-1-out-cpu"} if name != "masquerade" else set()
        assert set(only["values"][name]) == {"tcp-1-out", "udp-flood", "tcp-connect"} | cpu
        assert all(value > 0 for value in only["values"][name].values())
    assert "to again" in done.stdout and "round 1 of 1" in done.stderr


def test_the_other_loads(program: Callable[[str], str]) -> None:
    program("sockperf"), program("iperf3")
    (contestant,) = (one for one in built_in() if one.name == NULL)
    with site(contestant) as at:
        trip = trials_udp.round_trip(at, 1)
        assert 1 < trip["50"] <= trip["99"]
        assert trials_udp.lossless(at, 0.05) > 1
        back = trials_tcp.stream(at, 1, 4, back=True)
        assert back["rate"] > 0 and back["cpu"] > 0
        flows = trials_udp.many_flows(at, 0.1)
        assert 0 <= flows["loss"] <= 100 and flows["memory"] > 5


def test_a_peer_is_told_its_device_and_addresses(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with Topology() as topology, peer.peer(topology, f"env > {told}; {NULL_COMMAND}") as leader:
        assert leader.poll() is None
    lines = told.read_text().splitlines()
    assert {line for line in lines if line.startswith("RATSNAKE_BENCH_")} == {
        "RATSNAKE_BENCH_DEVICE=bench0",
        "RATSNAKE_BENCH_EXTERNAL=203.0.113.1",
        "RATSNAKE_BENCH_INTERNAL=192.0.2.128/25",
        "RATSNAKE_BENCH_HOST=192.0.2.130",
        "RATSNAKE_BENCH_LAN=lan0",
        "RATSNAKE_BENCH_WAN=wan0",
    }


def test_all_that_a_peer_started_ends_with_it(tmp_path: Path) -> None:
    """Also what does not care about SIGTERM."""
    told = tmp_path / "told"
    command = f"(trap '' TERM; echo $$ > {told}; exec sleep 1000) & {NULL_COMMAND}"
    with Topology() as topology, peer.peer(topology, command) as leader:
        pass
    assert leader.poll() is not None
    until(lambda: session(leader.pid) == (), "nothing is left")


def test_a_peer_that_ends_is_told_with_its_last_words() -> None:
    with (
        Topology() as topology,
        pytest.raises(GatewayError, match=r"status 7 without making the device bench0: no tun"),
        peer.peer(topology, "echo no tun >&2; exit 7"),
    ):
        pass


def test_a_peer_that_makes_no_device_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer, "DEADLINE", 0.1)
    with (
        Topology() as topology,
        pytest.raises(GatewayError, match="made no device bench0 in 0 s .* it said nothing"),
        peer.peer(topology, "exec sleep 1000"),
    ):
        pass


def test_a_peer_that_passes_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratsnake.bench.contestants._PASSING_DEADLINE", 0.1)
    mute = "import os,time; from ratsnake.device.linux_tun import LinuxTun; "
    mute += "t=LinuxTun(os.environ['RATSNAKE_BENCH_DEVICE']); time.sleep(1000)"
    contestant = other("mute", f'exec {sys.executable} -c "{mute}"')
    with pytest.raises(GatewayError, match="mute: no datagram came and went"), site(contestant):
        pass


def test_a_peer_that_does_not_start_ends_the_benchmark_with_a_line() -> None:
    done = bench("--quick", "--only", "udp-flood", "--peer", "ill=exit 3")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "ratsnake: error: ill: ended with status 3 without making the device"
    )
