"""The runs of ratsnake on this host: which number each has, which live, what a dead one left.

Run number n has the routing table `table(n)` and, of every kind of rule, the one of priority
`priority(kind, n)`.  So all rules of a kind, whichever run's, come before those of the next kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from .changes import PROTOCOL

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_IPV4 = 2  # AF_INET
_NUMBERS = range(1000)
_FIRST_TABLE = 1000
#: After what other software usually puts first, before the main table's rule (32766).
_FIRST_PRIORITY = 20000


class Kind(IntEnum):
    """The kinds of rule, in the order in which the kernel tries them."""

    FROM_DEVICE = 0
    EXTERNAL_FORGED = 1
    ERROR_OUTBOUND = 2
    FROM_LAN = 3
    ERROR_INBOUND = 4
    HOST = 5
    INTERNAL_FORGED = 6
    END = 7


def table(number: int) -> int:
    """The routing table of a run."""
    return _FIRST_TABLE + number


def priority(kind: Kind, number: int) -> int:
    """The priority of a run's rules of that kind."""
    return _FIRST_PRIORITY + len(_NUMBERS) * kind + number


def free_number(netlink: IPRoute) -> int | None:
    """The first number whose table and priorities nobody uses, or None."""
    rules = list(netlink.get_rules(family=_IPV4))
    tables = {rule.get_attr("FRA_TABLE") for rule in rules}
    tables |= {route.get_attr("RTA_TABLE") for route in netlink.get_routes(family=_IPV4)}
    priorities = {rule.get_attr("FRA_PRIORITY") for rule in rules}
    for number in _NUMBERS:
        if table(number) not in tables and priorities.isdisjoint(
            priority(kind, number) for kind in Kind
        ):
            return number
    return None


def others_live(netlink: IPRoute, number: int) -> bool:
    """Whether any run but this one has its routing in force."""
    return bool(_live(netlink, _rules(netlink)) - {number})


def remove_leftovers(netlink: IPRoute, lan: str, external: IPv4Address) -> None:
    """Remove what a run for this LAN or external address left behind when it was killed.

    The kernel removed its device and the routes through it; the rules and the other routes stayed.
    Those for another LAN stay: they keep its packets from leaving untranslated.
    """
    rules = _rules(netlink)
    live = _live(netlink, rules)
    for number, own in rules.items():
        if number not in live and _concerns(number, own, lan, external):
            for rule in own:
                netlink.rule("del", **_arguments(rule))
            netlink.flush_routes(table=table(number), family=_IPV4)


def _rules(netlink: IPRoute) -> dict[int, list[Any]]:
    """Our rules, by the run's number."""
    found: dict[int, list[Any]] = {}
    for rule in netlink.get_rules(family=_IPV4):
        if rule.get_attr("FRA_PROTOCOL") == PROTOCOL:
            number = (rule.get_attr("FRA_PRIORITY") - _FIRST_PRIORITY) % len(_NUMBERS)
            found.setdefault(number, []).append(rule)
    return found


def _live(netlink: IPRoute, numbers: Iterable[int]) -> set[int]:
    """Those of the runs whose table leads to a device."""
    through_devices = {
        route.get_attr("RTA_TABLE")
        for route in netlink.get_routes(family=_IPV4)
        if route.get_attr("RTA_OIF")
    }
    return {number for number in numbers if table(number) in through_devices}


def _concerns(number: int, rules: Iterable[Any], lan: str, external: IPv4Address) -> bool:
    wanted = {
        (priority(Kind.FROM_LAN, number), "FRA_IIFNAME", lan),
        (priority(Kind.EXTERNAL_FORGED, number), "FRA_SRC", str(external)),
    }
    return any(
        rule.get_attr("FRA_PRIORITY") == at and rule.get_attr(attribute) == value
        for rule in rules
        for at, attribute, value in wanted
    )


def _arguments(rule: Any) -> dict[str, Any]:
    """What names a rule to the kernel: its priority, and among those of one kind its source."""
    arguments = {"priority": rule.get_attr("FRA_PRIORITY"), "protocol": PROTOCOL}
    if source := rule.get_attr("FRA_SRC"):
        arguments |= {"src": source, "src_len": rule["src_len"]}
    return arguments
