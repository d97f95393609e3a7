"""host/nftables/source_guard.py: what the kernel has is the guard as it is typed, and what somebody
did to it is seen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from shutil import which

import pytest

from host.machines import ADDRESSES, ADDRESSES_6, renew_link, router, state
from ratsnake.host.installation.install_changes import foresee, install, repair
from ratsnake.host.kernel.kernel_state import KernelState
from ratsnake.host.nftables import nft_table
from ratsnake.host.nftables.nft_messages import Flag, Message, attempt, text
from ratsnake.host.nftables.source_guard import Guard, dropped_by, guards
from ratsnake.host.routing.routing_request import Request
from ratsnake.lab.namespace import Namespace

GUARD = Guard(
    3,
    "wan0",
    ("192.0.2.128/25", "10.0.0.0/13", "2001:db8:1::/61", "192.0.2.1/32"),
    ("198.51.100.7/32", "2001:db8:9::/48"),
)
REQUEST = Request(
    "nat0",
    ("lan0",),
    (IPv4Address("203.0.113.1"),),
    (IPv4Network("192.0.2.128/25"),),
    wan="wan0",
    untranslated=(IPv4Network("198.51.100.7/32"),),
)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    if which("nft") is None:
        pytest.skip("nft is not installed (package nftables)")
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        yield namespace


def _nft(command: str) -> str:
    done = subprocess.run(["nft", command], check=True, capture_output=True, text=True)
    return done.stdout


def test_applied_is_as_typed(machine: Namespace) -> None:
    before = state(machine)
    with machine.netlink() as netlink:
        GUARD.apply(netlink)
        applied = _nft("list ruleset")
        assert GUARD.in_force(KernelState(netlink))
        GUARD.undo(netlink, None)
        assert not GUARD.in_force(KernelState(netlink))
        GUARD.undo(netlink, None)  # a second time finds nothing to do
    assert state(machine) == before
    subprocess.run(str(GUARD), shell=True, check=True)
    assert _nft("list ruleset") == applied
    assert guards() == {3}


@pytest.mark.parametrize(
    "command",
    [
        "flush ruleset",
        "delete table inet ratsnake-3",
        "flush table inet ratsnake-3",
        "flush chain inet ratsnake-3 inside",
        "add table inet ratsnake-3 { flags dormant; }",
        "insert rule inet ratsnake-3 inside accept",
        "insert rule inet ratsnake-3 leaving accept",
        "add chain inet ratsnake-3 other; add rule inet ratsnake-3 other accept",
        "flush chain inet ratsnake-3 leaving; add rule inet ratsnake-3 leaving goto inside; "
        "delete chain inet ratsnake-3 leaving; add chain inet ratsnake-3 leaving",
    ],
)
def test_what_somebody_did_to_it_is_seen_and_put_right(machine: Namespace, command: str) -> None:
    with machine.netlink() as netlink:
        GUARD.apply(netlink)
        before = _nft("list ruleset")
        _nft("add table inet others")
        assert GUARD.in_force(KernelState(netlink))
        _nft(command)
        assert not GUARD.in_force(KernelState(netlink))
        GUARD.apply(netlink)
        assert GUARD.in_force(KernelState(netlink))
        _nft("add table inet others; delete table inet others")
        assert _nft("list ruleset") == before


def test_another_guard_goes_on_counting(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        assert dropped_by(3) is None
        GUARD.apply(netlink)
        assert dropped_by(3) == (0, 0)
        _nft("flush chain inet ratsnake-3 inside")
        _nft("add rule inet ratsnake-3 inside counter packets 5 bytes 400 drop")
        other = replace(GUARD, inside=("10.0.0.0/8",), untranslated=())
        other.apply(netlink)
        assert other.in_force(KernelState(netlink))
        assert not GUARD.in_force(KernelState(netlink))
        assert dropped_by(3) == (5, 400)


def test_what_cannot_be_had_is_a_warning_and_no_step(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(parts: object) -> None:
        raise FileNotFoundError(2, "no such expression")

    monkeypatch.setattr(nft_table, "attempt", lacking)
    plan = foresee(REQUEST).plan
    assert not any(isinstance(step.change, Guard) for step in plan.steps)
    (warning,) = plan.warnings
    assert warning.startswith("this kernel refuses the guard of nftables (no such expression): ")


def test_to_try_changes_nothing(machine: Namespace) -> None:
    before = state(machine)
    assert GUARD.lack() is None
    assert state(machine) == before
    with pytest.raises(OSError, match="ENOENT"):
        attempt([(Message.DELTABLE, Flag.NOTHING, text(1, "nobody's"))])


def test_without_wan_there_is_none(machine: Namespace) -> None:
    install(replace(REQUEST, wan=None))
    assert guards() == frozenset()


def test_a_change_of_what_it_says_is_an_exchange(machine: Namespace) -> None:
    before = state(machine)
    installed = install(REQUEST)
    changed, failures = installed.change(replace(REQUEST, untranslated=()))
    assert failures == ()
    assert "198.51.100.7" not in _nft("list ruleset")
    without, failures = changed.change(replace(REQUEST, wan=None))
    assert failures == ()
    assert guards() == frozenset()
    assert without.undo() == ()
    assert state(machine) == before


def test_a_killed_runs_guard_stays_until_the_next_start_or_repair(machine: Namespace) -> None:
    install(REQUEST)
    renew_link(machine, "nat0")
    assert guards() == {0}
    install(Request("wan0", ("nat0",), (IPv4Address("203.0.113.9"),), REQUEST.internal))
    assert guards() == {0}  # of another LAN
    installed = install(replace(REQUEST, wan=None))
    assert guards() == frozenset()
    installed.undo()
    install(REQUEST)
    renew_link(machine, "nat0")
    removed = repair()
    assert any(one.startswith("nft delete table inet ratsnake-") for one in removed)
    assert guards() == frozenset()


def test_one_whose_rules_are_gone_is_removed_too(machine: Namespace) -> None:
    install(REQUEST)
    subprocess.run(["ip", "rule", "flush"], check=True)
    assert repair() == ()  # it lives
    assert guards() == {0}
    renew_link(machine, "nat0")
    assert repair() == ("nft delete table inet ratsnake-0",)
    assert guards() == frozenset()
