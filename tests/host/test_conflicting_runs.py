"""host/installation/conflicting_runs.py: a second run that cannot work says which other run is in
its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from machines import ADDRESSES, ADDRESSES_6, router, state

from ratsnake.host.installation.install_changes import install
from ratsnake.host.routing.routing_request import Request, RoutingError, Shared
from ratsnake.lab.namespace import Namespace

FIRST = Request("nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("192.0.2.128/25"),))
SECOND = replace(FIRST, device="nat1", lans=("lan1",), external=(IPv4Address("203.0.113.2"),))
OWN = IPv4Address("198.51.100.254")


def sharing(request: Request, first: int, last: int) -> Request:
    return replace(request, external=(OWN,), shared=(Shared(OWN, ((17, ((first, last),)),)),))


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6, ("lan1", "192.0.3.1/24"), ("nat1", "")) as namespace:
        yield namespace


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            FIRST,
            replace(SECOND, lans=("lan1", "lan0")),
            "--lan lan0: another ratsnake",
        ),
        (
            FIRST,
            replace(SECOND, external=FIRST.external),
            "203.0.113.1: another ratsnake",
        ),
        (
            sharing(FIRST, 2000, 2999),
            sharing(SECOND, 2999, 3999),
            "--external 198.51.100.254: ports 2000-2999 of it are those of another ratsnake",
        ),
    ],
)
def test_what_another_run_has_is_told_and_nothing_is_changed(
    machine: Namespace, first: Request, second: Request, message: str
) -> None:
    installed = install(first)
    before = state(machine)
    with pytest.raises(RoutingError, match=message):
        install(second)
    assert state(machine) == before
    assert installed.undo() == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, SECOND),
        (sharing(FIRST, 2000, 2999), sharing(SECOND, 3000, 3999)),
        (
            FIRST,
            replace(
                SECOND,
                lans=("lan0",),
                external=(IPv6Address("2001:db8:3::1"),),
                internal=(IPv6Network("2001:db8:1::/64"),),
            ),
        ),
    ],
)
def test_runs_that_differ_where_they_must_work_together(
    machine: Namespace, first: Request, second: Request
) -> None:
    """Also after a change, in which a run is no other to itself."""
    one, other = install(first), install(second)
    other, failures = other.change(second)
    assert failures == ()
    assert other.undo() == one.undo() == ()
