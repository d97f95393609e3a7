"""Packets with forged addresses: nobody outside is taken for the LAN, or for the NAT itself.

With the kernel's own check of sources off (`rp_filter` = 0): the routing has to do it.
"""

from __future__ import annotations

import socket

import pytest

from end_to_end.frames import icmp, raw_sender, send, udp
from end_to_end.harness import DEADLINE, drops, greet, readable, rows, status, udp_pair
from ratsnake.lab import EXTERNAL, Topology, nat
from ratsnake.lab.topology import LAN_PREFIX, ROUTER_LAN, ROUTER_NAT, ROUTER_WAN

_PORT = 7000
_NOBODY = "192.0.2.200"  # an address of the LAN that no host has


@pytest.fixture(params=["lan0", "lo"])
def lan(request: pytest.FixtureRequest, topology: Topology) -> str:
    """What --lan names; the router checks no sources, the internet knows the way to the LAN."""
    for interface in ("all", "default", "wan0", "lan0"):
        topology.router.sysctl(f"net.ipv4.conf.{interface}.rp_filter", 0)
    with topology.internet.netlink() as netlink:
        netlink.route("add", dst=LAN_PREFIX, gateway=ROUTER_WAN)
    return str(request.param)


def _inside(topology: Topology, lan: str) -> tuple[socket.socket, socket.socket]:
    """A socket behind the NAT, connected to a remote's."""
    inside, address = (
        (topology.router, ROUTER_LAN)
        if lan == "lo"
        else (topology.hosts[0].namespace, topology.hosts[0].address)
    )
    near, far = inside.socket(), topology.internet.socket()
    far.bind((topology.remotes[0], 0))
    near.bind((address, 0))
    near.connect(far.getsockname())
    for handle in (near, far):
        handle.settimeout(DEADLINE)
    return near, far


def test_forged_sources_from_the_internet_reach_nobody(topology: Topology, lan: str) -> None:
    """Neither the NAT, which would take them for the LAN's, nor a host of the LAN."""
    victim = topology.hosts[1]
    with (
        nat(topology, "full-cone", arguments=["--lan", lan]) as running,
        raw_sender(topology.internet) as forger,
        victim.namespace.socket() as target,
    ):
        near, far = _inside(topology, lan)
        with near, far:
            external = greet(near, far)
            target.bind((victim.address, _PORT))
            before = rows(running, "mappings")
            packets = status(running)["counters"]
            near.setblocking(False)
            for source, destination, port in (
                (_NOBODY, EXTERNAL, external[1]),
                (topology.hosts[0].address, EXTERNAL, external[1]),
                (EXTERNAL, EXTERNAL, external[1]),
                (EXTERNAL, victim.address, _PORT),
            ):
                send(forger, udp(source, destination, (5353, port), b"forged"))
            quoted = udp(EXTERNAL, topology.remotes[0], (external[1], 9), b"forged")
            send(forger, icmp(ROUTER_NAT, EXTERNAL, 3, 1, 0, quoted))
            # About a flow that is there: from inside it would be a hairpin's.
            quoted = udp(EXTERNAL, far.getsockname()[0], (external[1], far.getsockname()[1]))
            for source in (_NOBODY, topology.hosts[0].address, victim.address):
                send(forger, icmp(source, EXTERNAL, 3, 3, 0, quoted))
            far.sendto(b"fence", external)
            assert readable(near)
            assert near.recv(100) == b"fence"
            assert not readable(target, 0)
            assert rows(running, "mappings") == before
            inbound = status(running)["counters"]["inbound"]["packets"]
            assert inbound == packets["inbound"]["packets"] + 1
            assert drops(running) == {}


def test_a_lan_host_cannot_pose_as_the_nat(topology: Topology) -> None:
    with (
        nat(topology, "full-cone") as running,
        raw_sender(topology.hosts[1].namespace) as forger,
        udp_pair(topology) as (near, far),
    ):
        topology.router.sysctl("net.ipv4.conf.lan0.rp_filter", 0)
        external = greet(near, far)
        send(forger, udp(EXTERNAL, EXTERNAL, (5353, external[1]), b"forged"))
        with udp_pair(topology, host=1) as other:
            greet(*other)
        far.sendto(b"fence", external)
        assert near.recv(100) == b"fence"
        assert drops(running) == {}


@pytest.mark.parametrize("strict", [0, 1])
def test_a_source_check_passes_what_is_true(topology: Topology, strict: int) -> None:
    """Both ways and hairpin, whatever `rp_filter` is: the rules decide the way back as well."""
    for interface in ("all", "default", "wan0", "lan0"):
        topology.router.sysctl(f"net.ipv4.conf.{interface}.rp_filter", strict)
    with nat(topology, "full-cone") as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        near.connect(external)  # itself, by way of the NAT
        near.send(b"hairpin")
        assert near.recv(100) == b"hairpin"
        assert drops(running) == {}
    with nat(topology, "full-cone", arguments=["--lan", "lo"]) as running:
        near, far = _inside(topology, "lo")
        with near, far:
            greet(near, far)
            assert drops(running) == {}


def test_the_routers_own_packets_are_not_forged(topology: Topology) -> None:
    """By its LAN address the router is inside, and meets LAN hosts at the external address."""
    with (
        nat(topology, "full-cone") as running,
        udp_pair(topology) as (_, far),
        topology.router.socket() as own,
        topology.hosts[0].namespace.socket() as server,
    ):
        server.bind((topology.hosts[0].address, 0))
        server.sendto(b"where am I?", far.getsockname())
        meeting = far.recvfrom(100)[1]
        own.bind((ROUTER_LAN, 0))
        own.settimeout(DEADLINE)
        server.settimeout(DEADLINE)
        own.sendto(b"out", meeting)
        message, source = server.recvfrom(100)
        assert (message, source[0]) == (b"out", EXTERNAL)
        server.sendto(b"back", source)
        assert own.recvfrom(100) == (b"back", meeting)
        assert drops(running) == {}
