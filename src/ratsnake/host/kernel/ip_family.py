"""The two versions of IP, where the routing around the device differs between them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TypeAlias

AnyAddress: TypeAlias = IPv4Address | IPv6Address
AnyNetwork: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Family:
    """One version of IP.

    `router` is the source of the ICMP errors that the host itself sends about the NAT's packets:
    the device's address, known to the engine (nat.scope) and nobody's anywhere.
    """

    version: int
    number: int  # AF_…
    bits: int
    everything: str
    router: str
    settings: str  # below /proc/sys


IPV4 = Family(4, socket.AF_INET, 32, "0.0.0.0/0", "192.0.0.8", "net/ipv4")  # RFC 7600 section 4.8
IPV6 = Family(6, socket.AF_INET6, 128, "::/0", "100::8", "net/ipv6")  # RFC 6666
FAMILIES = (IPV4, IPV6)

_PROC_SYS = Path("/proc/sys")


def family_of(text: str) -> Family:
    """The family of an address or prefix."""
    return IPV6 if ":" in text else IPV4


def known() -> tuple[Family, ...]:
    """The families this kernel has."""
    return tuple(family for family in FAMILIES if (_PROC_SYS / family.settings / "conf").exists())
