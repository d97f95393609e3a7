"""An external address inside the WAN's own subnet: the router answers for it, until it stops."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from end_to_end.harness import DEADLINE, drops, greet, router_state, udp_pair, without_left
from ratsnake.lab import RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import LAN_PREFIX, LAN_PREFIX_6

EXTERNAL, EXTERNAL_6 = "198.51.100.100", "2001:db8:2::100"
_MEGABYTES = 16 << 20


@contextmanager
def _nat(dual: Topology, arguments: Sequence[str] = ()) -> Iterator[RunningNat]:
    with nat(
        dual,
        "full-cone",
        external=[EXTERNAL, EXTERNAL_6],
        internal=[LAN_PREFIX, LAN_PREFIX_6],
        arguments=["--wan", "wan0", *arguments],
    ) as running:
        yield running


def _passes(dual: Topology, version: int) -> None:
    external = EXTERNAL if version == 4 else EXTERNAL_6
    traffic_generator.download(dual, _MEGABYTES, version=version)
    traffic_generator.upload(dual, _MEGABYTES, version=version)
    ping(dual.hosts[0], dual.remotes_of(version)[0], timeout=DEADLINE)
    with udp_pair(dual, version=version) as (near, far):
        assert greet(near, far)[0] == external


@pytest.mark.parametrize("version", [4, 6])
def test_traffic_passes_and_nothing_is_left(dual: Topology, version: int) -> None:
    before = router_state(dual)
    with _nat(dual) as running:
        _passes(dual, version)
        assert drops(running) == {}
        assert "WARNING" not in running.log()
    assert router_state(dual) == before


@pytest.mark.parametrize("version", [4, 6])
def test_the_internet_may_speak_first(dual: Topology, version: int) -> None:
    """It has to ask on the link who has the address."""
    external = EXTERNAL if version == 4 else EXTERNAL_6
    inside = dual.hosts[0].of(version)
    rule = f"udp:4000={inside}:4000" if version == 4 else f"udp:4000=[{inside}]:4000"
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    with (
        _nat(dual, ["--forward", rule]),
        dual.hosts[0].namespace.socket(family) as near,
        dual.internet.socket(family) as far,
    ):
        near.bind((inside, 4000))
        near.settimeout(DEADLINE)
        far.sendto(b"in", (external, 4000))
        assert near.recv(100) == b"in"


def test_after_kill_9_the_next_start_leaves_nothing(dual: Topology) -> None:
    before = router_state(dual)
    with _nat(dual) as running:
        running.process.kill()
        running.process.wait(DEADLINE)
    assert router_state(dual)["answered for"] != before["answered for"]
    with _nat(dual):
        for version in (4, 6):
            _passes(dual, version)
    assert without_left(router_state(dual)) == without_left(before)
