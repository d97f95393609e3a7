"""What this host has that a NAT's settings depend on: addresses, ports in use, MTUs.  Only read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ..kernel.interfaces import addresses
from ..kernel.ip_family import AnyAddress
from ..processes.forked_call import in_child
from .published_ports import published_ports

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
_SOCKETS = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6")
_TIME_WAIT = "06"

Ports = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Survey:
    """`assigned`: the host's own addresses.

    `ephemeral`: the ports its own connections may get, of which it never takes those `reserved`.
    `bound`: ports of its sockets, each with the address, None for all addresses.  `mtus`: in
    octets, by interface.  `published`: ports that rules of the host's own send elsewhere.
    """

    assigned: frozenset[AnyAddress]
    ephemeral: tuple[int, int]
    reserved: Ports
    bound: frozenset[tuple[AnyAddress | None, int]]
    mtus: dict[str, int]
    published: Ports = ()

    def bound_at(self, address: AnyAddress) -> Ports:
        """Ports that sockets of the host have at this address."""
        return tuple(
            (port, port)
            for port in sorted({port for at, port in self.bound if at in (None, address)})
        )


def local_ranges() -> tuple[tuple[int, int], Ports]:
    """The ports that the host's own connections may get, and those that they never take.

    Raises OSError.
    """
    first, last = map(int, _EPHEMERAL.read_text().split())
    return (first, last), tuple(_ranges(_RESERVED.read_text().strip()))


def survey() -> Survey:
    """Look at this host; raises `ChildError`."""
    return in_child(_survey)


def _survey() -> Survey:
    from pyroute2 import IPRoute

    ephemeral, reserved = local_ranges()
    with IPRoute() as netlink:
        return Survey(
            assigned=frozenset(address for _, address in addresses(netlink)),
            ephemeral=ephemeral,
            reserved=reserved,
            bound=frozenset(_bound()),
            mtus={
                link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_MTU")
                for link in netlink.get_links()
            },
            published=published_ports(),
        )


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield int(first), int(last or first)


def _bound() -> Iterator[tuple[AnyAddress | None, int]]:
    for name in _SOCKETS:
        table = Path("/proc/net", name)
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_ = line.split()
            if state != _TIME_WAIT:
                address, port = local.split(":")
                yield _address(address), int(port, 16)


def _address(text: str) -> AnyAddress | None:
    """An address as /proc/net has it: words of 32 bits, each in the machine's order of octets."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    packed = b"".join(words)
    if not any(packed):
        return None
    if len(packed) == 4:
        return IPv4Address(packed)
    address = IPv6Address(packed)
    return address.ipv4_mapped or address
