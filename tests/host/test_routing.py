"""host/installation/install_changes.py, in a throw-away network namespace: what is installed,
refused and undone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from ratsnake.host.installation.install_changes import foresee, install
from ratsnake.host.kernel.ip_family import IPV4, IPV6
from ratsnake.host.kernel.route_dump import PROTOCOL
from ratsnake.host.routing.proxy_neighbours import ProxyNeighbour
from ratsnake.host.routing.routing_changes import Route, Rule, WaylessRoute
from ratsnake.host.routing.routing_request import Request, RoutingError
from ratsnake.host.routing.running_instances import Kind, priority
from ratsnake.host.routing.sysctl_changes import Forwarding, Setting, SharedSetting
from ratsnake.lab.namespace import Namespace
from ratsnake.lab.topology import ROUTER_NAT
from ratsnake.nat.settings.address_realm import ROUTER_ADDRESS

EXTERNAL = IPv4Address("203.0.113.1")
INTERNAL = (IPv4Network("192.0.2.128/25"),)
REQUEST = Request("nat0", ("lan0",), (EXTERNAL,), INTERNAL)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A router: lan0 and wan0 with addresses, and nat0 where the TUN would be."""
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        with namespace.netlink() as netlink:
            for name, address in (
                ("lan0", "192.0.2.129"),
                ("wan0", "198.51.100.254"),
                ("nat0", ""),
            ):
                netlink.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
                for end in (name, f"{name}-peer"):
                    netlink.link("set", index=_index(netlink, end), state="up")
                if address:
                    netlink.addr("add", index=_index(netlink, name), address=address, prefixlen=25)
        yield namespace


def _setting(path: str) -> str:
    return Path("/proc/sys/net/ipv4", path).read_text().strip()


def _tables(rules: list[Any]) -> set[int]:
    """The tables of the runs whose rules these are."""
    tables = {rule.get_attr("FRA_TABLE") for rule in rules}
    return {table for table in tables if table}


def _index(netlink: Any, name: str) -> int:
    (index,) = netlink.link_lookup(ifname=name)
    return int(index)


def _ours(namespace: Namespace) -> tuple[list[Any], list[Any]]:
    with namespace.netlink() as netlink:
        rules = [r for r in netlink.get_rules() if r.get_attr("FRA_PROTOCOL") == PROTOCOL]
        routes = [r for r in netlink.get_routes(family=2) if r["proto"] == PROTOCOL]
    return rules, routes


def _state(namespace: Namespace) -> tuple[object, ...]:
    """Everything a plan touches, to compare before and after."""
    paths = ["ip_forward", "conf/all/accept_redirects", "icmp_errors_use_inbound_ifaddr"]
    paths += [f"conf/nat0/{name}" for name in ("rp_filter", "accept_local")]
    paths += [f"conf/{name}/forwarding" for name in ("default", "lan0", "wan0", "nat0")]
    sysctls = [_setting(path) for path in paths]
    with namespace.netlink() as netlink:
        rules = [str(rule["attrs"]) for rule in netlink.get_rules()]
        routes = [str(route["attrs"]) for route in netlink.get_routes(family=2)]
    return sysctls, rules, routes


def _way(namespace: Namespace, destination: str, **how: Any) -> str:
    """The interface the kernel would send to."""
    with namespace.netlink() as netlink:
        (route,) = netlink.route("get", dst=destination, **how)
        (link,) = netlink.get_links(route.get_attr("RTA_OIF"))
        return str(link.get_attr("IFLA_IFNAME"))


def _killed(machine: Namespace) -> None:
    """A run whose device has gone and that undid nothing; the device is there again."""
    install(REQUEST)
    with machine.netlink() as netlink:
        netlink.link("del", index=_index(netlink, "nat0"))
        netlink.link("add", ifname="nat0", kind="veth", peer="nat0-peer")
        for name in ("nat0", "nat0-peer"):
            netlink.link("set", index=_index(netlink, name), state="up")


def test_packets_of_the_lan_go_through_the_device_and_back(machine: Namespace) -> None:
    installed = install(REQUEST)
    with machine.netlink() as netlink:
        lan = _index(netlink, "lan0")
    from_lan = {"src": "192.0.2.130", "iif": lan}
    assert _way(machine, "198.51.100.129", **from_lan) == "nat0"
    assert _way(machine, str(EXTERNAL), **from_lan) == "nat0"  # hairpin
    assert _way(machine, "192.0.2.131", **from_lan) == "lan0"  # thrown: not the NAT's
    assert _way(machine, str(EXTERNAL)) == "nat0"
    assert _way(machine, "198.51.100.129") == "wan0"  # the host's own packets
    assert installed.warnings == ()


def test_sysctls(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.conf.nat0.rp_filter", 1)
    machine.sysctl("net.ipv4.conf.all.accept_redirects", 0)
    machine.sysctl("net.ipv4.ip_forward", 0)
    machine.sysctl("net.ipv4.conf.all.accept_redirects", 0)
    installed = install(REQUEST)
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
    assert Path("/proc/sys/net/ipv4/conf/nat0/rp_filter").read_text().strip() == "2"
    assert installed.undo() == ()
    assert Path("/proc/sys/net/ipv4/conf/nat0/rp_filter").read_text().strip() == "1"
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "0"
    assert Path("/proc/sys/net/ipv4/conf/all/accept_redirects").read_text().strip() == "0"


@pytest.mark.parametrize("forwarding", [0, 1])
def test_undo_leaves_the_host_as_it_was(machine: Namespace, forwarding: int) -> None:
    machine.sysctl("net.ipv4.ip_forward", forwarding)
    before = _state(machine)
    installed = install(REQUEST)
    assert _state(machine) != before
    assert installed.undo() == ()
    assert _state(machine) == before
    assert installed.undo() == ()  # a second time finds nothing to do


def test_a_setting_somebody_changed_meanwhile_is_left_alone(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.conf.nat0.rp_filter", 0)
    installed = install(REQUEST)
    machine.sysctl("net.ipv4.conf.nat0.rp_filter", 1)
    installed.undo()
    assert Path("/proc/sys/net/ipv4/conf/nat0/rp_filter").read_text().strip() == "1"


def test_undo_after_the_device_has_gone(machine: Namespace) -> None:
    installed = install(REQUEST)
    with machine.netlink() as netlink:
        netlink.link("del", index=_index(netlink, "nat0"))
    assert installed.undo() == ()
    assert _ours(machine) == ([], [])


def test_undo_after_the_lan_has_gone(machine: Namespace) -> None:
    installed = install(REQUEST)
    with machine.netlink() as netlink:
        netlink.link("del", index=_index(netlink, "lan0"))
    assert installed.undo() == ()
    assert _ours(machine) == ([], [])


def test_a_step_that_fails_undoes_those_before_it(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        wan = _index(netlink, "wan0")
        netlink.route("add", dst=f"{EXTERNAL}/32", oif=wan)
    before = _state(machine)
    with pytest.raises(RoutingError, match=r"cannot do `ip route add 203\.0\.113\.1/32 .*already"):
        install(REQUEST)
    assert _state(machine) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "nat7"}, "--device nat7: no such interface"),
        (
            {"external": (EXTERNAL, IPv4Address("192.0.2.200"))},
            r"192\.0\.2\.200: is inside the internal prefix",
        ),
        (
            {"external": (EXTERNAL, IPv4Address("198.51.100.254"))},
            r"198\.51\.100\.254: is assigned to wan0",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    machine: Namespace, change: dict[str, Any], message: str
) -> None:
    before = _state(machine)
    with pytest.raises(RoutingError, match=message):
        install(Request(**{**REQUEST.__dict__, **change}))
    assert _state(machine) == before


def test_a_lan_that_is_down_is_a_warning(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.link("set", index=_index(netlink, "lan0"), state="down")
    assert install(REQUEST).warnings == ("interface lan0 is down: bring it up first",)


def test_a_lan_that_is_not_inside_is_a_warning(machine: Namespace) -> None:
    """One address of the LAN's that is inside is enough."""
    assert foresee(REQUEST).plan.warnings == ()
    request = replace(REQUEST, internal=(IPv4Network("192.168.0.0/16"),))
    (warning,) = foresee(request).plan.warnings
    assert warning.startswith("lan0 has 192.0.2.129, which is in none of the internal prefixes: ")
    with machine.netlink() as netlink:
        lan = _index(netlink, "lan0")
        netlink.addr("add", index=lan, address="192.168.1.1", prefixlen=24)
    assert foresee(request).plan.warnings == ()


def test_numbers_in_use_are_left_to_their_users(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.rule("add", table=1000, priority=20000, iifname="wan0")
        netlink.route("add", dst="203.0.113.128/25", oif=_index(netlink, "wan0"), table=1001)
    install(REQUEST)
    rules, _ = _ours(machine)
    assert _tables(rules) == {1002}
    assert {rule.get_attr("FRA_PRIORITY") for rule in rules} == {priority(kind, 2) for kind in Kind}


def test_two_lans_get_a_table_each(machine: Namespace) -> None:
    install(REQUEST)
    install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    rules, _ = _ours(machine)
    assert len(_tables(rules)) == 2


def test_what_a_killed_run_left_behind_is_removed(machine: Namespace) -> None:
    _killed(machine)
    installed = install(REQUEST)
    rules, routes = _ours(machine)
    assert (len(rules), len(routes)) == (len(Kind), len(INTERNAL) + 3)
    installed.undo()
    assert _ours(machine) == ([], [])


def test_a_run_that_lives_is_not_taken_for_a_killed_one(machine: Namespace) -> None:
    install(REQUEST)
    install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    rules, _ = _ours(machine)
    assert len(_tables(rules)) == 2


def test_what_a_run_killed_for_another_lan_left_stays(machine: Namespace) -> None:
    """It keeps that LAN's packets from leaving untranslated."""
    _killed(machine)
    install(Request("nat0", ("wan0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    rules, _ = _ours(machine)
    assert len(rules) == 2 * len(Kind)


def test_what_a_run_killed_with_this_external_address_left_is_removed(machine: Namespace) -> None:
    """It would take what the new NAT sends for forged."""
    _killed(machine)
    install(Request("nat0", ("wan0",), (EXTERNAL,), INTERNAL))
    rules, _ = _ours(machine)
    assert len(rules) == len(Kind)


def test_the_lan_is_refused_when_the_device_has_gone(machine: Namespace) -> None:
    _killed(machine)
    with machine.netlink() as netlink:
        how = {"src": "192.0.2.130", "iif": _index(netlink, "lan0")}
        with pytest.raises(Exception, match="No route to host|unreachable"):
            netlink.route("get", dst="198.51.100.129", **how)


def test_forwarding_of_each_interface_is_put_back(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.ip_forward", 0)
    machine.sysctl("net.ipv4.conf.lan0.forwarding", 1)
    before = _state(machine)
    assert install(REQUEST).undo() == ()
    assert _setting("conf/lan0/forwarding") == "1"
    assert _state(machine) == before


def test_the_first_to_stop_leaves_the_hosts_settings_to_the_second(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.ip_forward", 0)
    first = install(REQUEST)
    second = install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    for installed in (first, second):
        assert installed.undo() == ()
        assert _setting("ip_forward") == "1"
        assert _setting("icmp_errors_use_inbound_ifaddr") == "1"
    assert _ours(machine) == ([], [])


def test_the_last_to_stop_puts_the_hosts_settings_back(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.ip_forward", 0)
    first = install(REQUEST)
    second = install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    assert second.undo() == ()
    assert _setting("ip_forward") == "1"
    assert first.undo() == ()
    assert _setting("ip_forward") == "0"
    assert _setting("icmp_errors_use_inbound_ifaddr") == "0"


def test_errors_of_the_host_find_the_nat_they_belong_to(machine: Namespace) -> None:
    install(REQUEST)
    install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.2"),), INTERNAL))
    dummy = {"src": "192.0.0.8"}
    assert _way(machine, "203.0.113.1", **dummy) == "nat0"
    assert _way(machine, "203.0.113.2", **dummy) == "wan0"
    assert _way(machine, "198.51.100.129", **dummy) == "nat0"  # the first run's: none is right


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (
            Rule(7, "lan0", table=1000),
            "ip rule add priority 7 protocol 82 iif lan0 lookup 1000",
        ),
        (
            Rule(7, source="192.0.2.1", action="blackhole"),
            "ip rule add priority 7 protocol 82 from 192.0.2.1 blackhole",
        ),
        (
            Rule(7, destination="192.0.2.1/32", table=1, protocol=6, ports=(5, 9)),
            "ip rule add priority 7 protocol 82 to 192.0.2.1/32 ipproto 6 dport 5-9 lookup 1",
        ),
        (
            Rule(7, goto=9, action="goto", family=IPV6),
            "ip -6 rule add priority 7 protocol 82 goto 9",
        ),
        (
            Route("192.0.2.128/25", "nat0", 1000),
            "ip route add 192.0.2.128/25 dev nat0 scope link table 1000 proto 82",
        ),
        (
            WaylessRoute("throw", "192.0.2.0/24", 1),
            "ip route add throw 192.0.2.0/24 table 1 proto 82",
        ),
        (ProxyNeighbour("192.0.2.1", "w"), "ip neigh add proxy 192.0.2.1 dev w protocol 82"),
        (Setting("net/x", "1"), "sysctl net.x=1"),
        (Setting("net/a.5/x", "1"), "sysctl net/a.5/x=1"),
        (SharedSetting("net/x", "1", 0), "sysctl net.x=1"),
        (Forwarding(0), "sysctl net.ipv4.ip_forward=1"),
        (Forwarding(0, IPV6), "sysctl net.ipv6.conf.all.forwarding=1"),
    ],
)
def test_changes_are_commands(change: object, name: str) -> None:
    assert str(change) == name


def test_the_caller_never_imports_pyroute2() -> None:
    code = (
        "import sys, ratsnake.host.routing as r; "
        "assert not any(m.startswith('pyroute2') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_host_accepts_its_own_errors_back(machine: Namespace) -> None:
    installed = install(REQUEST)
    setting = Path("/proc/sys/net/ipv4/conf/nat0/accept_local")
    assert setting.read_text().strip() == "1"
    with machine.netlink() as netlink:
        device = _index(netlink, "nat0")
        (address,) = netlink.get_addr(index=device, family=2)
        assert address.get_attr("IFA_ADDRESS") == "192.0.0.8"
        installed.undo()
        assert list(netlink.get_addr(index=device, family=2)) == []
    assert setting.read_text().strip() == "0"


def test_the_hosts_own_packets_with_lan_lo(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.link("set", index=1, state="up")
    install(Request("nat0", ("lo",), (EXTERNAL,), INTERNAL))
    assert _way(machine, "198.51.100.129") == "nat0"
    with machine.netlink() as netlink:
        (route,) = netlink.route("get", dst="198.51.100.129")
    assert route.get_attr("RTA_PREFSRC") == "192.0.2.129"


def test_the_routers_own_errors_come_from_the_address_the_engine_knows() -> None:
    assert str(ROUTER_ADDRESS) == IPV4.router == ROUTER_NAT
