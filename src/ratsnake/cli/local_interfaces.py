"""This machine's interfaces: those `init` proposes for WAN and LAN, and names that have none."""

import socket
from collections.abc import Iterable
from pathlib import Path

from ..daemon.user_errors import near
from ..host.kernel.default_routes import default_routes

INTERFACES = Path("/sys/class/net")
ALLOW_MISSING = "--allow-missing"
LOOPBACK = "lo"


def interface_names() -> list[str]:
    """The interfaces of this network namespace, without the loopback."""
    return sorted(name for _, name in socket.if_nameindex() if name != LOOPBACK)


def interfaces_hint() -> str:
    names = interface_names()
    return f"there are {', '.join(names)}" if names else ""


def default_wan() -> str:
    """The interface of the default route, that of IPv4 first; "" without one."""
    routes = default_routes("")
    return next((routes[version].interface for version in (4, 6) if version in routes), "")


def default_lan(wan: str) -> str:
    """The bridge, if there is exactly one beside the WAN; else ""."""
    bridges = {entry.parent.name for entry in INTERFACES.glob("*/bridge")}
    found = bridges.intersection(interface_names()) - {wan or default_wan()}
    return found.pop() if len(found) == 1 else ""


def missing_interfaces(names: Iterable[str]) -> list[str]:
    """Those of the names that this machine has no interface for."""
    present = interface_names()
    return [name for name in names if name not in present]


def check_interfaces(names: Iterable[str], wan: str, allow_missing: bool) -> None:
    """Raises ValueError for one that is the WAN too, or does not exist and must."""
    names = list(names)
    if wan in names:
        raise ValueError(f"{wan} is the WAN already; WAN and LAN must be different interfaces")
    for name in () if allow_missing else missing_interfaces(names):
        raise ValueError(
            f"no interface {name} here{nearest_interfaces(name)} ({ALLOW_MISSING} accepts one that"
            " comes later, or is on another machine)"
        )


def nearest_interfaces(name: str) -> str:
    """What a message about a name without an interface goes on with."""
    return near(name, interface_names()) or (
        f"; {interfaces_hint() or 'there is none but the loopback'}"
    )
