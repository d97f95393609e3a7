"""One host has a NAT type of its own, as a game console needs it, and its neighbour does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, status
from ratsnake.daemon.control.control_client import ask_for_change
from ratsnake.lab import RunningNat, Topology, nat, observe
from ratsnake.nat.rules.behaviour import Filtering, Mapping

FULL_CONE = (Mapping.EIM, Filtering.EIF)
SYMMETRIC = (Mapping.APDM, Filtering.APDF)
TYPES = """
[types]
nat = "symmetric"

[[hosts]]
prefix = "{host}/32"
nat = "full-cone"
"""


def _seen(topology: Topology, protocol: str, host: int) -> tuple[Mapping, Filtering]:
    seen = observe(topology, protocol, host=host)
    return seen.alone, seen.filtering


def _printed(running: RunningNat, *words: str) -> str:
    command = [sys.executable, "-m", "ratsnake", *words, "--control", str(running.control)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_console_is_full_cone_and_its_neighbour_symmetric(
    topology: Topology, protocol: str
) -> None:
    console, _ = topology.hosts
    arguments = ("--host-nat", f"{console.address}=full-cone")
    with nat(topology, "symmetric", arguments=arguments):
        assert _seen(topology, protocol, 0) == FULL_CONE
        assert _seen(topology, protocol, 1) == SYMMETRIC


def test_a_reload_gives_the_type_to_another_host(topology: Topology, tmp_path: Path) -> None:
    """Who asks is told whose type it is, and strangers are shut out where they were let in."""
    console, neighbour = topology.hosts
    file = tmp_path / "nat.toml"
    file.write_text(TYPES.format(host=console.address))
    with nat(topology, arguments=("--config", str(file))) as running:
        assert _seen(topology, "udp", 0) == FULL_CONE
        assert _seen(topology, "udp", 1) == SYMMETRIC
        (told,) = status(running)["host_types"]
        assert told["prefix"] == f"{console.address}/32"
        assert told["types"]["udp"] == "full-cone"
        assert f"\n              {console.address}/32: full-cone\n" in _printed(running, "status")
        with (
            console.namespace.socket() as near,
            topology.internet.socket() as far,
            topology.internet.socket() as stranger,
        ):
            for handle, address in zip(
                (near, far, stranger), (str(console.address), *topology.remotes[:2]), strict=True
            ):
                handle.bind((address, 0))
                handle.settimeout(DEADLINE)
            near.sendto(b"out", far.getsockname())
            _, external = far.recvfrom(100)
            inside, remote = (f"{h.getsockname()[0]}:{h.getsockname()[1]}" for h in (near, far))
            said = _printed(running, "explain", "udp", inside, remote)
            type_of = f"that of hosts in {console.address}/32 (host-nat)"
            assert f"its NAT type is full-cone, {type_of}" in said
            stranger.sendto(b"let me in", external)
            assert near.recv(100) == b"let me in"

            file.write_text(TYPES.format(host=neighbour.address))
            ask_for_change(str(running.control), "reload", {}, lambda _: None)
            # The flow could be a symmetric one as well, so it goes on; the stranger's could not.
            stranger.sendto(b"once more", external)
            far.sendto(b"still there", external)
            assert near.recv(100) == b"still there"
            asked = json.loads(_printed(running, "explain", "udp", inside, remote, "--json"))
            assert (asked["nat_type"], asked["nat_type_of"]) == ("symmetric", None)
            assert asked["external"] == [*external]
        assert _seen(topology, "udp", 0) == SYMMETRIC
        assert _seen(topology, "udp", 1) == FULL_CONE
