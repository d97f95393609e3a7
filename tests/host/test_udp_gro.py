"""host/routing/udp_gro.py: where UDP datagrams are joined on arrival, and that it ends with the
run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from ratsnake.host.installation.install_changes import Request, install
from ratsnake.host.monitoring.change_restoration import Wanted, look_and_restore
from ratsnake.host.monitoring.runtime_checks import Known
from ratsnake.host.routing.udp_gro import FEATURE, UdpGro, udp_gro_interfaces
from ratsnake.lab.ethtool import feature, set_feature
from ratsnake.lab.namespace import Namespace

REQUEST = Request(
    "nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("192.0.2.128/25"),)
)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A router with lan0, wan0 and other0; nat0 is where the TUN would be."""
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        with namespace.netlink() as netlink:
            for name in ("lan0", "wan0", "other0", "nat0"):
                netlink.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
                for end in (name, f"{name}-peer"):
                    netlink.link("set", index=_index(netlink, end), state="up")
            wan = _index(netlink, "wan0")
            netlink.addr("add", index=wan, address="198.51.100.254", prefixlen=24)
            netlink.route("add", dst="default", gateway="198.51.100.1", oif=wan)
        yield namespace


def _index(netlink: Any, name: str) -> int:
    (index,) = netlink.link_lookup(ifname=name)
    return int(index)


def _udp_gro(machine: Namespace) -> set[str]:
    names = ("lan0", "wan0", "other0", "nat0")
    return {name for name in names if feature(machine, name, FEATURE)}


def test_a_run_joins_on_lan_and_wan_and_undoes_it(machine: Namespace) -> None:
    assert _udp_gro(machine) == set()
    installed = install(REQUEST)
    assert _udp_gro(machine) == {"lan0", "wan0"}
    assert installed.undo() == ()
    assert _udp_gro(machine) == set()


def test_what_was_on_before_stays_on(machine: Namespace) -> None:
    set_feature(machine, "wan0", FEATURE, True)
    installed = install(REQUEST)
    assert _udp_gro(machine) == {"lan0", "wan0"}
    assert installed.undo() == ()
    assert _udp_gro(machine) == {"wan0"}


def test_an_interface_that_has_gone_is_no_failure(machine: Namespace) -> None:
    installed = install(REQUEST)
    with machine.netlink() as netlink:
        netlink.link("del", index=_index(netlink, "lan0"))
    assert installed.undo() == ()


def test_of_a_bridge_the_ports_join_and_the_loopback_never(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.link("add", ifname="br0", kind="bridge")
        bridge = _index(netlink, "br0")
        for port in ("lan0", "other0"):
            netlink.link("set", index=_index(netlink, port), master=bridge)
        assert udp_gro_interfaces(netlink, ("br0",)) == ("lan0", "other0", "wan0")
        assert udp_gro_interfaces(netlink, ("br0", "nat0")) == ("lan0", "nat0", "other0", "wan0")
        assert udp_gro_interfaces(netlink, ("nat0", "wg0"), "ppp0") == ("nat0", "ppp0", "wg0")
        assert udp_gro_interfaces(netlink, ("lo",)) == ("wan0",)


def test_what_the_kernel_refuses_is_left_out(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        missing = UdpGro("missing0", 0)
        assert missing.apply(netlink) is None
        missing.undo(netlink, "off")
    assert str(missing) == f"ethtool -K missing0 {FEATURE} on"


def test_ports_of_a_bridge_that_comes_later_join_as_long_as_they_are_its(
    machine: Namespace,
) -> None:
    installed = install(replace(REQUEST, lans=("lan0", "br7"), wan="wan0"))
    with machine.netlink() as netlink:
        netlink.link("add", ifname="br7", kind="bridge")
        bridge, port = _index(netlink, "br7"), _index(netlink, "other0")
        for master, joining in ((bridge, {"lan0", "other0", "wan0"}), (0, {"lan0", "wan0"})):
            netlink.link("set", index=port, master=master)
            installed = look_and_restore(installed, Known(), Wanted(anew=True)).installed
            assert _udp_gro(machine) == joining
    assert installed.undo() == ()
    assert _udp_gro(machine) == set()
