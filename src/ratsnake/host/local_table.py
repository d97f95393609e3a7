"""The kernel's first rule, which looks into the local table: all that is sent to one of the host's
addresses is the host's.

A run that shares an address with the host needs rules before it.  It puts a rule like it behind
those, and takes the first away as the last step; the first thing at its end is to put it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from socket import AF_INET
from typing import TYPE_CHECKING, Any

from .runs import others_share

if TYPE_CHECKING:
    from pyroute2 import IPRoute

LOCAL_TABLE = 255
_KERNEL = 2  # RTPROT_KERNEL, whose rule it is
_ARGUMENTS: dict[str, Any] = {"family": AF_INET, "priority": 0, "table": LOCAL_TABLE}


@dataclass(frozen=True)
class NoFirstRule:
    """The rule is taken away, for run `number`."""

    number: int

    def __str__(self) -> str:
        return "ip rule del priority 0 lookup local"

    def apply(self, netlink: IPRoute) -> None:
        if has_first_rule(netlink):
            netlink.rule("del", **_ARGUMENTS)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Put it back, unless another run shares an address still."""
        if not others_share(netlink, self.number):
            FirstRule().apply(netlink)


@dataclass(frozen=True)
class FirstRule:
    """The rule is there."""

    def __str__(self) -> str:
        return "ip rule add priority 0 protocol kernel lookup local"

    def apply(self, netlink: IPRoute) -> None:
        if not has_first_rule(netlink):
            netlink.rule("add", protocol=_KERNEL, **_ARGUMENTS)


def has_first_rule(netlink: IPRoute) -> bool:
    return any(
        not rule.get_attr("FRA_PRIORITY") and rule.get_attr("FRA_TABLE") == LOCAL_TABLE
        for rule in netlink.get_rules(family=AF_INET)
    )
