"""Ping and traceroute through the NAT, by our own code; `test_programs` has the programs."""

from __future__ import annotations

import os
import socket

import pytest

from end_to_end.harness import DEADLINE, drops, readable, rows, status, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat
from ratsnake.lab.icmp_echo import ECHO_REPLY, ECHO_REQUEST, Echo, unpack
from ratsnake.lab.ping_and_traceroute import Hop, ping, traceroute
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_NAT

_IDENTIFIER = 4711
_FRAGMENT = 1480  # octets of payload in each but the last


def test_traceroute_names_every_hop(topology: Topology) -> None:
    with nat(topology) as running:
        hops = traceroute(topology.hosts[0], topology.remotes[0])
        assert hops == (
            Hop(ROUTER_LAN, False),
            Hop(ROUTER_NAT, False),
            Hop(topology.remotes[0], True),
        )
        assert drops(running) == {}


@pytest.mark.parametrize("size", [0, 1, 56, 1472, 1473, 20_000, 65_000])
def test_ping_of_any_size(topology: Topology, size: int) -> None:
    """Above 1472 octets a ping is fragmented."""
    with nat(topology) as running:
        assert ping(topology.hosts[0], topology.remotes[0], size) > 0
        assert drops(running) == {}
        fragments = -(-(8 + size) // _FRAGMENT)
        expected = {"packets": fragments, "bytes": 8 + size + 20 * fragments}
        translated = status(running)["counters"]
        assert (translated["outbound"], translated["inbound"]) == (expected, expected)


def test_ping_by_a_ping_socket(topology: Topology) -> None:
    """The kernel chooses the identifier, and finds the socket by it: it must come back as sent."""
    host = topology.hosts[0].namespace
    host.sysctl("net.ipv4.ping_group_range", "0 2147483647")
    with nat(topology), host.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as near:
        near.settimeout(DEADLINE)
        for sequence in range(1, 6):
            payload = os.urandom(100)
            request = Echo(ECHO_REQUEST, 0, sequence, payload)
            near.sendto(request.pack(), (topology.remotes[0], 0))
            answer, source = near.recvfrom(2000)
            assert source[0] == topology.remotes[0]
            assert (answer[0], answer[6:8]) == (ECHO_REPLY, sequence.to_bytes(2, "big"))
            assert answer[8:] == payload


def test_two_hosts_with_one_identifier_get_their_own_answers(topology: Topology) -> None:
    with nat(topology) as running, _raw(topology, 0) as first, _raw(topology, 1) as second:
        for handle, payload in ((first, b"first"), (second, b"second")):
            _ask(handle, topology.remotes[0], payload)
        assert _answer(first) == b"first"
        assert _answer(second) == b"second"
        external = {row["external_port"] for row in rows(running, "mappings")}
        assert len(external) == 2


#: NAT type: whether a remote that was pinged may ping back, and one that was not.
_FROM_OUTSIDE = {
    "full-cone": (True, True),
    "restricted-cone": (True, False),
    "port-restricted-cone": (True, False),
    "symmetric": (True, False),
}


@pytest.mark.parametrize("nat_type", _FROM_OUTSIDE)
def test_ping_from_outside_as_filtering_allows(topology: Topology, nat_type: str) -> None:
    known, unknown = _FROM_OUTSIDE[nat_type]
    with nat(topology, nat_type) as running, _raw(topology, 0) as near:
        _ask(near, topology.remotes[0], b"hello")
        assert _answer(near) == b"hello"
        identifier = rows(running, "mappings")[0]["external_port"]
        assert _pings(topology, running, topology.remotes[0], identifier) is known
        assert _pings(topology, running, topology.remotes[1], identifier) is unknown


def test_ping_from_outside_without_a_mapping_is_dropped(topology: Topology) -> None:
    with nat(topology, "full-cone") as running:
        assert not _pings(topology, running, topology.remotes[0], _IDENTIFIER)
        assert drops(running) == {"no-mapping": 1}
        assert rows(running, "sessions") == []


def _raw(topology: Topology, host: int) -> socket.socket:
    return topology.hosts[host].namespace.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP)


def _ask(near: socket.socket, remote: str, payload: bytes) -> None:
    near.sendto(Echo(ECHO_REQUEST, _IDENTIFIER, 1, payload).pack(), (remote, 0))


def _answer(near: socket.socket) -> bytes:
    """The payload of the next Echo Reply that arrives here."""
    near.settimeout(DEADLINE)
    while True:
        echo = unpack(near.recv(65536))
        if echo and (echo.kind, echo.identifier) == (ECHO_REPLY, _IDENTIFIER):
            return echo.payload


def _pings(topology: Topology, running: RunningNat, remote: str, identifier: int) -> bool:
    """Whether `remote`'s ping of an external identifier is answered, by the LAN host's kernel."""
    before = sum(drops(running).values())
    with topology.internet.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP) as far:
        far.bind((remote, 0))
        far.sendto(Echo(ECHO_REQUEST, identifier, 7, b"inbound").pack(), (EXTERNAL, 0))
        answer = Echo(ECHO_REPLY, identifier, 7, b"inbound")
        answered = False

        def decided() -> bool:
            nonlocal answered
            while readable(far, 0):
                answered |= unpack(far.recv(65536)) == answer
            return answered or sum(drops(running).values()) > before

        until(decided, "the ping is answered or dropped")
        return answered
