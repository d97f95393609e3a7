"""Fragments made by hand, of both versions of IP, in whatever order and shape a test wants.

Plain `struct` as in `frames`, whose sockets send and watch them.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

from end_to_end.frames import UDP, checksum
from ratsnake.lab import Host

_FRAGMENT = 44  # IPv6's fragment header (RFC 8200 section 4.5)
_TTL = 64
_MORE_4, _MORE_6 = 0x2000, 1


def datagram(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """A whole UDP datagram without its IP header."""
    head = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    addresses = ip_address(source[0]).packed + ip_address(destination[0]).packed
    summed = addresses + struct.pack("!II", len(head) + len(payload), UDP) + head + payload
    return head[:6] + (checksum(summed) or 0xFFFF).to_bytes(2, "big") + payload


def piece(
    source: str,
    destination: str,
    identification: int,
    offset: int,
    data: bytes,
    more: bool,
    protocol: int = UDP,
) -> bytes:
    """A fragment with the octets `data`, which stand at `offset` (of eight each 0, 8, …)."""
    addresses = ip_address(source).packed + ip_address(destination).packed
    if ip_address(source).version == 4:
        field = offset // 8 | (_MORE_4 if more else 0)
        total = 20 + len(data)
        start = struct.pack("!BBHHHBB", 0x45, 0, total, identification, field, _TTL, protocol)
        return start + checksum(start + addresses).to_bytes(2, "big") + addresses + data
    extension = struct.pack("!BBHI", protocol, 0, offset | (_MORE_6 if more else 0), identification)
    start = struct.pack("!IHBB", 6 << 28, len(extension) + len(data), _FRAGMENT, _TTL)
    return start + addresses + extension + data


def pieces(
    source: tuple[str, int],
    destination: tuple[str, int],
    identification: int,
    payload: bytes,
    size: int = 800,
) -> list[bytes]:
    """A UDP datagram in fragments of `size` octets (of eight each), in their order."""
    whole = datagram(source, destination, payload)
    return [
        piece(
            source[0],
            destination[0],
            identification,
            at,
            whole[at : at + size],
            at + size < len(whole),
        )
        for at in range(0, len(whole), size)
    ]


def sender(host: Host, version: int) -> socket.socket:
    """Sends whole packets of either version from a host, as `frames.raw_sender` does of IPv4."""
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    return host.namespace.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)


def send(handle: socket.socket, packet: bytes) -> None:
    """Send a packet to where it says."""
    first, size = (16, 4) if packet[0] >> 4 == 4 else (24, 16)
    handle.sendto(packet, (str(ip_address(packet[first : first + size])), 0))
