"""`ratsnake explain` beside what then happens."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from end_to_end.harness import greet, readable, rows, udp_pair
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat


def _explain(running: RunningNat, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ratsnake", "explain", "--control", str(running.control)]
    return subprocess.run([*command, *words], capture_output=True, text=True)


def test_what_is_said_is_what_happens(topology: Topology) -> None:
    with nat(topology, "port-restricted-cone") as running, udp_pair(topology) as (near, far):
        inside = f"{topology.hosts[0].address}:{near.getsockname()[1]}"
        remote = f"{far.getsockname()[0]}:{far.getsockname()[1]}"
        said = _explain(running, "udp", inside, remote).stdout
        assert said.startswith("outbound: translated\n")
        assert f"a mapping would be made: {inside} = {EXTERNAL}:?" in said
        assert rows(running, "mappings") == rows(running, "sessions") == []

        _, port = greet(near, far)
        back = json.loads(_explain(running, "udp", inside, remote, "--in", "--json").stdout)
        assert (back["verdict"], back["session"]) == ("translated", "open")
        assert back["external"] == [EXTERNAL, port]

        stranger = f"{topology.remotes[1]}:{far.getsockname()[1]}"
        said = _explain(running, "udp", stranger, f"{EXTERNAL}:{port}").stdout
        assert said.startswith("inbound: dropped\n")
        assert "dropped (filtered)" in said
        with topology.internet.socket() as other:
            other.bind((topology.remotes[1], far.getsockname()[1]))
            other.sendto(b"let me in", (EXTERNAL, port))
            assert not readable(near, 0.2)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("udp", "192.0.2.1:x", "198.51.100.1"), 2, "'x' is not a port"),
        (("udp", "2001:db8::1", "2001:db8::2"), 2, "stands in brackets"),
        (("tcp", "192.0.2.1:4000", "198.51.100.1"), 2, "198.51.100.1: has no port"),
        (
            ("gre", "192.0.2.1", "198.51.100.1"),
            2,
            "gre: no such protocol; there are tcp, udp, icmp",
        ),
    ],
)
def test_a_wrong_question(
    topology: Topology, words: tuple[str, ...], status: int, message: str
) -> None:
    with nat(topology) as running:
        done = _explain(running, *words)
        assert done.returncode == status
        assert message in done.stderr
