"""host/installation/kernel_refusals.py: what the kernel's refusals mean, and that none is told as a
number."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from machines import ADDRESSES, index, router
from pyroute2 import NetlinkError

from ratsnake.host.installation.kernel_refusals import in_words
from ratsnake.host.installation.plan_update import revise
from ratsnake.host.routing.routing_changes import Address, Change, Route, Rule
from ratsnake.host.routing.routing_request import RoutingError
from ratsnake.host.routing.sysctl_changes import Setting
from ratsnake.lab.namespace import Namespace

ROUTE, RULE = Route("203.0.113.1/32", "nat0"), Rule(20000, "nat0", table=1000)
ADDRESS, SETTING = Address("192.0.0.8", "nat0"), Setting("net/ipv4/ip_forward", "1")


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES) as namespace:
        yield namespace


@pytest.mark.parametrize(
    ("change", "number", "words"),
    [
        (ROUTE, errno.EEXIST, "another route to 203.0.113.1/32 is there already; see whose"),
        (RULE, errno.EEXIST, "such a rule is there already; see whose it is (ip rule show pref 20"),
        (ADDRESS, errno.EEXIST, "nat0 has the address already; remove it"),
        (RULE, errno.EPERM, "is not permitted; run as root, or with CAP_NET_ADMIN"),
        (SETTING, errno.EROFS, "/proc/sys is read-only here"),
        (RULE, errno.EAFNOSUPPORT, "this kernel cannot do that"),
        (ROUTE, errno.ENETDOWN, "the interface is down; bring it up"),
        (ROUTE, errno.EXDEV, "the kernel refuses it: Invalid cross-device link (EXDEV)"),
    ],
)
def test_a_refusal_says_what_is_in_the_way(change: Change, number: int, words: str) -> None:
    for error in (NetlinkError(number, "whatever"), OSError(number, "whatever")):
        assert in_words(change, error).startswith(words)


def test_what_somebody_else_has_is_told_with_the_command_that_shows_it(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.route("add", dst="203.0.113.1/32", oif=index(netlink, "wan0"))
        with pytest.raises(RoutingError) as failure:
            revise(netlink, (), (ROUTE,))
    assert str(failure.value) == (
        "cannot do `ip route add 203.0.113.1/32 dev nat0 scope link proto 82`: another route to"
        " 203.0.113.1/32 is there already; see whose it is (ip route show table 254 203.0.113.1/32)"
        " and remove it, or give this run another address"
    )
