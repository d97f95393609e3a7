"""lab/topology.py and lab/ethtool.py: the network is as drawn, at once, and gone after."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ratsnake.lab import EXTERNAL_2, EXTERNAL_6, Topology, forward
from ratsnake.lab.ethtool import offloads, without_offloads
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import (
    LAN_INTERFACE,
    ROUTER_LAN,
    ROUTER_LAN_6,
    ROUTER_WAN,
    ROUTER_WAN_6,
    WAN_INTERFACE,
)


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_every_host_reaches_the_router_with_its_first_packet(hosts: int) -> None:
    with Topology(hosts=hosts) as topology:
        for host in topology.hosts:
            assert ping(host, ROUTER_LAN) > 0


def test_hosts_reach_each_other(topology: Topology) -> None:
    first, second = topology.hosts
    assert ping(first, second.address) > 0


@pytest.mark.parametrize("hosts", [1, 2])
def test_ipv6_works_with_the_first_packet(hosts: int) -> None:
    with Topology(hosts=hosts, ipv6=True) as topology, forward(topology):
        for host in topology.hosts:
            assert host.address_6 is not None
            assert ping(host, ROUTER_LAN_6) > 0
            assert ping(host, topology.remotes_6[2]) > 0
            assert ping(host, topology.remotes[2]) > 0


def test_ipv6_is_off_unless_asked_for(topology: Topology) -> None:
    assert topology.remotes_6 == ()
    with pytest.raises(ValueError, match=r"ipv6: this network has none, right is Topology\(ipv6"):
        topology.hosts[0].of(6)
    assert topology.router.run(lambda: Path("/proc/thread-self/net/if_inet6").read_text()) == ""


@pytest.mark.parametrize("external", [EXTERNAL_2, EXTERNAL_6])
def test_external_addresses_are_routed_to_the_router(external: str) -> None:
    with Topology(ipv6=True) as topology:
        with topology.internet.netlink() as netlink:
            (route,) = netlink.route("get", dst=external)
        assert route.get_attr("RTA_GATEWAY") in (ROUTER_WAN, ROUTER_WAN_6)


def test_remotes_are_as_many_as_asked_for() -> None:
    with Topology(remotes=5) as topology, forward(topology):
        assert topology.remotes == tuple(f"198.51.100.{n}" for n in range(1, 6))
        assert ping(topology.hosts[0], topology.remotes[4]) > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hosts": 0}, "hosts: 0 is not between 1 and 125"),
        ({"hosts": 126}, "hosts: 126 is not"),
        ({"remotes": 254}, "remotes: 254 is not between 1 and 253"),
    ],
)
def test_numbers_out_of_range(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Topology(**wrong)


def test_mtu_of_every_link() -> None:
    with Topology(hosts=2, mtu=1400) as topology:
        for namespace, interface in topology.interfaces:
            with namespace.netlink() as netlink:
                (link,) = netlink.get_links(ifname=interface)
                assert link.get_attr("IFLA_MTU") == 1400


def test_offloads_are_on_unless_switched_off() -> None:
    with Topology() as topology:
        assert offloads(topology.router, WAN_INTERFACE)["tso"]
    with Topology(offloads=False) as topology:
        for interface in topology.interfaces:
            assert not any(offloads(*interface).values())
        assert ping(topology.hosts[0], ROUTER_LAN) > 0


def test_offloads_come_back() -> None:
    with Topology() as topology:
        interface = (topology.router, LAN_INTERFACE)
        before = offloads(*interface)
        with without_offloads(interface):
            assert not offloads(*interface)["tx-checksum"]
        assert offloads(*interface) == before


def test_closing_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Topology(hosts=2):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_failure_half_way_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Exception, match="(?i)argument|range"):
        Topology(mtu=10)
    assert len(os.listdir("/proc/self/fd")) == before
