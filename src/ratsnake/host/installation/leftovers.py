"""What a run left behind when it was killed, and how it is removed.

The kernel removed its device and the routes through it.  Its rules stayed, the other routes, its
entries for proxy ARP and NDP, the guard at the WAN, and the local table where it had been moved to.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..kernel.ip_family import FAMILIES, AnyNetwork, Family
from ..kernel.route_dump import PROTOCOL, routes_of
from ..nftables.socket_match import SocketMatch, socket_matches
from ..nftables.source_guard import Guard, GuardRemoval, guards
from ..routing.local_table_rule import FirstRule, LocalFirst, has_first_rule, leads_past
from ..routing.proxy_neighbours import ProxyNeighbour, left_over
from ..routing.routing_changes import Change, WaylessRoute, ip_command
from ..routing.routing_request import RoutingError
from ..routing.running_instances import (
    Kind,
    externals_of,
    live,
    own_rules,
    priority,
    shares,
    table,
)
from .kernel_refusals import in_words

if TYPE_CHECKING:
    from pyroute2 import IPRoute


#: The types of route that outlive their device (RTN_…).
_WAYLESS: dict[int, Literal["throw", "unreachable"]] = {7: "unreachable", 9: "throw"}

#: Somebody else has removed it meanwhile.
_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)


class Removal(Protocol):
    """One thing to be removed; as text the command one would type for it."""

    def apply(self, netlink: IPRoute) -> None:
        """Remove it."""


@dataclass(frozen=True)
class Leftovers:
    """The numbers of runs that are dead, and what to remove, in this order.

    The `guards` go last, when what comes instead of the rest is in force.
    """

    numbers: frozenset[int]
    removals: tuple[Removal, ...]
    guards: tuple[GuardRemoval, ...] = ()

    def all(self) -> tuple[Removal, ...]:
        return (*self.removals, *self.guards)

    def remove(self, netlink: IPRoute) -> None:
        """Raises RoutingError."""
        for removal in self.removals:
            _apply(netlink, removal)

    def remove_guards(self, netlink: IPRoute, made: Iterable[Change] = ()) -> tuple[str, ...]:
        """But not one in whose place one of the changes made has put its own.

        Returns a message for each that stays: what has been made is in force all the same.
        """
        kept = {change.number for change in made if isinstance(change, Guard)}
        failures = []
        for guard in self.guards:
            try:
                if guard.number not in kept:
                    _apply(netlink, guard)
            except RoutingError as error:
                failures.append(str(error))
        return tuple(failures)


def _apply(netlink: IPRoute, removal: Removal) -> None:
    from pyroute2 import NetlinkError

    try:
        removal.apply(netlink)
    except (NetlinkError, OSError) as error:
        number = error.code if isinstance(error, NetlinkError) else error.errno
        if number not in _GONE:
            raise RoutingError(
                f"cannot remove what a killed run left (`{removal}`): {in_words(removal, error)}"
            ) from None


@dataclass(frozen=True)
class RuleRemoval:
    """One rule of the priority goes; there may be several of it."""

    priority: int
    family: Family

    def __str__(self) -> str:
        ip = ip_command(self.family)
        return f"{ip} rule del priority {self.priority} protocol {PROTOCOL}"

    def apply(self, netlink: IPRoute) -> None:
        netlink.rule("del", family=self.family.number, priority=self.priority, protocol=PROTOCOL)


@dataclass(frozen=True)
class Undoing:
    """A change that was made by a command with the word "add" is taken back."""

    change: WaylessRoute | ProxyNeighbour

    def __str__(self) -> str:
        return str(self.change).replace(" add ", " del ", 1)

    def apply(self, netlink: IPRoute) -> None:
        self.change.undo(netlink, None)


@dataclass(frozen=True)
class SocketMatchRemoval:
    """A table of nftables goes: harmless, but nobody's."""

    match: SocketMatch

    def __str__(self) -> str:
        return f"nft delete table inet {self.match.table}"

    def apply(self, netlink: IPRoute) -> None:
        self.match.undo(netlink, None)


def left_by(
    netlink: IPRoute,
    lans: Iterable[str],
    external: Iterable[AnyNetwork],
    living: int | None = None,
) -> Leftovers:
    """What runs for one of these LANs or an external address left behind.

    The rules for another LAN stay: they keep its packets from leaving untranslated.  The run
    `living` is none of them, also if its device is gone.
    """
    names, networks = frozenset(lans), tuple(external)
    known = frozenset() if living is None else frozenset((living,))
    return _left(netlink, lambda number, own: _concerns(number, own, names, networks), known)


def left_by_all(netlink: IPRoute) -> Leftovers:
    """What any dead run left behind."""
    return _left(netlink, lambda number, own: True)


def _left(
    netlink: IPRoute,
    concerned: Callable[[int, list[Any]], bool],
    living: frozenset[int] = frozenset(),
) -> Leftovers:
    rules = own_rules(netlink)
    alive = live(netlink, rules) | living & rules.keys()
    dead = {
        number: own
        for number, own in rules.items()
        if number not in alive and concerned(number, own)
    }
    removals: list[Removal] = []
    if not any(shares(number, rules[number]) for number in alive):
        if any(shares(number, own) for number, own in dead.items()) and (
            not has_first_rule(netlink)
        ):
            removals.append(FirstRule())
        if leads_past(netlink):
            removals.append(LocalFirst())
    removals += [
        RuleRemoval(rule.get_attr("FRA_PRIORITY"), _family(rule))
        for own in dead.values()
        for rule in own
    ]
    removals += [
        Undoing(_wayless(route))
        for number in sorted(dead)
        for route in routes_of(netlink, table=table(number))
        if route["type"] in _WAYLESS
    ]
    matches = socket_matches()
    running = live(netlink, {one.number for one in matches}) | living
    removals += [SocketMatchRemoval(one) for one in matches if one.number not in running]
    lively = [network for number in alive for network in externals_of(number, rules[number])]
    removals += [Undoing(entry) for entry in left_over(netlink, lively)]
    guarded = guards()
    # One whose rules somebody has removed stands alone; who lives still has its routes.
    alone = guarded - rules.keys() - live(netlink, guarded) - living
    unguarding = guarded & (dead.keys() | alone)
    return Leftovers(frozenset(dead), tuple(removals), tuple(map(GuardRemoval, sorted(unguarding))))


def _concerns(
    number: int, rules: Iterable[Any], lans: Collection[str], external: Iterable[AnyNetwork]
) -> bool:
    """Whether the run took packets from one of these LANs, or had one of the external addresses."""
    at = priority(Kind.FROM_LAN, number)
    rules = list(rules)
    return any(
        rule.get_attr("FRA_PRIORITY") == at and rule.get_attr("FRA_IIFNAME") in lans
        for rule in rules
    ) or any(
        network.version == theirs.version and network.overlaps(theirs)
        for theirs in externals_of(number, rules)
        for network in external
    )


def _wayless(route: Any) -> WaylessRoute:
    prefix = route.get_attr("RTA_DST")
    return WaylessRoute(
        _WAYLESS[route["type"]],
        f"{prefix}/{route['dst_len']}" if prefix else _family(route).everything,
        route.get_attr("RTA_TABLE"),
        route.get_attr("RTA_PRIORITY") or 0,
    )


def _family(message: Any) -> Family:
    return next(family for family in FAMILIES if family.number == message["family"])
