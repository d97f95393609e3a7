"""What is said of peer-to-peer programs is what two of our NATs do, in memory.

Both peers know the endpoint a third party saw (as from STUN), send to it, and answer what comes
in, as ICE does (RFC 8445 section 7).
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from ratsnake.nat.rules.behaviour import Filtering, Mapping
from ratsnake.stun.console_nat_types import consequences
from support.bench import INSIDE, R1, Bench
from support.flavours import load
from support.packets import Endpoint, udp

HOST, THIRD = (INSIDE, 4000), (R1, 3478)
CONES = {"EIM/EIF", "EIM/ADF", "EIM/APDF"}
OPEN = {"ADM/EIF", "APDM/EIF"}
KINDS = [f"{mapping.name}/{filtering.name}" for mapping in Mapping for filtering in Filtering]
ALL = set(KINDS)

#: By the beginning of what is said: with whom it is direct whoever sends first, and with whom if
#: the peer does.
SAID = {
    "direct with everybody; strangers": (ALL, ALL),
    "direct with everybody, once both": (ALL, ALL),
    "direct by hole punching, except": (CONES, CONES),
    "direct with everybody, but peers": (ALL - {"EIM/APDF"}, ALL),
    "direct only with peers behind a full": (
        {"EIM/EIF", "EIM/ADF", *OPEN},
        {"EIM/EIF", "EIM/ADF", *OPEN},
    ),
}


class Peer:
    """A host behind a NAT of its own."""

    def __init__(self, kind: str, address: str) -> None:
        engine = load("compiled")
        modules: Any = engine.modules
        behaviour = modules["nat.rules.behaviour"].parse_behaviour(kind.lower())
        ports = engine.PortSet.parse("10000-19999")
        external = engine.External(IPv4Address(address), ports)
        self.bench = Bench(engine, udp=behaviour, externals=(external,))
        self.known = self.bench.open("udp", HOST, THIRD)

    def sends(self, destination: Endpoint) -> Endpoint:
        """The endpoint it comes from."""
        return self.bench.passes(udp(HOST, destination)).source

    def gets(self, source: Endpoint, destination: Endpoint) -> bool:
        return self.bench.send(udp(source, destination)) == "translated"


def check(one: Peer, other: Peer) -> bool:
    """Whether what one sends comes in at the other, and the answer back."""
    source = one.sends(other.known)
    return other.gets(source, other.known) and one.gets(other.sends(source), source)


def direct(own: str, peers: str, peer_first: bool) -> bool:
    own_peer, far_peer = Peer(own, "203.0.113.1"), Peer(peers, "203.0.113.2")
    order = [(own_peer, far_peer), (far_peer, own_peer)]
    if peer_first:
        order.reverse()
    return any([check(*pair) for pair in order * 2])


@pytest.mark.parametrize("own", KINDS)
def test_with_whom_it_is_direct(own: str) -> None:
    mapping, filtering = own.split("/")
    said = consequences(True, [Mapping[mapping]], [Filtering[filtering]], None).peer_to_peer
    (expected,) = (sets for start, sets in SAID.items() if said.startswith(start))
    found = [{peer for peer in KINDS if direct(own, peer, first)} for first in (False, True)]
    if said.startswith("direct by hole punching, except"):  # of those some work in one order
        found = [peers - OPEN for peers in found]
    assert tuple(found) == expected
