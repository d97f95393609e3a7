"""`ratsnake flush` of a running NAT: what it ends begins anew, and the rest goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from end_to_end.harness import drops, greet, readable, rows, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic_generator


def _flush(running: RunningNat, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ratsnake", "flush", "--control", str(running.control)]
    return subprocess.run([*command, *words], capture_output=True, text=True)


def test_the_flows_of_one_host_end_and_those_of_the_other_live_on(topology: Topology) -> None:
    with (
        nat(topology, "full-cone") as running,
        traffic_generator.connection(topology) as (near_tcp, far_tcp),
        udp_pair(topology) as (near, far),
        udp_pair(topology, host=1) as (other_near, other_far),
    ):
        near_tcp.sendall(b"before")
        assert far_tcp.recv(100) == b"before"
        _, port = greet(near, far)
        other = greet(other_near, other_far)

        done = _flush(running, "--host", str(topology.hosts[0].address))
        assert (done.stdout, done.stderr) == ("ended 2 mappings and 2 sessions\n", "")
        assert running.log().count("INFO flush: mappings ended: 2, sessions: 2") == 1
        (left,) = rows(running, "sessions")
        assert left["internal"] == str(topology.hosts[1].address)

        near_tcp.sendall(b"after")
        until(lambda: drops(running).get("not-syn", 0) > 0, "the connection's segments are dropped")
        far.sendto(b"too late", (EXTERNAL, port))
        until(lambda: drops(running).get("no-mapping", 0) > 0, "the port is nobody's")
        assert not readable(far_tcp, 0)
        assert not readable(near, 0)

        assert greet(other_near, other_far) == other
        assert greet(near, far)[0] == EXTERNAL
        traffic_generator.download(topology, 1 << 20)


def test_the_sessions_of_one_remote_end_and_the_mapping_lives_on(topology: Topology) -> None:
    with nat(topology, "full-cone") as running, udp_pair(topology, port=1000) as (near, far):
        mapped = greet(near, far)
        with topology.internet.socket() as another:
            another.bind((topology.remotes[1], 1001))
            another.sendto(b"hello", mapped)
            until(lambda: len(rows(running, "sessions")) == 2, "a stranger's session is there")
        done = _flush(running, "--remote", f"{topology.remotes[1]}:1001", "--json")
        assert done.stdout == '{"mappings": 0, "sessions": 1}\n'
        assert [row["remote_port"] for row in rows(running, "sessions")] == [1000]
        assert greet(near, far) == mapped


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 2, "say which flows are to end"),
        (("--all", "--protocol", "udp"), 2, "--all ends every flow"),
        (("--protocol", "upd"), 2, "did you mean udp"),
    ],
)
def test_a_wrong_question_ends_nothing(
    topology: Topology, words: tuple[str, ...], status: int, message: str
) -> None:
    with nat(topology) as running, udp_pair(topology) as (near, far):
        greet(near, far)
        done = _flush(running, *words)
        assert done.returncode == status
        assert message in done.stderr
        assert len(rows(running, "sessions")) == 1
