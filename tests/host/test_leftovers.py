"""host/installation/leftovers.py: which runs are dead, and what is said when what they left
stays."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from machines import ADDRESSES, index, renew_link, router, state

from ratsnake.host.installation.install_changes import install, repair
from ratsnake.host.installation.leftovers import RuleRemoval
from ratsnake.host.nftables.source_guard import Guard, GuardRemoval
from ratsnake.host.routing import running_instances
from ratsnake.host.routing.routing_request import Request, RoutingError, Shared
from ratsnake.lab.namespace import Namespace

OWN = IPv4Address("198.51.100.254")
IN_SUBNET = IPv4Address("198.51.100.200")
REQUEST = Request("nat0", ("lan0",), (IN_SUBNET,), (IPv4Network("192.0.2.128/25"),), "wan0")
SHARING = replace(REQUEST, external=(OWN,), shared=(Shared(OWN, ((17, ((2000, 2999),)),)),))


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES) as namespace:
        yield namespace


@pytest.mark.parametrize("request_", [REQUEST, SHARING], ids=["own", "share"])
def test_a_run_whose_device_is_gone_is_no_dead_one_to_itself(
    machine: Namespace, request_: Request
) -> None:
    """All that it has set up stays: rules, proxy entries, tables of nftables."""
    installed = install(request_)
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "nat0"))
    before = state(machine)
    with pytest.raises(RoutingError, match="--device nat0: no such interface"):
        installed.change(request_)
    assert state(machine) == before


def test_what_cannot_be_removed_is_told_in_words(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyroute2 import NetlinkError

    def refuse(number: int) -> None:
        def apply(removal: RuleRemoval, netlink: object) -> None:
            raise NetlinkError(number, "whatever")

        monkeypatch.setattr(RuleRemoval, "apply", apply)

    install(REQUEST)
    renew_link(machine, "nat0")
    refuse(errno.EBUSY)
    with pytest.raises(RoutingError) as failure:
        install(REQUEST)
    told = str(failure.value)
    assert told.startswith("cannot remove what a killed run left (`ip rule del priority ")
    assert told.endswith("`): another program is about to change it; try again")
    refuse(errno.ENOENT)  # somebody else has removed it meanwhile
    repair()


def test_a_guard_that_stays_undoes_nothing_of_what_is_made(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(removal: GuardRemoval, netlink: object) -> None:
        raise OSError(errno.EBUSY, "whatever")

    with machine.netlink() as netlink:
        Guard(7, "wan0", ("192.0.2.128/25",)).apply(netlink)
    before = state(machine)
    monkeypatch.setattr(GuardRemoval, "apply", refuse)
    installed = install(REQUEST)
    told = "cannot remove what a killed run left (`nft delete table inet ratsnake-7`): "
    assert installed.warnings[-1].startswith(told)
    assert installed.change(REQUEST)[1][-1].startswith(told)
    assert installed.undo() == ()
    assert state(machine) == before
    with pytest.raises(RoutingError, match="ratsnake-7"):
        repair()


def test_where_no_number_is_free_it_is_told_who_has_them(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_instances, "_NUMBERS", range(2))
    install(REQUEST)
    with machine.netlink() as netlink:
        netlink.rule("add", priority=20001, table=254)
    second = replace(REQUEST, device="wan0", lans=("nat0",), external=(IPv4Address("203.0.113.9"),))
    with pytest.raises(RoutingError) as failure:
        install(second)
    assert str(failure.value).startswith(
        "there is no room for one more run: of 2 places 1 are taken by runs that live, 0 by what "
        "killed ones left, 1 by other programs' rules or routes; stop a run, or remove what is "
        "left (ratsnake host repair), or see whose rules have the priorities from 20000 on"
    )
