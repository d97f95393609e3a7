"""Rules, routes and warnings where several interfaces are the LAN."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from shutil import which

import pytest
from machines import ADDRESSES, ADDRESSES_6, add_link, index, renew_link, router, state

from ratsnake.host.installation.install_changes import foresee, install
from ratsnake.host.routing.routing_request import Request, Shared, listed
from ratsnake.lab.namespace import Namespace

INTERNAL = (IPv4Network("192.0.2.128/25"), IPv4Network("192.0.3.0/24"))
BOTH = Request("nat0", ("lan0", "lan1"), (IPv4Address("203.0.113.1"),), INTERNAL)
OWN = IPv4Address("198.51.100.254")
SHARING = replace(BOTH, external=(OWN,), shared=(Shared(OWN, ((17, ((5000, 5999),)),)),))
REMOTE = "198.51.100.129"


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6, ("lan1", "192.0.3.1/24")) as namespace:
        yield namespace


def _way(destination: str, packet: str) -> str:
    """The interface the kernel would send the packet to, or what it does with it instead."""
    if which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    command = ["ip", "-json", "route", "get", destination, *packet.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    (route,) = json.loads(done.stdout)
    return str(route["dev"])


@pytest.mark.parametrize(
    ("lan", "source", "other", "others"),
    [
        ("lan0", "192.0.2.130", "lan1", "192.0.3.2"),
        ("lan1", "192.0.3.2", "lan0", "192.0.2.130"),
    ],
)
def test_the_nat_has_the_packets_of_each_lan_but_not_those_between_them(
    machine: Namespace, lan: str, source: str, other: str, others: str
) -> None:
    assert install(BOTH).warnings == ()
    packet = f"from {source} iif {lan}"
    assert _way(REMOTE, packet) == "nat0"
    assert _way("203.0.113.1", packet) == "nat0"  # hairpin
    assert _way(others, packet) == other


@pytest.mark.parametrize("request_", [BOTH, SHARING])
def test_inside_addresses_are_true_from_each_lan(machine: Namespace, request_: Request) -> None:
    install(request_)
    external = str(request_.external[0])
    udp = "ipproto udp dport 5000"
    assert _way(external, f"from 192.0.2.130 iif lan0 {udp}") == "nat0"
    assert _way(external, f"from 192.0.3.2 iif lan1 {udp}") == "nat0"
    forged = _way(external, f"from 192.0.3.2 iif wan0 {udp}")
    assert "Invalid argument" in forged  # a blackhole


@pytest.mark.parametrize("request_", [BOTH, SHARING])
def test_what_a_killed_run_left_of_several_lans_is_removed(
    machine: Namespace, request_: Request
) -> None:
    """A start for any of them does it."""
    installed = install(request_)
    renew_link(machine, "nat0")
    left = foresee(replace(BOTH, lans=("lan1",), external=(IPv4Address("203.0.113.77"),))).left
    assert left.numbers == {installed.number}
    before = state(machine)["rules"]
    again = install(request_)
    assert state(machine)["rules"] == before
    assert again.undo() == ()


def test_each_lan_that_is_not_inside_is_warned_of(machine: Namespace) -> None:
    (warning,) = foresee(replace(BOTH, internal=INTERNAL[:1])).plan.warnings
    assert warning.startswith("lan1 has 192.0.3.1, which is in none of the internal prefixes: ")
    both_families = (*INTERNAL, IPv6Network("2001:db8:9::/64"))
    (warning,) = foresee(replace(BOTH, internal=both_families)).plan.warnings
    assert warning.startswith("lan0 has 2001:db8:1::1, which is in none of the internal prefixes: ")


def test_each_lan_that_is_down_is_warned_of(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.link("set", index=index(netlink, "lan1"), state="down")
    assert foresee(BOTH).plan.warnings == ("interface lan1 is down: bring it up first",)


def _without(machine: Namespace, name: str) -> None:
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, name))


@pytest.mark.parametrize("request_", [BOTH, SHARING])
def test_a_lan_that_comes_later_has_its_rules_already(
    machine: Namespace, request_: Request
) -> None:
    """Nothing is to be done when it comes, or comes back."""
    _without(machine, "lan1")
    (warning,) = install(request_).warnings
    assert warning.startswith("--lan lan1: no such interface yet (there are lan0, lan0-peer, ")
    assert warning.endswith("); it is taken in as soon as it comes")
    for _ in range(2):
        with machine.netlink() as netlink:
            add_link(netlink, "lan1")
        assert _way(REMOTE, "from 192.0.3.2 iif lan1") == "nat0"
        _without(machine, "lan1")


def test_no_lan_need_be_there(machine: Namespace) -> None:
    _without(machine, "lan0")
    _without(machine, "lan1")
    installed = install(BOTH)
    assert len(installed.warnings) == 2
    with machine.netlink() as netlink:
        add_link(netlink, "lan0")
    assert _way(REMOTE, "from 192.0.2.130 iif lan0") == "nat0"
    assert installed.undo() == ()


def test_reasons_name_every_lan(machine: Namespace) -> None:
    reasons = {step.reason for step in foresee(BOTH).plan.steps}
    assert "all else that comes in by lan0 or lan1 goes to the NAT" in reasons
    assert "forged: these come in by lan0 or lan1 only" in reasons
    assert listed("abc", "and") == "a, b and c"
