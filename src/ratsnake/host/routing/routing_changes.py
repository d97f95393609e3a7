"""The changes made to rules, routes and addresses, each a value that can apply and undo itself.

A change holds only names and numbers, so that a list of them can cross a process boundary.  As text
it is the command one would type for it.  `apply` returns what `undo` has to know about the time
before; `undo` accepts that what it would remove is gone already (routes vanish with their device).
Others may take it away while it is in force: `in_force` says whether it is still there, and `renew`
makes it anew.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..kernel.interfaces import link_index
from ..kernel.ip_family import FAMILIES, IPV4, Family, family_of
from ..kernel.route_dump import MAIN_TABLE, PROTOCOL

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

_ACTIONS = {"to_tbl": 1, "goto": 2, "nop": 3, "blackhole": 6}  # FR_ACT_… of linux/fib_rules.h
_ALREADY_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)
_SCOPE_LINK = 253
_UNICAST = 1  # RTN_UNICAST
_IFF_UP = 1
_WAYLESS = {"unreachable": 7, "throw": 9}  # RTN_…
_METRIC_6 = 1024  # what an IPv6 route without one gets
_SCOPE_UNIVERSE = 0


class Change(Protocol):
    """One change to the host."""

    def __str__(self) -> str:
        """The command that makes it."""

    def apply(self, netlink: IPRoute) -> str | None:
        """Make the change; returns what `undo` needs as `before`."""

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Take the change back."""

    def in_force(self, kernel: KernelState) -> bool:
        """Whether the kernel has it now."""

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        """Make it again, whatever is there of it; returns what `undo` needs from now on."""


@dataclass(frozen=True)
class Rule:
    """A policy rule: packets that it selects are looked up in `table`, go on at the rule of
    priority `goto`, or meet the action named.

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
    protocol: int | None = None
    ports: tuple[int, int] | None = None  # destination ports, the first and the last
    unmarked: int | None = None  # only packets whose mark has none of these bits

    def __str__(self) -> str:
        operand = {"to_tbl": f"lookup {self.table}", "goto": f"goto {self.goto}"}
        words = {
            "from": self.source,
            "to": self.destination,
            "ipproto": self.protocol,
            "dport": "-".join(map(str, self.ports)) if self.ports else None,
            "iif": self.interface,
            "fwmark": f"0x0/{self.unmarked:#x}" if self.unmarked else None,
        }
        selector = "".join(f" {word} {value}" for word, value in words.items() if value)
        action = operand.get(self.action, self.action)
        ip = ip_command(self.family)
        return f"{ip} rule add priority {self.priority} protocol {PROTOCOL}{selector} {action}"

    def apply(self, netlink: IPRoute) -> None:
        netlink.rule("add", **self._arguments())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        _remove(netlink.rule, self._arguments())

    def in_force(self, kernel: KernelState) -> bool:
        return self.key() in kernel.rule_keys

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    def key(self) -> tuple[Any, ...]:
        """As `KernelState.rule_keys` has it."""
        ports = ":".join(map(str, self.ports)) if self.ports else None
        return (
            self.family.number,
            self.priority,
            _ACTIONS[self.action],
            self.interface,
            self.source,
            self.destination,
            self.table if self.action == "to_tbl" else None,
            self.goto,
            self.protocol,
            ports,
            (0, self.unmarked) if self.unmarked else None,
        )

    def _arguments(self) -> dict[str, Any]:
        wanted = {
            "iifname": self.interface,
            "src": self.source,
            "dst": self.destination,
            "table": self.table,
            "goto": self.goto,
            "ip_proto": self.protocol,
            "dport_range": ":".join(map(str, self.ports)) if self.ports else None,
            "fwmark": 0 if self.unmarked else None,
            "fwmask": self.unmarked,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        return given | {
            "family": self.family.number,
            "action": self.action,
            "priority": self.priority,
            "protocol": PROTOCOL,
        }


@dataclass(frozen=True)
class DeviceUp:
    """The NAT's own device is up, as it is from the start: others may set it down."""

    device: str

    def __str__(self) -> str:
        return f"ip link set {self.device} up"

    def apply(self, netlink: IPRoute) -> None:
        index = link_index(netlink, self.device)
        if index is None:
            raise OSError(errno.ENODEV, f"no interface {self.device}")
        netlink.link("set", index=index, state="up")

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """It goes by itself."""

    def in_force(self, kernel: KernelState) -> bool:
        link = kernel.links.get(self.device)
        return link is not None and bool(link["flags"] & _IFF_UP)

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before


@dataclass(frozen=True)
class Route:
    """A route through a device: `source` is the host's own address there, or None."""

    destination: str
    device: str
    table: int = MAIN_TABLE
    source: str | None = None

    def __str__(self) -> str:
        table = "" if self.table == MAIN_TABLE else f" table {self.table}"
        source = f" src {self.source}" if self.source else ""
        family = family_of(self.destination)
        scope = " scope link" if family is IPV4 else ""
        return (
            f"{ip_command(family)} route add {self.destination} dev {self.device}{scope}{source}"
            f"{table} proto {PROTOCOL}"
        )

    @property
    def place(self) -> tuple[str, int]:
        """Where only one route can be."""
        return self.destination, self.table

    def apply(self, netlink: IPRoute) -> None:
        self._put("add", netlink)

    def replace(self, netlink: IPRoute) -> None:
        """Be where another is, at once."""
        self._put("replace", netlink)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        arguments = self._arguments(netlink)
        if arguments is not None:
            _remove(netlink.route, arguments)

    def in_force(self, kernel: KernelState) -> bool:
        index = kernel.index(self.device)
        return any(
            route["type"] == _UNICAST
            and _place_of(route) == self.place
            and route.get_attr("RTA_OIF") == index
            and route.get_attr("RTA_PREFSRC") == self.source
            for route in kernel.routes
        )

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        """Also where somebody has put another in its place."""
        self.replace(netlink)
        return before

    def _put(self, command: str, netlink: IPRoute) -> None:
        arguments = self._arguments(netlink)
        if arguments is None:
            raise OSError(errno.ENODEV, f"no interface {self.device}")
        netlink.route(command, **arguments)

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
    """A route through no device, which outlives all.

    `throw` ends the lookup in this table, and the next rule decides; `unreachable` refuses.
    """

    kind: Literal["throw", "unreachable"]
    destination: str
    table: int
    metric: int = 0

    def __str__(self) -> str:
        metric = f" metric {self.metric}" if self.metric else ""
        return (
            f"{ip_command(family_of(self.destination))} route add {self.kind} {self.destination}"
            f"{metric} table {self.table} proto {PROTOCOL}"
        )

    def apply(self, netlink: IPRoute) -> None:
        netlink.route("add", **self._arguments())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        _remove(netlink.route, self._arguments())

    def in_force(self, kernel: KernelState) -> bool:
        return any(
            route["type"] == _WAYLESS[self.kind]
            and _place_of(route) == (self.destination, self.table)
            and (route.get_attr("RTA_PRIORITY") or 0) in (self.metric, _METRIC_6)
            for route in kernel.routes
        )

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        netlink.route("replace", **self._arguments())
        return before

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
    """An address for what has to do with the device only.

    The scope of an IPv6 address is not for us to say.
    """

    address: str
    device: str

    def __str__(self) -> str:
        family = family_of(self.address)
        scope = " scope link" if family is IPV4 else ""
        return (
            f"{ip_command(family)} address add {self.address}/{family.bits}"
            f" dev {self.device}{scope}"
        )

    def apply(self, netlink: IPRoute) -> None:
        arguments = self._arguments(netlink)
        if arguments is None:
            raise OSError(errno.ENODEV, f"no interface {self.device}")
        netlink.addr("add", **arguments)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        arguments = self._arguments(netlink)
        if arguments is not None:
            _remove(netlink.addr, arguments)

    def in_force(self, kernel: KernelState) -> bool:
        return (kernel.index(self.device), self.address) in kernel.addresses

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

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


def ip_command(family: Family) -> str:
    """The `ip` of iproute2 for one family."""
    return "ip" if family.version == 4 else f"ip -{family.version}"


def _place_of(route: Any) -> tuple[str, int]:
    """What `Route.place` has, of the kernel's message."""
    prefix = route.get_attr("RTA_DST")
    everything = next(one.everything for one in FAMILIES if one.number == route["family"])
    text = f"{prefix}/{route['dst_len']}" if prefix else everything
    return text, route.get_attr("RTA_TABLE")


def _remove(command: Any, arguments: dict[str, Any]) -> None:
    from pyroute2 import NetlinkError

    try:
        command("del", **arguments)
    except NetlinkError as error:
        if error.code not in _ALREADY_GONE:
            raise
