"""host/installation/plan_update.py and Installed.change: a running set-up becomes another,
without a gap."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from machines import ADDRESSES, ADDRESSES_6, index, renew_link, router, state

from ratsnake.host.installation.install_changes import install, repair
from ratsnake.host.installation.plan_update import difference, renew, revise
from ratsnake.host.kernel.kernel_state import KernelState
from ratsnake.host.kernel.route_dump import PROTOCOL
from ratsnake.host.routing.local_table_rule import SharingFirst
from ratsnake.host.routing.routing_changes import Change, Route, Rule, WaylessRoute
from ratsnake.host.routing.routing_request import Request, RoutingError, Shared
from ratsnake.host.routing.running_instances import SharingKind, priority
from ratsnake.lab.namespace import Namespace

NEW = IPv4Address("198.51.100.253")
PORTS = ((6, ((80, 80), (1024, 9999))), (17, ((7, 9),)))
PLAIN = Request("nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("192.0.2.128/25"),))
#: 203.0.113.0 and .1 are one prefix together.
MORE = replace(PLAIN, external=(*PLAIN.external, IPv4Address("203.0.113.0"), NEW), wan="wan0")
DUAL = replace(
    MORE,
    external=(*MORE.external, IPv6Address("2001:db8:2::9")),
    internal=(*PLAIN.internal, IPv6Network("2001:db8:1::/64")),
)
OWN = IPv4Address("198.51.100.254")
SHARING = replace(PLAIN, external=(OWN, *PLAIN.external), shared=(Shared(OWN, PORTS),), wan="wan0")
MOVED = replace(SHARING, external=(NEW, *PLAIN.external), shared=(Shared(NEW, PORTS[:1]),))
PAIRS = [
    (PLAIN, MORE),
    (MORE, PLAIN),
    (PLAIN, DUAL),
    (DUAL, PLAIN),
    (PLAIN, SHARING),
    (SHARING, PLAIN),
    (SHARING, MOVED),
    (DUAL, MOVED),
    (SHARING, replace(SHARING, shared=(Shared(OWN, PORTS[1:]),))),
    (PLAIN, replace(PLAIN, lans=("wan0",))),
    (PLAIN, replace(PLAIN, lans=("lan0", "wan0"))),
    (replace(PLAIN, lans=("lan0", "wan0")), PLAIN),
]


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        yield namespace


def _sorted(machine: Namespace) -> dict[str, object]:
    """Of the rules of one priority the kernel tries the oldest first, which makes no difference."""
    found = state(machine)
    assert isinstance(found["rules"], list)
    return {**found, "rules": sorted(found["rules"])}


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_it_becomes_is_what_a_start_would_make(
    machine: Namespace, first: Request, second: Request
) -> None:
    before = state(machine)
    installed, failures = install(first).change(second)
    assert failures == ()
    with router(*ADDRESSES, *ADDRESSES_6) as other:
        assert install(second).warnings == installed.warnings
        assert _sorted(machine) == _sorted(other)
    assert installed.undo() == ()
    assert state(machine) == before


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_new_is_there_before_the_old_goes_and_what_stays_is_not_touched(
    machine: Namespace, first: Request, second: Request
) -> None:
    installed = install(first)
    with _listening() as heard:
        revised, _ = installed.change(second)
        events = _events(heard)
    assert events == sorted(events)  # nothing is made after something was taken back
    wanted = difference(list(dict(installed.done)), list(dict(revised.done)))
    assert events.count(_NEW) == _count(wanted.made)
    assert events.count(_GONE) == _count(wanted.gone) - _count(wanted.exchanged)


def _count(changes: Iterable[Change]) -> int:
    """How many rules and routes of ours these are."""
    number = {Rule: 1, Route: 1, WaylessRoute: 1, SharingFirst: 2}
    return sum(number.get(type(change), 0) for change in changes)


_NEW, _GONE = range(2)
_RTM = {24: _NEW, 25: _GONE, 32: _NEW, 33: _GONE}  # RTM_NEWROUTE, DELROUTE, NEWRULE, DELRULE
_ROUTES = (24, 25)
_RULE_OF_OURS = struct.pack("=HHB", 5, 21, PROTOCOL)  # FRA_PROTOCOL
_GROUPS = (7, 8, 11, 19)  # RTNLGRP_IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_RULE


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """A socket that hears of each change to rules and routes of the namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as heard:
        heard.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
        heard.setblocking(False)
        yield heard


def _events(heard: socket.socket) -> list[int]:
    """What became of our rules and routes, in order."""
    found = []
    with suppress(BlockingIOError):
        while True:
            message = heard.recv(65536)
            kind, protocol = int.from_bytes(message[4:6], sys.byteorder), message[21]
            # The kernel has routes of its own for addresses, and a rule that moves.
            if protocol == PROTOCOL if kind in _ROUTES else _RULE_OF_OURS in message:
                found.append(_RTM[kind])
    return found


def test_a_route_in_the_place_of_another_replaces_it_at_once(machine: Namespace) -> None:
    """As when the LAN's own address has become another."""
    installed = install(PLAIN)
    with machine.netlink() as netlink:
        lan = index(netlink, "lan0")
        netlink.addr("add", index=lan, address="192.0.2.200", prefixlen=25)
        netlink.addr("del", index=lan, address="192.0.2.129", prefixlen=25)
        netlink.addr("add", index=lan, address="192.0.2.200", prefixlen=25)
    with _listening() as heard:
        revised, _ = installed.change(PLAIN)
        assert _events(heard) == [_NEW]
    way = [one for one, _ in revised.done if isinstance(one, Route) and one.source]
    assert [one.source for one in way] == ["192.0.2.200"]
    assert revised.undo() == ()


@pytest.mark.parametrize("request_", [PLAIN, MORE, SHARING])
def test_an_error_leaves_all_as_it_was(machine: Namespace, request_: Request) -> None:
    """Here somebody else has a route to the address that is wanted, at almost the last step."""
    with machine.netlink() as netlink:
        netlink.route("add", dst="203.0.113.77/32", oif=index(netlink, "wan0"))
    installed = install(request_)
    before = state(machine)
    taken = replace(DUAL, external=(*DUAL.external, IPv4Address("203.0.113.77")))
    with pytest.raises(RoutingError, match=r"cannot do `ip route add 203.0.113.77/32 dev nat0"):
        installed.change(taken)
    assert _sorted(machine) == {**before, "rules": sorted(before["rules"])}  # type: ignore[call-overload]
    assert installed.undo() == ()


def test_what_the_kernel_forgot_with_the_wan_is_done_again(machine: Namespace) -> None:
    machine.sysctl("net.ipv6.conf.wan0.keep_addr_on_down", 1)
    before = state(machine)["proxies"]
    installed = install(DUAL)
    there = state(machine)["proxies"]
    with machine.netlink() as netlink:
        for up in ("down", "up"):
            netlink.link("set", index=index(netlink, "wan0"), state=up)
    assert state(machine)["proxies"] == before
    machine.sysctl("net.ipv6.conf.wan0.proxy_ndp", 0)
    installed, failures = installed.change(DUAL)
    assert failures == ()
    assert state(machine)["proxies"] == there
    assert machine.sysctl("net.ipv6.conf.wan0.proxy_ndp", 1) == "1"
    installed.undo()
    assert state(machine)["proxies"] == before
    assert machine.sysctl("net.ipv6.conf.wan0.proxy_ndp", 0) == "0"


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_a_killed_run_left_of_its_last_state_is_repaired(
    machine: Namespace, first: Request, second: Request
) -> None:
    for path in ("ipv4.ip_forward", "ipv6.conf.all.forwarding", "ipv6.conf.wan0.proxy_ndp"):
        machine.sysctl(f"net.{path}", 1)
    machine.sysctl("net.ipv4.icmp_errors_use_inbound_ifaddr", 1)
    before = state(machine)
    install(first).change(second)
    renew_link(machine, "nat0")
    assert repair()
    assert state(machine) == before


def test_what_is_left_to_others_is_not_made_again_beside_what_is_new(machine: Namespace) -> None:
    installed = install(PLAIN)
    changes = [change for change, _ in installed.done]
    left = next(one for one in changes if isinstance(one, Rule))
    new = WaylessRoute("throw", "192.0.2.0/25", 1000)
    with machine.netlink() as netlink:
        for but in ((left,), ()):
            left.undo(netlink, None)
            done, failures = revise(netlink, installed.done, [*changes, new], but)
            assert (failures, done[-1][0]) == ((), new)
            assert left.in_force(KernelState(netlink)) is not bool(but)
            new.undo(netlink, None)


def test_what_a_look_has_missed_is_no_failure(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may leave out of its answer what is there, while others change the rest."""
    rule = Rule(21000, "lan0", table=1000)
    seen = rule.in_force
    looks = iter((lambda _: False, seen))
    with machine.netlink() as netlink:
        rule.apply(netlink)
        monkeypatch.setattr(Rule, "in_force", lambda _, kernel: next(looks)(kernel))
        assert renew(netlink, ((rule, None),)) == ((), {})


def test_the_device_stays_the_same(machine: Namespace) -> None:
    installed = install(PLAIN)
    with pytest.raises(RoutingError, match="--device nat1: is nat0 as long as this NAT runs"):
        installed.change(replace(PLAIN, device="nat1"))


def test_to_begin_to_share_takes_priorities_of_its_own(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.rule("add", priority=priority(SharingKind.SHARED, 0), table=77)
    installed = install(PLAIN)
    with pytest.raises(RoutingError, match="--share-address: no rule priorities are free"):
        installed.change(SHARING)
