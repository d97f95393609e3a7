"""Fragments through the NAT: what kernels make, and what only hands make."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from end_to_end.harness import drops, greet, readable, rows, udp_pair, until
from end_to_end.pieces import datagram, piece, pieces, send, sender
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    Host,
    RunningNat,
    Topology,
    nat,
)
from ratsnake.lab.ping_and_traceroute import ping

_NARROW = 1280
_LARGE = 60_000
_SIZE = 5000  # octets of the datagrams cut by hand

Order = Callable[[list[bytes]], list[bytes]]

#: In what order a datagram's fragments come.
_ORDERS: dict[str, Order] = {
    "in order": list,
    "backward": lambda fragments: fragments[::-1],
    "first one last": lambda fragments: fragments[1:] + fragments[:1],
    "shuffled": lambda fragments: random.Random(7).sample(fragments, len(fragments)),
}


@contextmanager
def _both(topology: Topology, nat_type: str | None = None) -> Iterator[RunningNat]:
    """A NAT of both versions."""
    external, internal = (EXTERNAL, EXTERNAL_6), (LAN_PREFIX, LAN_PREFIX_6)
    with nat(topology, nat_type, external=external, internal=internal) as running:
        yield running


@pytest.mark.parametrize("size", [2000, 4000, 65_000])
def test_ping(dual: Topology, size: int) -> None:
    with _both(dual) as running:
        for remote in (dual.remotes[0], dual.remotes_6[0]):
            assert ping(dual.hosts[0], remote, size) > 0
        assert drops(running) == {}


def test_ping_of_a_one_to_one_address(topology: Topology) -> None:
    """The Echo from outside is in fragments too."""
    pair = ("--one-to-one", f"203.0.113.2={topology.hosts[0].address}")
    with nat(topology, arguments=pair) as running:
        assert ping(Host(topology.internet, topology.remotes[0]), "203.0.113.2", 4000) > 0
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("offloads", [True, False])
def test_large_datagrams_both_ways(offloads: bool, version: int) -> None:
    with (
        Topology(mtu=_NARROW, offloads=offloads, ipv6=True) as topology,
        _both(topology) as running,
        _large_pair(topology, version) as (near, far),
    ):
        _exchange_large(near, far, greet(near, far))
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
def test_large_datagrams_over_a_narrow_wan(version: int) -> None:
    """Behind the NAT the router cuts the fragments of IPv4 again.  Those of IPv6 it refuses: the
    error about the first makes the sender's smaller, those about the others tell no ports."""
    with (
        Topology(wan_mtu=_NARROW, ipv6=True) as topology,
        _both(topology) as running,
        _large_pair(topology, version) as (near, far),
    ):
        with topology.internet.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="eth0")
            netlink.link("set", index=index, mtu=_NARROW)
        external = greet(near, far)
        if version == 6:
            near.send(bytes(_LARGE))
            until(
                lambda: near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE,
                "the path MTU is known",
            )
        _exchange_large(near, far, external)
        assert set(drops(running)) == ({"icmp-embedded"} if version == 6 else set())


@contextmanager
def _large_pair(topology: Topology, version: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    with udp_pair(topology, version=version) as pair:
        for handle in pair:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _LARGE)
        yield pair


def _exchange_large(near: socket.socket, far: socket.socket, external: tuple[str, int]) -> None:
    """Datagrams and answers of other octets each, unaltered."""
    for _ in range(5):
        question, answer = os.urandom(_LARGE), os.urandom(_LARGE)
        near.send(question)
        received, source = far.recvfrom(65536)
        assert (received, source[:2]) == (question, external)
        far.sendto(answer, source)
        assert near.recv(65536) == answer


@pytest.mark.parametrize("order", _ORDERS)
def test_any_order_both_ways(dual: Topology, order: str) -> None:
    """What was sent is what arrives, once."""
    arrange = _ORDERS[order]
    with _both(dual) as running:
        for version in (4, 6):
            with (
                udp_pair(dual, version=version) as (near, far),
                sender(dual.hosts[0], version) as inside,
                sender(Host(dual.internet, dual.remotes[0]), version) as outside,
            ):
                external = greet(near, far)
                local, remote = near.getsockname()[:2], far.getsockname()[:2]
                for number in range(5):
                    question, answer = os.urandom(_SIZE), os.urandom(_SIZE)
                    for packet in arrange(pieces(local, remote, 100 + number, question)):
                        send(inside, packet)
                    received, source = far.recvfrom(65536)
                    assert (received, source[:2]) == (question, external)
                    for packet in arrange(pieces(remote, external, 100 + number, answer)):
                        send(outside, packet)
                    assert near.recv(65536) == answer
                assert not readable(far, 0) and not readable(near, 0)
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("backward", [False, True])
def test_two_hosts_with_one_identification_do_not_mix(
    dual: Topology, version: int, backward: bool
) -> None:
    """Their fragments take turns; a remote puts together what bears one number (RFC 6864)."""
    with (
        _both(dual) as running,
        udp_pair(dual, 0, version=version) as (first, far),
        udp_pair(dual, 1, version=version) as (second, other),
        sender(dual.hosts[0], version) as from_first,
        sender(dual.hosts[1], version) as from_second,
    ):
        remote = far.getsockname()[:2]
        second.connect(far.getsockname())
        other.close()
        for number in range(20):
            payloads = [os.urandom(_SIZE) for _ in range(2)]
            cut = [
                pieces(near.getsockname()[:2], remote, 500 + number, payload)
                for near, payload in zip((first, second), payloads, strict=True)
            ]
            turns = list(zip(*cut, strict=True))
            for one, two in turns[::-1] if backward else turns:
                send(from_first, one)
                send(from_second, two)
            assert {far.recvfrom(65536)[0] for _ in payloads} == set(payloads)
        assert len(rows(running, "sessions")) == 2
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_that_overlap_are_refused(dual: Topology, version: int) -> None:
    """The whole datagram is (RFC 5722): neither what comes after nor what was held goes on."""
    with (
        _both(dual) as running,
        udp_pair(dual, version=version) as (near, far),
        sender(dual.hosts[0], version) as inside,
    ):
        local, remote = near.getsockname()[:2], far.getsockname()[:2]
        whole = datagram(local, remote, os.urandom(2400 - 8))

        def cut(identification: int, start: int, end: int) -> bytes:
            octets = whole[start:end]
            return piece(local[0], remote[0], identification, start, octets, end < len(whole))

        greet(near, far)
        after_first = [cut(1, 0, 800), cut(1, 792, 1600), cut(1, 1600, 2400), cut(1, 800, 1600)]
        before_first = [cut(2, 1600, 2400), cut(2, 800, 1608), cut(2, 0, 800), cut(2, 800, 1600)]
        for packet in after_first + before_first:
            send(inside, packet)
        expected = {"fragment-overlap": 2, "fragment-refused": 4}
        until(lambda: drops(running) == expected, f"the drops are {expected}")
        for packet in pieces(local, remote, 3, b"sound".ljust(2000)):
            send(inside, packet)
        assert far.recv(65536) == b"sound".ljust(2000)
        greet(near, far)
