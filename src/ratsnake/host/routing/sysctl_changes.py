"""The changes made to kernel settings (sysctls): those of the device, and those others need too.

What two runs both need is put back by the last one only.  A run that found it set already does not
know what it was before, so then it stays set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..kernel.ip_family import IPV4, IPV6, Family
from ..kernel.route_dump import RA, routes_of
from .running_instances import others_live

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

_PROC_SYS = Path("/proc/sys")
#: What makes the host forward, and what else the kernel overwrites then, by the version of IP.
_SWITCHES = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_OVERWRITTEN = {4: ("net/ipv4/conf/all/accept_redirects",), 6: ()}


@dataclass(frozen=True)
class Setting:
    """A setting of the run's own device, named by its path below /proc/sys.

    (Paths, because the names of interfaces may hold dots.)
    """

    path: str
    value: str

    def __str__(self) -> str:
        return f"sysctl {sysctl_name(self.path)}={self.value}"

    def apply(self, netlink: IPRoute) -> str:
        before = _read(self.path)
        if before != self.value:
            _write(self.path, self.value)
        return before

    def in_force(self, kernel: KernelState) -> bool:
        return self.value == _read(self.path)

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        self.apply(netlink)
        return before

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """Put the old value back, unless somebody else has changed the setting meanwhile."""
        if before in (None, self.value) or not (_PROC_SYS / self.path).exists():
            return
        if _read(self.path) == self.value:
            _write(self.path, str(before))


@dataclass(frozen=True)
class SharedSetting:
    """A setting of the whole host that other runs need as well; `number` is this run's own."""

    path: str
    value: str
    number: int

    def __str__(self) -> str:
        return str(self._setting())

    def apply(self, netlink: IPRoute) -> str:
        return self._setting().apply(netlink)

    def in_force(self, kernel: KernelState) -> bool:
        return self._setting().in_force(kernel)

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        found = self.apply(netlink)
        return before if found == self.value else found

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        if not others_live(netlink, self.number):
            self._setting().undo(netlink, before)

    def _setting(self) -> Setting:
        return Setting(self.path, self.value)


@dataclass(frozen=True)
class Forwarding:
    """`ip_forward` = 1, or for IPv6 `conf.all.forwarding`, and all the kernel overwrites with it.

    That is `forwarding` of every interface, and of IPv4 `conf.all.accept_redirects`.
    """

    number: int
    family: Family = IPV4

    def __str__(self) -> str:
        return f"sysctl {sysctl_name(self._switch())}=1"

    def apply(self, netlink: IPRoute) -> str | None:
        if _read(self._switch()) == "1":
            return None
        paths = [*_OVERWRITTEN[self.family.version], *self._interfaces()]
        before = {path: _read(path) for path in paths}
        _write(self._switch(), "1")
        return json.dumps(before)

    def in_force(self, kernel: KernelState) -> bool:
        return _read(self._switch()) == "1"

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        """What was before the first time counts at the end."""
        self.apply(netlink)
        return before

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """As `Setting.undo`; interfaces that have gone are passed over."""
        if before is None or _read(self._switch()) != "1" or others_live(netlink, self.number):
            return
        _write(self._switch(), "0")
        for path, value in json.loads(before).items():
            if (_PROC_SYS / path).exists() and _read(path) != value:
                _write(path, value)

    def switches(self, names: Iterable[str]) -> list[str]:
        """The settings it is about, also those of the interfaces of these names alone."""
        own = [f"{self.family.settings}/conf/{name}/forwarding" for name in names]
        return [self._switch(), *own]

    def _switch(self) -> str:
        return _SWITCHES[self.family.version]

    def _interfaces(self) -> list[str]:
        """`forwarding` of all that have settings, and of `default`; `all` is the switch itself."""
        folder = f"{self.family.settings}/conf"
        names = [entry.name for entry in (_PROC_SYS / folder).iterdir() if entry.name != "all"]
        return [f"{folder}/{name}/forwarding" for name in names]


def router_advertisement_warnings(netlink: IPRoute) -> tuple[str, ...]:
    """A warning for each interface that will lose the IPv6 routes routers advertise to it.

    A kernel that begins to forward IPv6 drops its advertised default routes and heeds no more
    advertisements, unless the interface's `accept_ra` is 2.
    """
    if _read(_SWITCHES[6]) == "1":
        return ()
    indices = {
        route.get_attr("RTA_OIF") for route in routes_of(netlink, protocol=RA, families=(IPV6,))
    }
    names = sorted(
        link.get_attr("IFLA_IFNAME") for link in netlink.get_links() if link["index"] in indices
    )
    return tuple(
        f"interface {name} has IPv6 routes from router advertisements, which the kernel heeds no "
        f"more while it forwards: set net.ipv6.conf.{name}.accept_ra=2 before"
        for name in names
        if _read(f"net/ipv6/conf/{name}/accept_ra") == "1"
    )


def sysctl_name(path: str) -> str:
    """What sysctl(8) calls it: dots, unless an interface has one in its name."""
    return path if "." in path else path.replace("/", ".")


def _read(path: str) -> str:
    return (_PROC_SYS / path).read_text().strip()


def _write(path: str, value: str) -> None:
    (_PROC_SYS / path).write_text(value)
