"""A router may have a million routes: what is looked up takes no longer for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from host.machines import ADDRESSES, ADDRESSES_6, index, router
from ratsnake.host.installation.change_plan import plan_of
from ratsnake.host.installation.install_changes import install
from ratsnake.host.installation.leftovers import left_by_all
from ratsnake.host.installation.preflight_checks import warnings
from ratsnake.host.kernel.default_routes import ways_out
from ratsnake.host.kernel.ip_family import known
from ratsnake.host.kernel.route_dump import routes_of
from ratsnake.host.routing.proxy_neighbours import links_of
from ratsnake.host.routing.routing_request import Request
from ratsnake.host.routing.running_instances import free_number, live, number_of
from ratsnake.lab.namespace import Namespace

_LEARNT = 600
_MOST = 150  # of our own and of interfaces, each told some times
REQUEST = Request(
    "nat0",
    ("lan0",),
    (IPv4Address("198.51.100.200"),),
    (IPv4Network("192.0.2.128/25"),),
    wan="wan0",
)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        learnt = [
            (f"20.{number >> 8}.{number & 255}.0/24", f"2001:db8:a:{number:x}::/64")
            for number in range(_LEARNT)
        ]
        for version, gateway, at in (("-4", "198.51.100.129", 0), ("-6", "2001:db8:2::1", 1)):
            lines = [f"route add {one[at]} via {gateway} dev wan0 proto bgp" for one in learnt]
            lines.append(f"route add default via {gateway} dev wan0")
            command = ["ip", version, "-batch", "-"]
            subprocess.run(command, input="\n".join(lines), text=True, check=True)
        yield namespace


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Gets an entry for each route that the kernel tells."""
    found: list[None] = []
    decode = rtmsg.decode

    def counted(message: Any) -> None:
        found.append(None)
        decode(message)

    monkeypatch.setattr(rtmsg, "decode", counted)
    return found


def test_no_look_at_the_kernel_reads_all_of_them(machine: Namespace, told: list[None]) -> None:
    installed = install(REQUEST)
    with IPRoute(strict_check=True) as netlink:
        assert len(routes_of(netlink, protocol=186, families=known()[:1])) == _LEARNT
        assert len(told) == _LEARNT  # so they are counted
        told.clear()
        assert live(netlink, [0, 1]) == {0}
        assert number_of(netlink, "nat0") == 0 and number_of(netlink, "lan0") is None
        assert free_number(netlink, sharing=True) == 1
        assert left_by_all(netlink).all() == ()
        assert links_of(netlink, IPv4Address("198.51.100.200")) == {index(netlink, "wan0")}
        assert ways_out(netlink, known()) == {"wan0"}
        warnings(netlink, REQUEST)
        steps = plan_of(netlink, REQUEST, installed.number).steps
        assert {step.change for step in steps} == {change for change, _ in installed.done}
    assert len(told) < _MOST


@pytest.mark.parametrize("version", ["-4", "-6"])
def test_others_routes_in_a_table_take_its_number(machine: Namespace, version: str) -> None:
    subprocess.run(
        ["ip", version, "route", "add", "unreachable", "default", "table", "1000"], check=True
    )
    with IPRoute(strict_check=True) as netlink:
        assert free_number(netlink) == 1
        assert routes_of(netlink, table=1001) == []  # which does not exist
