"""The runs of ratsnake on this host: which number each has, and which live.

Run number n has the routing table `table(n)` and, of every kind of rule, the one of priority
`priority(kind, n)`, the same for both families.  So all rules of a kind, whichever run's, come
before those of the next kind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ..kernel.interfaces import link_index
from ..kernel.ip_family import AnyNetwork, known
from ..kernel.route_dump import PROTOCOL, routes_of

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_UNICAST = 1  # RTN_UNICAST: in IPv6 the others lead to a device as well, lo
_NUMBERS = range(1000)
_FIRST_TABLE = 1000
#: After what other software usually puts first, before the main table's rule (32766).
_FIRST_PRIORITY = 20000
#: Before everybody's but that of the local table, which moves behind them: few, to be out of the
#: way of other software.
_SHARING_NUMBERS = range(10)
#: Where the rules of all runs begin that share an address (`local_table`); theirs follow.
SHARING_START = 1
_FIRST_SHARING_PRIORITY = SHARING_START + 1


class Kind(IntEnum):
    """The kinds of rule, in the order in which the kernel tries them."""

    FROM_DEVICE = 0
    WAY_BACK = 1
    EXTERNAL_FORGED = 2
    ERROR_OUTBOUND = 3
    FROM_LAN = 4
    ERROR_INBOUND = 5
    HOST = 6
    INTERNAL_FORGED = 7
    END = 8


class SharingKind(IntEnum):
    """Those of a run that shares an address with the host, all before those above.

    SHARED and NEXT of a run come together, before those of the next: what one run gives back goes
    on to the others that share the address, and from the last to the host.
    """

    FROM_DEVICE = 0
    FROM_ROUTER = 1
    HOST = 2
    FROM_LAN = 3
    INTERNAL_FORGED = 4
    SHARED = 5
    NEXT = 6
    LOCAL = 7
    LOCAL_AGAIN = 8


_PAIRED = (SharingKind.SHARED, SharingKind.NEXT)
_FIRST_PAIRED = _FIRST_SHARING_PRIORITY + len(_SHARING_NUMBERS) * SharingKind.SHARED


def table(number: int) -> int:
    """The routing table of a run."""
    return _FIRST_TABLE + number


def shared_table(number: int) -> int:
    """The table of a run that shares an address: the way to it, which goes with the device."""
    return _FIRST_TABLE + len(_NUMBERS) + number


def priority(kind: Kind | SharingKind, number: int) -> int:
    """The priority of a run's rules of that kind."""
    if isinstance(kind, SharingKind) and kind in _PAIRED:
        return _FIRST_PAIRED + len(_PAIRED) * number + _PAIRED.index(kind)
    if isinstance(kind, SharingKind):
        return _FIRST_SHARING_PRIORITY + len(_SHARING_NUMBERS) * kind + number
    return _FIRST_PRIORITY + len(_NUMBERS) * kind + number


def free_number(netlink: IPRoute, sharing: bool = False, freed: Collection[int] = ()) -> int | None:
    """The first number whose table and priorities nobody uses in any family, or None.

    A run that shares an address needs more of them.  `freed` are those that will be free.
    """
    tables, priorities = _of_rules(netlink)
    kinds: tuple[Kind | SharingKind, ...] = (*Kind, *(SharingKind if sharing else ()))
    for number in _SHARING_NUMBERS if sharing else _NUMBERS:
        needed = (table(number), *((shared_table(number),) if sharing else ()))
        if number in freed or (
            tables.isdisjoint(needed)
            and priorities.isdisjoint(priority(kind, number) for kind in kinds)
            and not any(routes_of(netlink, table=one) for one in needed)
        ):
            return number
    return None


def none_is_free(netlink: IPRoute, sharing: bool) -> str:
    """Why there is no `free_number`, and what to do."""
    numbers = _SHARING_NUMBERS if sharing else _NUMBERS
    rules = own_rules(netlink)
    alive = live(netlink, rules)
    runs = len(alive & set(numbers))
    dead = len((rules.keys() - alive) & set(numbers))
    first = priority(SharingKind.FROM_DEVICE if sharing else Kind.FROM_DEVICE, numbers[0])
    kind = "run that shares an address" if sharing else "run"
    return (
        f"there is no room for one more {kind}: of {len(numbers)} places {runs} are taken by runs"
        f" that live, {dead} by what killed ones left, {len(numbers) - runs - dead} by other"
        f" programs' rules or routes; stop a run, or remove what is left (ratsnake host repair), or"
        f" see whose rules have the priorities from {first} on (ip rule) and whose routes the"
        f" tables from {table(numbers[0])} on (ip route show table all)"
    )


def may_begin_to_share(netlink: IPRoute, number: int) -> bool:
    """Whether a live run that shares no address yet can have what that needs besides."""
    tables, priorities = _of_rules(netlink)
    return (
        number in _SHARING_NUMBERS
        and shared_table(number) not in tables
        and priorities.isdisjoint(priority(kind, number) for kind in SharingKind)
        and not routes_of(netlink, table=shared_table(number))
    )


def _of_rules(netlink: IPRoute) -> tuple[set[Any], set[Any]]:
    """The tables that anybody's rules look into, and their priorities."""
    rules = all_rules(netlink)
    tables = {rule.get_attr("FRA_TABLE") for rule in rules}
    return tables, {rule.get_attr("FRA_PRIORITY") for rule in rules}


def others_live(netlink: IPRoute, number: int) -> bool:
    """Whether any run but this one has its routing in force."""
    return bool(live(netlink, own_rules(netlink)) - {number})


def others_share(netlink: IPRoute, number: int) -> bool:
    """Whether any live run but this one shares an address with the host."""
    rules = own_rules(netlink)
    return any(shares(other, rules[other]) for other in live(netlink, rules) if other != number)


def shares(number: int, rules: Iterable[Any]) -> bool:
    """Whether the run with these rules shares an address with the host."""
    own = priority(SharingKind.LOCAL, number)
    return any(rule.get_attr("FRA_PRIORITY") == own for rule in rules)


def own_rules(netlink: IPRoute) -> dict[int, list[Any]]:
    """Our rules, by the run's number; without those that several runs have together."""
    found: dict[int, list[Any]] = {}
    for rule in all_rules(netlink):
        at = rule.get_attr("FRA_PRIORITY") or 0
        if rule.get_attr("FRA_PROTOCOL") == PROTOCOL and at > SHARING_START:
            found.setdefault(_number(at), []).append(rule)
    return found


def live(netlink: IPRoute, numbers: Iterable[int]) -> set[int]:
    """Those of the runs whose table leads to a device."""
    return {number for number in numbers if _ways(netlink, number)}


def number_of(netlink: IPRoute, device: str) -> int | None:
    """The number of the live run with this device, or None."""
    index = link_index(netlink, device)
    return next(
        (
            route.get_attr("RTA_TABLE") - _FIRST_TABLE
            for route in (routes_of(netlink, protocol=PROTOCOL) if index is not None else ())
            if route.get_attr("RTA_OIF") == index
            and route.get_attr("RTA_TABLE") - _FIRST_TABLE in _NUMBERS
        ),
        None,
    )


def externals_of(number: int, rules: Iterable[Any]) -> tuple[AnyNetwork, ...]:
    """The external prefixes of the run with these rules, those it shares with the host too."""
    sources = (priority(Kind.EXTERNAL_FORGED, number),)
    destinations = (priority(SharingKind.SHARED, number),)
    found = []
    for rule in rules:
        at = rule.get_attr("FRA_PRIORITY")
        if at in sources:
            found.append(ip_network(f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}"))
        elif at in destinations:
            found.append(ip_network(f"{rule.get_attr('FRA_DST')}/{rule['dst_len']}"))
    return tuple(found)


def all_rules(netlink: IPRoute) -> list[Any]:
    return [rule for family in known() for rule in netlink.get_rules(family=family.number)]


def _ways(netlink: IPRoute, number: int) -> list[int]:
    """The indices of the devices that the run's table leads to."""
    return [
        route.get_attr("RTA_OIF")
        for route in routes_of(netlink, table=table(number))
        if route["type"] == _UNICAST and route.get_attr("RTA_OIF")
    ]


def _number(priority: int) -> int:
    if 0 <= priority - _FIRST_PAIRED < len(_PAIRED) * len(_SHARING_NUMBERS):
        return (priority - _FIRST_PAIRED) // len(_PAIRED)
    if priority < _FIRST_PRIORITY:
        return (priority - _FIRST_SHARING_PRIORITY) % len(_SHARING_NUMBERS)
    return (priority - _FIRST_PRIORITY) % len(_NUMBERS)
