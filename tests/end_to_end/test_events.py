"""Events of a running NAT: in its log, and to who watches."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from end_to_end.harness import DEADLINE, drops, greet, rows, status, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat

_FLOOD = 20_000  # packets nobody asked for
_TOLD = 40  # of them, at most: a burst, and a few a second


def _events(path: Path) -> list[dict[str, Any]]:
    """Those of whole lines, so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def _named(path: Path, name: str) -> list[dict[str, Any]]:
    return [event for event in _events(path) if event["event"] == name]


@contextmanager
def _watching(running: RunningNat, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ratsnake", "watch", "--control", str(running.control)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        assert process.stdout
        process.stdout.close()


def _next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    assert select.select([process.stdout], [], [], DEADLINE)[0], "no event came"
    return process.stdout.readline()


def test_the_log_has_a_mapping_from_first_to_last(topology: Topology, tmp_path: Path) -> None:
    """Destinations are not in it (RFC 6888 REQ-12)."""
    log = tmp_path / "events"
    arguments = ("--events", str(log), "--timeout", "udp=1")
    with nat(topology, arguments=arguments), udp_pair(topology) as (near, far):
        _, port = greet(near, far)
        until(lambda: bool(_named(log, "mapping-removed")), "the mapping's end is in the log")
        (made,), (removed,) = _named(log, "mapping-made"), _named(log, "mapping-removed")
        for event in (made, removed):
            assert event["protocol"] == "udp"
            assert event["internal"] == topology.hosts[0].address
            assert event["internal_port"] == near.getsockname()[1]
            assert (event["external"], event["external_port"]) == (EXTERNAL, port)
        assert 1 <= removed["duration"] <= 5
        assert (removed["packets_out"], removed["bytes_out"]) == (1, 28 + len(b"out"))
        assert (removed["packets_in"], removed["bytes_in"]) == (1, 28 + len(b"back"))
    assert topology.remotes[0] not in log.read_text()


def test_sessions_and_destinations_if_asked(topology: Topology, tmp_path: Path) -> None:
    log = tmp_path / "events"
    configuration = tmp_path / "nat.toml"
    configuration.write_text(
        f'[events]\nsink = "{log}"\nkinds = ["session"]\ndestinations = true\n'
    )
    arguments = ("--config", str(configuration))
    with nat(topology, arguments=arguments), udp_pair(topology) as (near, far):
        greet(near, far)
        until(lambda: bool(_events(log)), "the session is in the log")
        (event,) = _events(log)
        assert (event["event"], event["opened"]) == ("session-opened", "inside")
        assert (event["remote"], event["remote_port"]) == far.getsockname()


def test_the_log_is_rotated_without_a_word(topology: Topology, tmp_path: Path) -> None:
    log = tmp_path / "events"
    with nat(topology, arguments=("--events", str(log))):
        for wanted in (1, 2):
            with udp_pair(topology) as (near, far):
                greet(near, far)
                until(lambda: bool(_named(log, "mapping-made")), "a mapping is in the log")
            log.rename(tmp_path / f"events.{wanted}")
        assert len(_named(tmp_path / "events.1", "mapping-made")) == 1
        assert len(_named(tmp_path / "events.2", "mapping-made")) == 1


def test_a_flood_of_refusals_costs_neither_log_nor_memory(
    topology: Topology, tmp_path: Path
) -> None:
    log = tmp_path / "events"
    with (
        nat(topology, arguments=("--events", str(log))) as running,
        topology.internet.socket() as stranger,
    ):
        stranger.bind((topology.remotes[0], 0))
        for _ in range(1000):
            stranger.sendto(b"?", (EXTERNAL, 5000))
        before = status(running)["memory"]
        for _ in range(_FLOOD):
            stranger.sendto(b"?", (EXTERNAL, 5000))

        def all_told() -> bool:
            told = len(_named(log, "refusal"))
            counted = sum(one["packets"] for one in _named(log, "refusals-suppressed"))
            return told + counted == drops(running)["no-mapping"] > _FLOOD // 2

        until(all_told, "every refusal is told or counted")
        refusals = _named(log, "refusal")
        assert {(one["reason"], one["external_port"]) for one in refusals} == {("no-mapping", 5000)}
        assert len(refusals) <= _TOLD
        assert log.stat().st_size < 20_000
        assert status(running)["memory"] - before < 1000


def test_a_reader_that_does_not_read_harms_nobody(topology: Topology) -> None:
    """Standard output is a pipe that nobody empties."""
    arguments = ("--events", "stdout", "--event-kinds", "session", "--timeout", "icmp=1")
    with nat(topology, "full-cone", arguments=arguments) as running:
        with topology.hosts[0].namespace.socket() as near:
            for port in range(20_000, 22_000):
                near.sendto(b"x", (topology.remotes[0], port))
        until(lambda: len(rows(running, "sessions")) > 1000, "the sessions are there")
        with udp_pair(topology) as (near, far):
            greet(near, far)


def test_watching(topology: Topology) -> None:
    with nat(topology, "full-cone") as running:
        host = topology.hosts[1].address
        everything, one_host = ("--json",), ("--host", host, "--kind", "session", "--destinations")
        with (
            _watching(running, *everything) as first,
            _watching(running, *one_host) as second,
            udp_pair(topology) as (_, far),
        ):
            # What happens before they listen is not told, so it is to happen again and again.
            def greeted() -> bool:
                for lan_host in topology.hosts:
                    with lan_host.namespace.socket() as fresh:
                        fresh.sendto(b"x", far.getsockname())
                return all(select.select([one.stdout], [], [], 0)[0] for one in (first, second))

            until(greeted, "both watchers are told something")
            event = json.loads(_next_line(first))
            assert (event["event"], event["protocol"]) == ("mapping-made", "udp")
            assert "remote" not in event
            text = _next_line(second)
            assert "session-opened" in text and host in text
            assert f"to {far.getsockname()[0]}:{far.getsockname()[1]}" in text
            assert status(running)["usage"]["mappings"] > 0


def test_a_wrong_question_is_told(topology: Topology) -> None:
    with nat(topology) as running:
        command = [sys.executable, "-m", "ratsnake", "watch", "--control", str(running.control)]
        done = subprocess.run([*command, "--kind", "flows"], capture_output=True, text=True)
        assert done.returncode == 1
        assert "kinds: must be a list of mapping, session" in done.stderr
