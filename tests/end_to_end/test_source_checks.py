"""Firewalls that check before routing whether a packet's source would be answered by the interface
it came in by: what comes from the internet for the NAT passes, and what the NAT gives back does
where its device is exempt."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from end_to_end.frames import captured, raw_sender, send, sniffer, udp
from end_to_end.harness import DEADLINE, greet, udp_pair
from ratsnake.lab import EXTERNAL, EXTERNAL_6, Topology, nat, traffic_generator
from ratsnake.lab.topology import LAN_PREFIX, LAN_PREFIX_6, ROUTER_WAN

_IPTABLES = (
    *("-t", "raw", "-A", "PREROUTING", "!", "-i", "ratsnake"),
    *("-m", "rpfilter", "--invert", "-j", "DROP"),
)
_FIREWALLS = {
    "nft": [
        "nft",
        "table inet fw { chain pre { type filter hook prerouting priority raw; "
        'iifname "ratsnake" accept; fib saddr . iif oif missing counter drop; }; }',
    ],
    "iptables-nft": ["iptables-nft", *_IPTABLES],
    "iptables-legacy": ["iptables-legacy", *_IPTABLES],
    "rp_filter": ["sysctl", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.wan0.rp_filter=1"],
}
#: The external address, and the flags that go with it.
_PLACES = {
    "routed": (EXTERNAL, ()),
    "on the link": ("198.51.100.100", ("--wan", "wan0")),
    "shared": (ROUTER_WAN, ("--wan", "wan0", "--share-address")),
}


def _run(dual: Topology, *command: str) -> None:
    assert dual.router.popen(command).wait(DEADLINE) == 0


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("firewall", _FIREWALLS)
def test_strict_checks_let_flows_pass(
    topology: Topology, program: Callable[[str], str], firewall: str, place: str
) -> None:
    command, *arguments = _FIREWALLS[firewall]
    _run(topology, program(command), *arguments)
    external, flags = _PLACES[place]
    with nat(topology, external=[external], arguments=flags):
        with udp_pair(topology) as (near, far):
            assert greet(near, far)[0] == external
        traffic_generator.download(topology, 1 << 20)


def test_of_ipv6_too(dual: Topology, program: Callable[[str], str]) -> None:
    _run(dual, program("nft"), *_FIREWALLS["nft"][1:])
    with (
        nat(dual, external=[EXTERNAL, EXTERNAL_6], internal=[LAN_PREFIX, LAN_PREFIX_6]),
        udp_pair(dual, version=6) as (near, far),
    ):
        assert greet(near, far)[0] == EXTERNAL_6


def test_forged_sources_still_go_nowhere(topology: Topology, program: Callable[[str], str]) -> None:
    """What comes from the internet with the NAT's own address, with no check but the rules."""
    host = topology.hosts[0]
    with topology.internet.netlink() as netlink:
        netlink.route("add", dst=LAN_PREFIX, gateway=ROUTER_WAN)
    for interface in ("all", "wan0"):
        topology.router.sysctl(f"net.ipv4.conf.{interface}.rp_filter", 0)
    with (
        nat(topology),
        sniffer(host.namespace, "eth0") as seen,
        raw_sender(topology.internet) as forger,
        udp_pair(topology) as (near, far),
    ):
        send(forger, udp(EXTERNAL, host.address, (5000, 5000), b"forged"))
        greet(near, far)  # which comes after it
        assert socket.inet_aton(EXTERNAL) not in {one[12:16] for one in captured(seen)}
