"""Path-MTU discovery (RFC 1191) by the kernel's own TCP and UDP through the NAT."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from end_to_end.harness import DEADLINE, drops, greet, udp_pair, until
from ratsnake.lab import Namespace, Topology, nat, traffic_generator

_WIDE, _NARROW = 1500, 1300
_HEADERS = 20 + 32  # IPv4, and TCP with the timestamp option
_OCTETS = 8 << 20
_SOME = 50_000
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO, _IP_MTU = 10, 2, 14  # linux/in.h
_UDP_HEADERS = 28


def _segment(connection: socket.socket) -> int:
    """The largest segment the kernel sends in this connection now."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def _carry(sender: socket.socket, receiver: socket.socket) -> None:
    """Enough for several segments, less than the sockets hold."""
    sender.sendall(bytes(_SOME))
    received = 0
    while received < _SOME:
        received += len(receiver.recv(65536))


def test_the_way_outs_mtu_is_found_and_segments_fit_at_once() -> None:
    with (
        Topology(wan_mtu=_NARROW) as topology,
        nat(topology, arguments=["--wan", "wan0"]) as running,
        traffic_generator.connection(topology) as (near, far),
    ):
        assert "MTU 1300, as that of wan0" in running.log()
        assert _segment(near) == _segment(far) == _NARROW - _HEADERS


@contextmanager
def _second_router(topology: Topology) -> Iterator[None]:
    """The internet's remotes get behind a router of their own, whose far link is narrow."""
    with Namespace("far") as far:
        with topology.internet.netlink() as netlink:
            peer = {"ifname": "eth0", "mtu": _NARROW, "net_ns_fd": far.fileno()}
            netlink.link("add", ifname="far0", kind="veth", mtu=_NARROW, peer=peer)
            (index,) = netlink.link_lookup(ifname="far0")
            netlink.addr("add", index=index, address="198.51.100.129", prefixlen=30)
            netlink.link("set", index=index, state="up")
        with far.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="eth0")
            netlink.addr("add", index=index, address="198.51.100.130", prefixlen=30)
            netlink.link("set", index=index, state="up")
            netlink.route("add", dst="default", gateway="198.51.100.129")
        with topology.router.netlink() as netlink:
            netlink.route("add", dst="198.51.100.128/30", gateway="198.51.100.1")
        topology.internet.sysctl("net.ipv4.ip_forward", 1)
        yield


@pytest.mark.parametrize("offloads", [True, False])
def test_a_narrow_way_out_shrinks_a_connections_segments(offloads: bool) -> None:
    """The error comes from the router itself, addressed to the NAT's external address."""
    with (
        Topology(wan_mtu=_NARROW, offloads=offloads) as topology,
        nat(topology) as running,
        traffic_generator.connection(topology) as (near, far),
    ):
        assert _segment(near) == _WIDE - _HEADERS
        _carry(near, far)
        assert _segment(near) == _NARROW - _HEADERS
        traffic_generator.upload(topology, _OCTETS)
        assert drops(running) == {}


def test_a_narrow_link_far_away_is_found_too() -> None:
    """The error comes from a router of the internet."""
    with Topology() as topology, _second_router(topology), nat(topology) as running:
        with topology.hosts[0].namespace.socket() as near:
            near.connect(("198.51.100.130", 9))
            _learns(near)
        assert drops(running) == {}


@pytest.mark.parametrize("nat_type", ["full-cone", "symmetric"])
def test_a_udp_socket_learns_the_path_mtu(nat_type: str) -> None:
    with (
        Topology(wan_mtu=_NARROW) as topology,
        nat(topology, nat_type) as running,
        udp_pair(topology) as (near, far),
    ):
        greet(near, far)
        _learns(near)
        near.send(bytes(_NARROW - _UDP_HEADERS))
        assert len(far.recv(2000)) == _NARROW - _UDP_HEADERS
        assert drops(running) == {}


def _learns(near: socket.socket) -> None:
    """A datagram with DF that is too big is refused by the kernel once the error came back."""
    near.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
    near.send(bytes(_WIDE - _UDP_HEADERS))
    until(lambda: near.getsockopt(socket.IPPROTO_IP, _IP_MTU) == _NARROW, "the path MTU is known")
    near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    with pytest.raises(OSError) as refused:
        near.send(bytes(_NARROW - _UDP_HEADERS + 1))
    assert refused.value.errno == errno.EMSGSIZE


def test_a_remote_learns_the_mtu_of_a_narrow_lan() -> None:
    """The other way: the router reports that the LAN's link is narrow, to a remote."""
    with Topology() as topology, nat(topology) as running:
        for namespace, interface in topology.interfaces[2:]:
            with namespace.netlink() as netlink:
                (index,) = netlink.link_lookup(ifname=interface)
                netlink.link("set", index=index, mtu=_NARROW)
        # A LAN host announces its own MTU in its SYN; a path is narrower than both ends know.
        with topology.hosts[0].namespace.netlink() as netlink:
            netlink.route("replace", dst="default", gateway="192.0.2.129", metrics={"advmss": 1460})
        with traffic_generator.connection(topology) as (near, far):
            assert _segment(far) == _WIDE - _HEADERS
            near.settimeout(DEADLINE)
            far.settimeout(DEADLINE)
            _carry(far, near)
            assert _segment(far) == _NARROW - _HEADERS
        assert drops(running) == {}
