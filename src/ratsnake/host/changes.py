"""The kinds of change made to the host, each a value that can apply and undo itself.

A change holds only names and numbers, so that a list of them can cross a process boundary.
`apply` returns what `undo` has to know about the time before; `undo` accepts that what it would
remove is gone already (routes vanish with their device).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Marks our rules and routes (`ip rule`, `ip route` show it as "proto 82"); 82 is nobody's in
#: iproute2's rt_protos.
PROTOCOL = 82

MAIN_TABLE = 254

_ALREADY_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL)
_SCOPE_HOST = 254
_PROC_SYS = Path("/proc/sys")


class Change(Protocol):
    """One change to the host."""

    def apply(self, netlink: IPRoute) -> str | None:
        """Make the change; returns what `undo` needs as `before`."""

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Take the change back."""


@dataclass(frozen=True)
class Rule:
    """`ip rule add iif LAN lookup TABLE`: what comes in by LAN is routed by a table of its own."""

    lan: str
    table: int
    priority: int

    def __str__(self) -> str:
        return f"rule iif {self.lan} lookup {self.table}"

    def apply(self, netlink: IPRoute) -> None:
        netlink.rule("add", **self._arguments())

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        _remove(netlink.rule, self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {
            "iifname": self.lan,
            "table": self.table,
            "priority": self.priority,
            "protocol": PROTOCOL,
        }


@dataclass(frozen=True)
class Route:
    """`ip route add DESTINATION dev DEVICE`, or `ip route add throw DESTINATION`.

    A throw route (`device` is None) ends the lookup in its table: the next rule decides.
    `source` is the address the host itself uses toward the destination, or None.
    """

    destination: str
    device: str | None
    table: int = MAIN_TABLE
    source: str | None = None

    def __str__(self) -> str:
        way = f"dev {self.device}" if self.device else "throw"
        return f"route {self.destination} {way} table {self.table}"

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
        arguments: dict[str, Any] = {
            "dst": self.destination,
            "table": self.table,
            "proto": PROTOCOL,
        }
        if self.source:
            arguments["prefsrc"] = self.source
        if self.device is None:
            return arguments | {"type": "throw"}
        index = link_index(netlink, self.device)
        return None if index is None else arguments | {"oif": index, "scope": "link"}


@dataclass(frozen=True)
class Address:
    """`ip address add ADDRESS/32 dev DEVICE scope host`: the kernel never picks it by itself."""

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
        return {"index": index, "address": self.address, "prefixlen": 32, "scope": _SCOPE_HOST}


@dataclass(frozen=True)
class Sysctl:
    """A kernel setting, named by its path below /proc/sys (interface names may hold dots)."""

    path: str
    value: str

    def __str__(self) -> str:
        return f"sysctl {self.path}={self.value}"

    def apply(self, netlink: IPRoute) -> str:
        setting = _PROC_SYS / self.path
        before = setting.read_text().strip()
        if before != self.value:
            setting.write_text(self.value)
        return before

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Put the old value back, unless somebody else has changed the setting meanwhile."""
        setting = _PROC_SYS / self.path
        if before is None or before == self.value or not setting.exists():
            return
        if setting.read_text().strip() == self.value:
            setting.write_text(before)


@dataclass(frozen=True)
class KeptSysctl:
    """A setting to restore because another change makes the kernel overwrite it."""

    path: str

    def __str__(self) -> str:
        return f"sysctl {self.path}"

    def apply(self, netlink: IPRoute) -> str:
        return (_PROC_SYS / self.path).read_text().strip()

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        if before is not None:
            (_PROC_SYS / self.path).write_text(before)


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
