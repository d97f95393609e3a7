"""The kernel's first rule, which looks into the local table: all that is sent to one of the host's
addresses is the host's.

A run that shares an address with the host needs rules before it.  They have priorities after it,
and one more rule of priority 0 leads past it, to the first of them:

    0   goto 1                 ours, made as the last step, taken away as the first
    0   lookup local           the kernel's, moved behind it
    1   nop                    where that leads to
    2…  what of an address is the NAT's, then the look-up in the local table, twice (`sharing`)

The kernel passes over a "goto" whose target is gone.  So whichever rule vanishes, or all at once
(`ip rule flush` spares those of priority 0), the host looks into its local table and can be
reached.  All runs that share an address have the first three rules together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from socket import AF_INET
from typing import TYPE_CHECKING, Any

from ..kernel.route_dump import PROTOCOL
from .routing_changes import Rule
from .running_instances import SHARING_START, others_share

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

LOCAL_TABLE = 255
_KERNEL = 2  # RTPROT_KERNEL, whose rule it is
_FIRST: dict[str, Any] = {"family": AF_INET, "priority": 0, "table": LOCAL_TABLE}
_GOTO = Rule(0, goto=SHARING_START, action="goto")
_START = Rule(SHARING_START, action="nop")


@dataclass(frozen=True)
class SharingFirst:
    """The rules for shared addresses are asked before the local table, for run `number`."""

    number: int

    def __str__(self) -> str:
        moved = "ip rule del priority 0 lookup local"
        return " && ".join((str(_START), str(_GOTO), moved, str(FirstRule())))

    def apply(self, netlink: IPRoute) -> None:
        """Make what is not there of it; at no moment is there no look-up in the local table."""
        there = _there(netlink.get_rules(family=AF_INET))
        if not there.start:
            _START.apply(netlink)
        if there.goto is None:
            _GOTO.apply(netlink)
        if there.local is None:
            FirstRule().apply(netlink)
        elif there.goto is None or there.local < there.goto:
            netlink.rule("del", **_FIRST)
            FirstRule().apply(netlink)

    def in_force(self, kernel: KernelState) -> bool:
        there = _there([rule for rule in kernel.rules if rule["family"] == AF_INET])
        return (
            there.start
            and there.goto is not None
            and there.local is not None
            and there.goto < there.local
        )

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Unless another run shares an address still."""
        if others_share(netlink, self.number):
            return
        if not has_first_rule(netlink):
            FirstRule().apply(netlink)
        _GOTO.undo(netlink, None)
        _START.undo(netlink, None)


@dataclass(frozen=True)
class FirstRule:
    """The rule is there."""

    def __str__(self) -> str:
        return "ip rule add priority 0 protocol kernel lookup local"

    def apply(self, netlink: IPRoute) -> None:
        if not has_first_rule(netlink):
            netlink.rule("add", protocol=_KERNEL, **_FIRST)


@dataclass(frozen=True)
class LocalFirst:
    """What the last run to share an address left is gone, of the rules before its own."""

    def __str__(self) -> str:
        return " && ".join(str(rule).replace(" add ", " del ", 1) for rule in (_GOTO, _START))

    def apply(self, netlink: IPRoute) -> None:
        _GOTO.undo(netlink, None)
        _START.undo(netlink, None)


@dataclass(frozen=True)
class _There:
    """Whether the kernel has our rules, and of those of priority 0 which is the how manieth."""

    start: bool
    goto: int | None
    local: int | None


def _there(rules: Sequence[Any]) -> _There:
    """Of the rules of IPv4, in the order in which the kernel tries them."""
    first = [rule for rule in rules if not rule.get_attr("FRA_PRIORITY")]
    gotos = [at for at, rule in enumerate(first) if rule.get_attr("FRA_GOTO") == SHARING_START]
    locals_ = [at for at, rule in enumerate(first) if _looks_into_local(rule)]
    start = any(
        rule.get_attr("FRA_PRIORITY") == SHARING_START and rule.get_attr("FRA_PROTOCOL") == PROTOCOL
        for rule in rules
    )
    return _There(start, gotos[0] if gotos else None, locals_[0] if locals_ else None)


def has_first_rule(netlink: IPRoute) -> bool:
    return _there(netlink.get_rules(family=AF_INET)).local is not None


def leads_past(netlink: IPRoute) -> bool:
    """Whether any of our rules is there that belong to all runs that share an address."""
    there = _there(netlink.get_rules(family=AF_INET))
    return there.start or there.goto is not None


def _looks_into_local(rule: Any) -> bool:
    return bool(rule.get_attr("FRA_TABLE") == LOCAL_TABLE and rule["action"] == 1)
