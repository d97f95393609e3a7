"""LAN hosts that meet at the external address, and the router's own traffic beside the NAT."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from end_to_end.harness import DEADLINE, drops, rows, until
from ratsnake.lab import EXTERNAL, Host, RunningNat, Topology, nat
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_WAN

_PORT = 5000


def _external_port(running: RunningNat, protocol: str) -> int:
    (row,) = (row for row in rows(running, "mappings") if row["protocol"] == protocol)
    return int(row["external_port"])


def _open_udp(topology: Topology, host: int) -> socket.socket:
    handle = topology.hosts[host].namespace.socket()
    handle.bind((topology.hosts[host].address, 0))
    handle.settimeout(DEADLINE)
    return handle


@pytest.mark.parametrize("host", [0, 1], ids=["another host", "the same host"])
def test_udp_to_an_external_endpoint_of_the_lan(topology: Topology, host: int) -> None:
    """The receiver sees the sender's external endpoint, and answers to that (RFC 4787 REQ-9a)."""
    with (
        nat(topology, "full-cone") as running,
        topology.internet.socket() as far,
        _open_udp(topology, 1) as server,
        _open_udp(topology, host) as client,
    ):
        far.bind((topology.remotes[0], 0))
        far.settimeout(DEADLINE)
        server.sendto(b"where am I?", far.getsockname())
        meeting = far.recvfrom(100)[1]
        for size in (1, 1000, 1472):
            message = os.urandom(size)
            client.sendto(message, meeting)
            received, source = server.recvfrom(2000)
            assert (received, source[0]) == (message, EXTERNAL)
            server.sendto(message[::-1], source)
            assert client.recvfrom(2000) == (message[::-1], meeting)
        assert drops(running) == {}


def test_tcp_to_an_external_endpoint_of_the_lan(topology: Topology) -> None:
    """The server's mapping is made by a connection of its own from the port it listens at."""
    inside = topology.hosts[1]
    with (
        nat(topology, "full-cone") as running,
        topology.internet.socket(kind=socket.SOCK_STREAM) as far,
        inside.namespace.socket(kind=socket.SOCK_STREAM) as opener,
        inside.namespace.socket(kind=socket.SOCK_STREAM) as server,
        topology.hosts[0].namespace.socket(kind=socket.SOCK_STREAM) as client,
    ):
        far.bind((topology.remotes[0], 0))
        far.listen()
        for handle in (opener, server):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            handle.bind((inside.address, _PORT))
        for handle in (opener, server, client):
            handle.settimeout(DEADLINE)
        opener.connect(far.getsockname())
        server.listen()
        client.connect((EXTERNAL, _external_port(running, "tcp")))
        accepted, source = server.accept()
        with accepted:
            accepted.settimeout(DEADLINE)
            assert source[0] == EXTERNAL
            message = os.urandom(200_000)
            client.sendall(message[:100_000])
            client.shutdown(socket.SHUT_WR)
            with accepted.makefile("rb") as stream:
                assert stream.read() == message[:100_000]
            accepted.sendall(message[100_000:])
            accepted.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as stream:
                assert stream.read() == message[100_000:]
        assert drops(running) == {}


def test_an_error_about_a_hairpinned_packet_reaches_its_sender(topology: Topology) -> None:
    """RFC 5508 REQ-7: the receiver's port is closed, and the sender's socket must be told."""
    with (
        nat(topology, "full-cone") as running,
        topology.internet.socket() as far,
        _open_udp(topology, 1) as server,
        _open_udp(topology, 0) as client,
    ):
        far.bind((topology.remotes[0], 0))
        far.settimeout(DEADLINE)
        server.sendto(b"where am I?", far.getsockname())
        client.connect(far.recvfrom(100)[1])
        server.close()
        client.send(b"anybody?")

        def told() -> bool:
            assert drops(running) == {}
            return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED

        until(told, "the sender is told")


def test_hosts_of_the_lan_reach_each_other_and_the_router_directly(topology: Topology) -> None:
    first, second = topology.hosts
    with nat(topology) as running:
        for address in (second.address, ROUTER_LAN, ROUTER_WAN):
            ping(first, address)
        assert rows(running, "sessions") == []


def test_the_routers_own_traffic_is_left_alone(topology: Topology) -> None:
    router = Host(topology.router, ROUTER_WAN)
    with nat(topology) as running:
        for address in (topology.remotes[0], topology.hosts[0].address):
            ping(router, address)
        ping(Host(topology.internet, topology.remotes[0]), ROUTER_WAN)
        assert rows(running, "sessions") == []
        assert drops(running) == {}
