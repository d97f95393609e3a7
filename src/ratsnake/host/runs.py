"""The runs of ratsnake on this host: which number each has, which live, what a dead one left.

Run number n has the routing table `table(n)` and, of every kind of rule, the one of priority
`priority(kind, n)`, the same for both families.  So all rules of a kind, whichever run's, come
before those of the next kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from .changes import PROTOCOL
from .family import AnyNetwork, known

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_UNICAST = 1  # RTN_UNICAST: in IPv6 the others lead to a device as well, lo
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
    """The first number whose table and priorities nobody uses in any family, or None."""
    rules, routes = _all_rules(netlink), _all_routes(netlink)
    tables = {rule.get_attr("FRA_TABLE") for rule in rules}
    tables |= {route.get_attr("RTA_TABLE") for route in routes}
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


def remove_leftovers(netlink: IPRoute, lan: str, external: Iterable[AnyNetwork]) -> None:
    """Remove what a run for this LAN or an external address left behind when it was killed.

    The kernel removed its device and the routes through it; the rules and the other routes stayed.
    Those for another LAN stay: they keep its packets from leaving untranslated.
    """
    rules = _rules(netlink)
    live = _live(netlink, rules)
    networks = tuple(external)
    for number, own in rules.items():
        if number not in live and any(_concerns(number, rule, lan, networks) for rule in own):
            for rule in own:
                netlink.rule("del", **_arguments(rule))
            for family in known():
                netlink.flush_routes(table=table(number), family=family.number)


def _rules(netlink: IPRoute) -> dict[int, list[Any]]:
    """Our rules, by the run's number."""
    found: dict[int, list[Any]] = {}
    for rule in _all_rules(netlink):
        if rule.get_attr("FRA_PROTOCOL") == PROTOCOL:
            number = (rule.get_attr("FRA_PRIORITY") - _FIRST_PRIORITY) % len(_NUMBERS)
            found.setdefault(number, []).append(rule)
    return found


def _live(netlink: IPRoute, numbers: Iterable[int]) -> set[int]:
    """Those of the runs whose table leads to a device."""
    through_devices = {
        route.get_attr("RTA_TABLE")
        for route in _all_routes(netlink)
        if route["type"] == _UNICAST and route.get_attr("RTA_OIF")
    }
    return {number for number in numbers if table(number) in through_devices}


def _concerns(number: int, rule: Any, lan: str, external: Iterable[AnyNetwork]) -> bool:
    """Whether the rule takes packets from this LAN, or from one of the external addresses."""
    at = rule.get_attr("FRA_PRIORITY")
    if at == priority(Kind.FROM_LAN, number):
        return bool(rule.get_attr("FRA_IIFNAME") == lan)
    if at != priority(Kind.EXTERNAL_FORGED, number):
        return False
    source = ip_network(f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}")
    return any(
        network.version == source.version and network.overlaps(source) for network in external
    )


def _arguments(rule: Any) -> dict[str, Any]:
    """What names a rule to the kernel: its priority, and among those of one kind its prefixes."""
    arguments = {
        "family": rule["family"],
        "priority": rule.get_attr("FRA_PRIORITY"),
        "protocol": PROTOCOL,
    }
    for key, attribute in (("src", "FRA_SRC"), ("dst", "FRA_DST")):
        if prefix := rule.get_attr(attribute):
            arguments |= {key: prefix, f"{key}_len": rule[f"{key}_len"]}
    return arguments


def _all_rules(netlink: IPRoute) -> list[Any]:
    return [rule for family in known() for rule in netlink.get_rules(family=family.number)]


def _all_routes(netlink: IPRoute) -> list[Any]:
    return [route for family in known() for route in netlink.get_routes(family=family.number)]
