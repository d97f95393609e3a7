"""The changes made to kernel settings (sysctls): those of the device, and those others need too.

What two runs both need is put back by the last one only.  A run that found it set already does not
know what it was before, so then it stays set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .runs import others_live

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_PROC_SYS = Path("/proc/sys")
_CONF = "net/ipv4/conf"
_IP_FORWARD = "net/ipv4/ip_forward"


@dataclass(frozen=True)
class Setting:
    """A setting of the run's own device, named by its path below /proc/sys.

    (Paths, because the names of interfaces may hold dots.)
    """

    path: str
    value: str

    def __str__(self) -> str:
        return f"sysctl {self.path}={self.value}"

    def apply(self, netlink: IPRoute) -> str:
        before = _read(self.path)
        if before != self.value:
            _write(self.path, self.value)
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

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        if not others_live(netlink, self.number):
            self._setting().undo(netlink, before)

    def _setting(self) -> Setting:
        return Setting(self.path, self.value)


@dataclass(frozen=True)
class Forwarding:
    """`ip_forward` = 1, and all that the kernel overwrites when ip_forward is written.

    That is `forwarding` of every interface, and `conf.all.accept_redirects`.
    """

    number: int

    def __str__(self) -> str:
        return f"sysctl {_IP_FORWARD}=1"

    def apply(self, netlink: IPRoute) -> str | None:
        if _read(_IP_FORWARD) == "1":
            return None
        paths = [f"{_CONF}/all/accept_redirects"]
        paths += [f"{_CONF}/{name}/forwarding" for name in _interfaces()]
        before = {path: _read(path) for path in paths}
        _write(_IP_FORWARD, "1")
        return json.dumps(before)

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        """As `Setting.undo`; interfaces that have gone are passed over."""
        if before is None or _read(_IP_FORWARD) != "1" or others_live(netlink, self.number):
            return
        _write(_IP_FORWARD, "0")
        for path, value in json.loads(before).items():
            if (_PROC_SYS / path).exists() and _read(path) != value:
                _write(path, value)


def _interfaces() -> list[str]:
    """All that have settings, and `default`; `all` is ip_forward itself."""
    return [folder.name for folder in (_PROC_SYS / _CONF).iterdir() if folder.name != "all"]


def _read(path: str) -> str:
    return (_PROC_SYS / path).read_text().strip()


def _write(path: str, value: str) -> None:
    (_PROC_SYS / path).write_text(value)
