"""The host's default routes, from /proc/net (proc(5)).

They stand at the head of a table there, and no more is read: a router may have a million routes.
Of IPv6 all tables are in one file, so what leads to the NAT's own device is passed over.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from .ip_family import IPV4, AnyAddress, Family
from .route_dump import interface_routes

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_HEAD = 1 << 15
_REJECT = 0x200  # RTF_REJECT
_LITTLE = sys.byteorder == "little"


@dataclass(frozen=True)
class DefaultRoute:
    """Through an interface, by a gateway or without; as text the command that makes it."""

    interface: str
    gateway: AnyAddress | None
    version: int

    def __str__(self) -> str:
        ip = "ip" if self.version == 4 else "ip -6"
        via = f" via {self.gateway}" if self.gateway else ""
        return f"{ip} route add default{via} dev {self.interface}"


def default_routes(device: str) -> dict[int, DefaultRoute]:
    """The first of each version of IP, where there is one, but for those by the NAT's device."""
    found = {}
    for words in reversed(_defaults_4()):
        gateway = bytes.fromhex(words[2])
        packed = gateway[::-1] if _LITTLE else gateway
        found[4] = DefaultRoute(words[0], IPv4Address(packed) if any(packed) else None, 4)
    for words in reversed(_head("ipv6_route")):
        if len(words) > 9 and not int(words[0], 16) and words[1] == "00":
            flags, packed = int(words[8], 16), bytes.fromhex(words[4])
            if flags & 1 and not flags & _REJECT and words[9] != device:
                found[6] = DefaultRoute(words[9], IPv6Address(packed) if any(packed) else None, 6)
    return found


def ways_out(netlink: IPRoute, families: Iterable[Family]) -> frozenset[str]:
    """The interfaces of all default routes of the main table.

    Of IPv6 without those of routing protocols, which the kernel cannot pick out.
    """
    indices, names = set(), set()
    for family in families:
        if family is IPV4:
            names |= {words[0] for words in _defaults_4()}
        else:
            ways = interface_routes(netlink, family)
            indices |= {route.get_attr("RTA_OIF") for route in ways if not route["dst_len"]}
    if indices:
        links = netlink.get_links()
        names |= {link.get_attr("IFLA_IFNAME") for link in links if link["index"] in indices}
    return frozenset(names)


def _defaults_4() -> list[list[str]]:
    return [
        words
        for words in _head("route")
        if len(words) > 7 and words[1] == words[7] == "00000000" and int(words[3], 16) & 1
    ]


def _head(name: str) -> list[list[str]]:
    """The words of the file's first whole lines."""
    try:
        with Path("/proc/net", name).open() as file:
            text = file.read(_HEAD)
    except OSError:  # a kernel without IPv6
        return []
    return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
