"""host/routing/local_table_rule.py: whatever becomes of the rules, the host looks into its local
table."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from shutil import which
from typing import Any

import pytest
from machines import ADDRESSES, add_link, index, router, state

from ratsnake.host.installation.install_changes import install, repair
from ratsnake.host.routing.routing_request import Request, Shared
from ratsnake.lab.namespace import Namespace

OWN, SECOND = IPv4Address("198.51.100.254"), IPv4Address("198.51.100.253")
PORTS = ((6, ((80, 80), (1024, 9999))), (17, ((7, 9),)))
SHARING = Request(
    "nat0", ("lan0",), (OWN,), (IPv4Network("192.0.2.128/25"),), "wan0", (Shared(OWN, PORTS),)
)
OTHER = replace(SHARING, device="nat1", lans=("lan1",), external=(SECOND,), wan=None)
OTHER = replace(OTHER, shared=(Shared(SECOND, PORTS),))


@pytest.fixture
def machine() -> Iterator[Namespace]:
    if which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    with router(*ADDRESSES) as namespace:
        yield namespace


def _ip(*words: str) -> Any:
    done = subprocess.run(["ip", "-json", *words], check=True, capture_output=True)
    return json.loads(done.stdout) if done.stdout else None


def _rules() -> list[tuple[str, ...]]:
    """How each rule is deleted, in their order."""
    shown = subprocess.run(["ip", "rule"], check=True, capture_output=True, text=True).stdout
    words = [line.replace("[detached]", "").split() for line in shown.splitlines()]
    return [("priority", priority.rstrip(":"), *rest) for priority, *rest in words]


def _reached(packet: str) -> bool:
    """Whether a packet to the host's address is the host's, from outside and from itself."""
    return all(
        _ip("route", "get", str(OWN), *way.split(), *packet.split())[0].get("type") == "local"
        for way in ("from 198.51.100.130 iif wan0", "")
    )


def test_losing_one_rule_never_cuts_off_the_host(machine: Namespace) -> None:
    installed = install(SHARING)
    rules = _rules()
    for lost in (rule for rule in rules if rule[-1] not in ("main", "default")):
        _ip("rule", "del", *lost)
        assert len(_rules()) == len(rules) - 1
        assert _reached("ipproto tcp dport 22"), lost
        installed.undo()
        installed = install(SHARING)


def test_losing_all_rules_does_not_either(machine: Namespace) -> None:
    install(SHARING)
    _ip("rule", "flush")
    assert _reached("ipproto tcp dport 22")
    assert _reached("ipproto tcp dport 80")  # all of it is the host's then


def test_a_flush_of_our_own_rules_only_does_not_either(machine: Namespace) -> None:
    install(SHARING)
    _ip("rule", "flush", "protocol", "82")
    assert _reached("ipproto tcp dport 22")


@pytest.mark.parametrize("first", [SHARING, OTHER])
def test_two_runs_have_the_first_rules_together(machine: Namespace, first: Request) -> None:
    with machine.netlink() as netlink:
        add_link(netlink, "lan1")
        add_link(netlink, "nat1")
        netlink.addr("add", index=index(netlink, "wan0"), address=str(SECOND), prefixlen=25)
    before = state(machine)["rules"]
    second = OTHER if first == SHARING else SHARING
    one = install(first)
    rules = [rule for rule in _rules() if rule[1] in ("0", "1")]
    assert [rule[4] for rule in rules] == ["goto", "lookup", "nop"]
    two = install(second)
    assert [rule for rule in _rules() if rule[1] in ("0", "1")] == rules
    assert one.undo() == ()
    assert [rule for rule in _rules() if rule[1] in ("0", "1")] == rules
    assert two.undo() == ()
    assert state(machine)["rules"] == before


def test_repair_takes_the_first_rules_of_a_killed_run(machine: Namespace) -> None:
    before = state(machine)["rules"]
    install(SHARING)
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "nat0"))
    assert _reached("ipproto tcp dport 80")
    repair()
    assert state(machine)["rules"] == before
