"""The changes made to rules, routes and addresses, each a value that can apply and undo itself.

A change holds only names and numbers, so that a list of them can cross a process boundary.
`apply` returns what `undo` has to know about the time before; `undo` accepts that what it would
remove is gone already (routes vanish with their device).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .family import IPV4, Family, family_of

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Marks our rules and routes (`ip rule`, `ip route` show it as "proto 82"); 82 is nobody's in
#: iproute2's rt_protos.
PROTOCOL = 82

MAIN_TABLE = 254

_ALREADY_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)
_SCOPE_LINK = 253
_SCOPE_UNIVERSE = 0


class Change(Protocol):
    """One change to the host."""

    def apply(self, netlink: IPRoute) -> str | None:
        """Make the change; returns what `undo` needs as `before`."""

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Take the change back."""


@dataclass(frozen=True)
class Rule:
    """`ip rule add [from SOURCE] [to DESTINATION] [iif INTERFACE] ACTION priority PRIORITY`.

    The action is to look into `table`, to go on at the rule of priority `goto`, or the one named.
    Each family has rules of its own.
    """

    priority: int
    interface: str | None = None
    source: str | None = None
    destination: str | None = None
    table: int | None = None
    goto: int | None = None
    action: Literal["to_tbl", "goto", "blackhole", "nop"] = "to_tbl"
    family: Family = IPV4

    def __str__(self) -> str:
        operand = {"to_tbl": f"lookup {self.table}", "goto": f"goto {self.goto}"}
        words = {"from": self.source, "to": self.destination, "iif": self.interface}
        selector = "".join(f" {word} {value}" for word, value in words.items() if value)
        action = operand.get(self.action, self.action)
        return f"IPv{self.family.version} rule {self.priority}:{selector} {action}"

    def apply(self, netlink: IPRoute) -> None:
        netlink.rule("add", **self._arguments())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        _remove(netlink.rule, self._arguments())

    def _arguments(self) -> dict[str, Any]:
        wanted = {
            "iifname": self.interface,
            "src": self.source,
            "dst": self.destination,
            "table": self.table,
            "goto": self.goto,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        return given | {
            "family": self.family.number,
            "action": self.action,
            "priority": self.priority,
            "protocol": PROTOCOL,
        }


@dataclass(frozen=True)
class Route:
    """`ip route add DESTINATION dev DEVICE`: `source` is the host's own address there, or None."""

    destination: str
    device: str
    table: int = MAIN_TABLE
    source: str | None = None

    def __str__(self) -> str:
        return f"route {self.destination} dev {self.device} table {self.table}"

    def apply(self, netlink: IPRoute) -> None:
        arguments = self._arguments(netlink)
        if arguments is None:
            raise OSError(errno.ENODEV, f"no interface {self.device}")
        netlink.route("add", **arguments)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        arguments = self._arguments(netlink)
        if arguments is not None:
            _remove(netlink.route, arguments)

    def _arguments(self, netlink: IPRoute) -> dict[str, Any] | None:
        index = link_index(netlink, self.device)
        if index is None:
            return None
        source = {"prefsrc": self.source} if self.source else {}
        return source | {
            "family": family_of(self.destination).number,
            "dst": self.destination,
            "table": self.table,
            "proto": PROTOCOL,
            "oif": index,
            "scope": "link",
        }


@dataclass(frozen=True)
class WaylessRoute:
    """`ip route add KIND DESTINATION metric METRIC`: a route through no device, which outlives all.

    `throw` ends the lookup in this table, and the next rule decides; `unreachable` refuses.
    """

    kind: Literal["throw", "unreachable"]
    destination: str
    table: int
    metric: int = 0

    def __str__(self) -> str:
        return f"route {self.kind} {self.destination} table {self.table}"

    def apply(self, netlink: IPRoute) -> None:
        netlink.route("add", **self._arguments())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        _remove(netlink.route, self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {
            "family": family_of(self.destination).number,
            "dst": self.destination,
            "table": self.table,
            "proto": PROTOCOL,
            "type": self.kind,
            "priority": self.metric,
        }


@dataclass(frozen=True)
class Address:
    """`ip address add ADDRESS dev DEVICE scope link`: for what has to do with DEVICE only.

    The scope of an IPv6 address is not for us to say.
    """

    address: str
    device: str

    def __str__(self) -> str:
        return f"address {self.address} dev {self.device}"

    def apply(self, netlink: IPRoute) -> None:
        arguments = self._arguments(netlink)
        if arguments is None:
            raise OSError(errno.ENODEV, f"no interface {self.device}")
        netlink.addr("add", **arguments)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        arguments = self._arguments(netlink)
        if arguments is not None:
            _remove(netlink.addr, arguments)

    def _arguments(self, netlink: IPRoute) -> dict[str, Any] | None:
        index = link_index(netlink, self.device)
        if index is None:
            return None
        family = family_of(self.address)
        return {
            "family": family.number,
            "index": index,
            "address": self.address,
            "prefixlen": family.bits,
            "scope": _SCOPE_LINK if family is IPV4 else _SCOPE_UNIVERSE,
        }


def link_index(netlink: IPRoute, name: str) -> int | None:
    """The index of the interface called `name`, or None."""
    found = netlink.link_lookup(ifname=name)
    return int(found[0]) if found else None


def _remove(command: Any, arguments: dict[str, Any]) -> None:
    from pyroute2 import NetlinkError

    try:
        command("del", **arguments)
    except NetlinkError as error:
        if error.code not in _ALREADY_GONE:
            raise
