"""The WAN interface's own address shared by the router and its NAT: both work, until it stops."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from end_to_end.frames import raw_sender
from end_to_end.harness import DEADLINE, drops, greet, router_state, udp_pair, without_left
from end_to_end.pieces import datagram, piece
from end_to_end.shared import connects, listening, sharing_nat
from ratsnake.lab import Host, Namespace, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import Hop, ping, traceroute
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_NAT, ROUTER_WAN

_MEGABYTES = 16 << 20
_SERVICE = 8022  # of the router, among the ports the NAT would have
_CLOSED = 9  # where no remote listens


def _refused(namespace: Namespace, remote: str) -> None:
    """An ICMP error about a datagram reaches the socket that sent it."""
    with namespace.socket() as near:
        near.settimeout(DEADLINE)
        near.connect((remote, _CLOSED))
        near.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            near.recv(100)


def _lan_works(topology: Topology) -> None:
    traffic_generator.download(topology, _MEGABYTES)
    traffic_generator.upload(topology, _MEGABYTES)
    ping(topology.hosts[0], topology.remotes[0], timeout=DEADLINE)
    ping(topology.hosts[0], topology.remotes[0], 3000, timeout=DEADLINE)
    _refused(topology.hosts[0].namespace, topology.remotes[0])
    with udp_pair(topology) as (near, far):
        assert greet(near, far)[0] == ROUTER_WAN


def _router_works(topology: Topology) -> None:
    """What the router itself does by its address, and what others do with it."""
    router = Host(topology.router, ROUTER_WAN)
    remote = Host(topology.internet, topology.remotes[0])
    with listening(topology.internet, topology.remotes[0], 0) as listener:
        assert connects(topology.router, listener, listener.getsockname()) == ROUTER_WAN
    ping(router, topology.remotes[0], timeout=DEADLINE)
    ping(router, topology.remotes[0], 3000, timeout=DEADLINE)
    ping(remote, ROUTER_WAN, timeout=DEADLINE)
    ping(topology.hosts[0], ROUTER_WAN, timeout=DEADLINE)
    ping(router, ROUTER_WAN, timeout=DEADLINE)
    _refused(topology.router, topology.remotes[0])
    with topology.router.socket() as near, topology.internet.socket() as far:
        far.bind((topology.remotes[0], 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        assert greet(near, far)[0] == ROUTER_WAN


@pytest.fixture
def service(topology: Topology) -> Iterator[socket.socket]:
    """A program of the router that was there before the NAT."""
    with listening(topology.router, "0.0.0.0", _SERVICE) as listener:
        yield listener


def test_both_work_and_nothing_is_left(topology: Topology, service: socket.socket) -> None:
    before = router_state(topology)
    with sharing_nat(topology) as running:
        assert "ports=1024-8021,8023-32767,61000-65534 " in running.ready_line
        _lan_works(topology)
        _router_works(topology)
        for client in (topology.internet, topology.hosts[0].namespace, topology.router):
            connects(client, service, (ROUTER_WAN, _SERVICE))
        assert drops(running) == {}
        assert "WARNING" not in running.log()
    assert router_state(topology) == before
    _router_works(topology)


def test_the_way_of_the_lan_is_seen(topology: Topology) -> None:
    """ICMP errors of the router itself, about the NAT's packets."""
    with sharing_nat(topology):
        assert traceroute(topology.hosts[0], topology.remotes[0]) == (
            Hop(ROUTER_LAN, False),
            Hop(ROUTER_NAT, False),
            Hop(topology.remotes[0], True),
        )


def test_connections_of_the_router_outlive_start_and_stop(topology: Topology) -> None:
    with (
        listening(topology.internet, topology.remotes[0], 0) as listener,
        topology.router.socket(kind=socket.SOCK_STREAM) as near,
    ):
        near.settimeout(DEADLINE)
        near.connect(listener.getsockname())
        far = listener.accept()[0]
        with far:
            far.settimeout(DEADLINE)

            def both_ways() -> None:
                for sender, receiver in ((near, far), (far, near)):
                    sender.sendall(b"still there?")
                    assert receiver.recv(100) == b"still there?"

            both_ways()
            with sharing_nat(topology):
                both_ways()
            both_ways()


def test_a_forward_reaches_the_lan_from_everywhere_but_the_router(topology: Topology) -> None:
    """Also of a port below those of the NAT."""
    inside = topology.hosts[0]
    with (
        sharing_nat(topology, ["--forward", f"tcp:80={inside.address}:8080"]),
        listening(inside.namespace, inside.address, 8080) as listener,
    ):
        seen = connects(topology.internet, listener, (ROUTER_WAN, 80))
        assert seen in topology.remotes
        assert connects(topology.hosts[1].namespace, listener, (ROUTER_WAN, 80)) == ROUTER_WAN


def test_a_mapping_is_reached_from_outside(topology: Topology) -> None:
    """Full cone: by a remote that was never sent to."""
    with sharing_nat(topology), udp_pair(topology) as (near, far):
        external = greet(near, far)
        with topology.internet.socket() as stranger, topology.hosts[0].namespace.socket() as other:
            other.bind((topology.hosts[0].address, 0))
            other.settimeout(DEADLINE)
            other.sendto(b"out", far.getsockname())
            external = far.recvfrom(100)[1]
            stranger.bind((topology.remotes[1], 0))
            stranger.sendto(b"hello", external)
            assert other.recv(100) == b"hello"


def test_a_forged_internal_source_is_thrown_away(topology: Topology) -> None:
    """The NAT would take it for a host of the LAN."""
    host = topology.hosts[0].address
    topology.router.sysctl("net.ipv4.conf.wan0.rp_filter", 0)
    with sharing_nat(topology) as running, raw_sender(topology.internet) as sender:
        payload = datagram((host, 5000), (ROUTER_WAN, 6000), b"forged")
        forged = piece(host, ROUTER_WAN, 1, 0, payload, False)
        for _ in range(5):
            sender.sendto(forged, (ROUTER_WAN, 0))
        _router_works(topology)  # by then they have been looked at
        assert drops(running) == {}


def test_after_kill_9_the_next_start_leaves_nothing(
    topology: Topology, service: socket.socket
) -> None:
    before = router_state(topology)
    with sharing_nat(topology) as running:
        running.process.kill()
        running.process.wait(DEADLINE)
    assert router_state(topology)["rules"] != before["rules"]
    _router_works(topology)
    connects(topology.internet, service, (ROUTER_WAN, _SERVICE))
    with sharing_nat(topology):
        _lan_works(topology)
        _router_works(topology)
    assert without_left(router_state(topology)) == without_left(before)


def test_an_address_of_the_router_is_not_shared_unasked(topology: Topology) -> None:
    with (
        pytest.raises(Exception, match=f"{ROUTER_WAN}: is assigned to wan0.*--share-address"),
        nat(topology, external=[ROUTER_WAN]),
    ):
        pass


def test_inbound_fragments_with_connection_tracking(
    topology: Topology, program: Callable[[str], str]
) -> None:
    """Ports are in the first fragment only.  Where the kernel tracks connections it puts datagrams
    together before its rules look."""
    for rule in (
        "add table ip t",
        "add chain ip t c { type filter hook forward priority 0; }",
        "add rule ip t c ct state new accept",
    ):
        assert topology.router.popen([program("nft"), rule]).wait(DEADLINE) == 0
    with sharing_nat(topology), udp_pair(topology) as (near, far):
        external = greet(near, far)
        far.sendto(bytes(20_000), external)
        assert len(near.recv(65536)) == 20_000
