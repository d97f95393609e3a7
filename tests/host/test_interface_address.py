"""Which address of an interface is meant, and hearing that it has become another."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from machines import add_link, index, router

from ratsnake.host.kernel.interface_address import Found, InterfaceAddress, look
from ratsnake.host.notifications.address_watch import AddressWatch
from ratsnake.lab.namespace import Namespace

WAN, WAN_6 = InterfaceAddress("wan0"), InterfaceAddress("wan0", 6)
_LINK = 253
_NO_DAD, _DEPRECATED_NOW = 0x02, {"preferred_lft": 0, "valid_lft": 1000}


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(("lan0", "192.0.2.129/25"), ("wan0", "")) as namespace:
        yield namespace


def _address(
    machine: Namespace, command: str, text: str, interface: str = "wan0", **more: Any
) -> None:
    address, _, length = text.partition("/")
    with machine.netlink() as netlink:
        netlink.addr(
            command,
            index=index(netlink, interface),
            address=address,
            prefixlen=int(length or 24),
            **more,
        )


def _usable(wanted: InterfaceAddress) -> list[str]:
    return [str(address) for address in look([wanted])[wanted].usable]


def test_it_is_called_as_in_the_configuration() -> None:
    assert (str(WAN), str(WAN_6)) == ("interface:wan0", "interface:wan0/ipv6")


def test_the_primary_address_of_each_subnet(machine: Namespace) -> None:
    for text in ("198.51.100.7/24", "198.51.100.8/24", "203.0.113.9/24"):
        _address(machine, "add", text)
    assert _usable(WAN) == ["198.51.100.7", "203.0.113.9"]


def test_the_near_end_of_a_point_to_point_link(machine: Namespace) -> None:
    """As PPP has it: the other end's address is told with it."""
    with machine.netlink() as netlink:
        netlink.addr(
            "add",
            index=index(netlink, "wan0"),
            local="198.51.100.7",
            address="203.0.113.254",
            prefixlen=32,
        )
    assert _usable(WAN) == ["198.51.100.7"]


def test_an_ipv6_address_that_is_neither_temporary_nor_tentative(machine: Namespace) -> None:
    _address(machine, "add", "fd00::7/64", flags=_NO_DAD)
    _address(machine, "add", "2001:db8:2::7/64", flags=_NO_DAD)
    assert _usable(WAN_6) == ["2001:db8:2::7", "fd00::7"]
    assert _usable(WAN) == []
    machine.sysctl("net.ipv6.conf.wan0.accept_dad", 1)
    with machine.netlink() as netlink:  # so that nobody can say that it is free
        netlink.link("set", index=index(netlink, "wan0-peer"), state="down")
    _address(machine, "add", "2001:db8:2::8/64")
    assert "2001:db8:2::8" not in _usable(WAN_6)


@pytest.mark.parametrize(
    ("wanted", "addresses", "problem"),
    [
        (
            InterfaceAddress("ppp0"),
            [],
            "there is no interface ppp0 (there are lan0, lan0-peer, lo, wan0, wan0-peer)",
        ),
        (WAN, [], "wan0 has no IPv4 address"),
        (
            WAN,
            [("169.254.1.1/16", {"scope": _LINK}), ("198.51.100.7/24", _DEPRECATED_NOW)],
            "wan0 has no IPv4 address to use, only 169.254.1.1 (link scope),"
            " 198.51.100.7 (deprecated)",
        ),
    ],
)
def test_what_there_is_where_none_can_be_meant(
    machine: Namespace,
    wanted: InterfaceAddress,
    addresses: list[tuple[str, dict[str, Any]]],
    problem: str,
) -> None:
    for text, more in addresses:
        _address(machine, "add", text, **more)
    found = look([wanted])[wanted]
    assert (found.usable, found.problem) == ((), problem)


A, B = IPv4Address("198.51.100.7"), IPv4Address("203.0.113.9")


@pytest.mark.parametrize(
    ("usable", "current", "chosen"),
    [
        ((A, B), None, A),
        ((A, B), B, B),  # a DHCP client may add the new one before it removes the old one
        ((A,), B, A),
        ((), B, None),
    ],
)
def test_the_current_address_as_long_as_it_is_there(
    usable: tuple[IPv4Address, ...], current: IPv4Address | None, chosen: IPv4Address | None
) -> None:
    assert Found(1, usable).choose(current) == chosen


@pytest.fixture
def watch(machine: Namespace) -> Iterator[AddressWatch]:
    made = AddressWatch([WAN])
    yield made
    made.close()


def _readable(watch: AddressWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def test_an_address_that_comes_or_goes_is_heard_of(machine: Namespace, watch: AddressWatch) -> None:
    """The kernel has told before the change returns."""
    assert not _readable(watch) and not watch.heard()
    for command in ("add", "del"):
        _address(machine, command, "198.51.100.7/24")
        assert _readable(watch)
        assert watch.heard() and not watch.heard()


def test_other_interfaces_and_families_are_not(machine: Namespace, watch: AddressWatch) -> None:
    _address(machine, "add", "198.51.100.7/24", "lan0")
    _address(machine, "add", "2001:db8:2::7/64", flags=_NO_DAD)
    assert _readable(watch) and not watch.heard()


def test_an_interface_that_has_gone_is_known_by_its_index(
    machine: Namespace, watch: AddressWatch
) -> None:
    _address(machine, "add", "198.51.100.7/24")
    watch.note(look([WAN]))
    watch.heard()
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "wan0"))
    assert watch.heard()
    with machine.netlink() as netlink:
        add_link(netlink, "wan0")
    _address(machine, "add", "198.51.100.7/24")
    assert watch.heard()


def test_deprecation_is_heard_of(machine: Namespace, watch: AddressWatch) -> None:
    _address(machine, "add", "198.51.100.7/24")
    watch.heard()
    _address(machine, "replace", "198.51.100.7/24", **_DEPRECATED_NOW)
    assert watch.heard()


def test_the_end_of_an_ipv6_addresss_probation_is_heard_of(machine: Namespace) -> None:
    machine.sysctl("net.ipv6.conf.wan0.accept_dad", 1)
    watch = AddressWatch([WAN_6])
    _address(machine, "add", "2001:db8:2::7/64")
    while not _usable(WAN_6):
        assert select.select([watch], [], [], 10)[0]
        watch.heard()
    assert _usable(WAN_6) == ["2001:db8:2::7"]
    watch.close()


def test_lost_notifications_are_a_reason_to_look(machine: Namespace, watch: AddressWatch) -> None:
    kept = watch._socket
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(20):
        for command in ("add", "del"):
            _address(machine, command, "198.51.100.7/24", "lan0")
    assert watch.heard() and not watch.heard()
