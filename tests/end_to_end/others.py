"""Packets of the protocols beside TCP, UDP and ICMP, and an end that sends and receives them.

Where a kernel has no sockets for a protocol, raw ones do.  Plain `struct`, as in `frames`.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from end_to_end.frames import checksum
from end_to_end.harness import DEADLINE, readable
from ratsnake.lab import Namespace

DCCP, GRE, ESP, SCTP, UDPLITE = 33, 47, 50, 132, 136

_CRC32C = 0x82F63B78  # reversed (RFC 9260 appendix A)
_CHECKSUM_AT = {DCCP: 6, UDPLITE: 6}


class Seen(NamedTuple):
    """Who sent a packet, and what it holds behind the ports."""

    address: str
    ports: tuple[int, int]
    rest: bytes


class Raw:
    """An end of one protocol at an address: sends and receives whole segments."""

    def __init__(self, namespace: Namespace, address: str, protocol: int) -> None:
        self.address = address
        self.protocol = protocol
        self._version = ip_address(address).version
        family = {4: socket.AF_INET, 6: socket.AF_INET6}[self._version]
        self._socket = namespace.socket(family, socket.SOCK_RAW, protocol)
        self._socket.bind((address, 0))

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, to: str, segment: bytes) -> None:
        """A segment with its checksum computed for these two addresses."""
        self._socket.sendto(summed(self.address, to, self.protocol, segment), (to, 0))

    def receive(self, wanted: Callable[[Seen], bool]) -> Seen:
        """The next segment that is wanted, which must have a right checksum.

        A kernel that knows the protocol answers too, to what it never sent.
        """
        deadline = time.monotonic() + DEADLINE
        while readable(self._socket, max(0.0, deadline - time.monotonic())):
            packet, source = self._socket.recvfrom(65536)
            segment = packet[(packet[0] & 15) * 4 :] if self._version == 4 else packet
            seen = Seen(source[0], struct.unpack_from("!HH", segment), segment[4:])
            if wanted(seen):
                assert summed(source[0], self.address, self.protocol, segment) == segment
                return seen
        raise AssertionError(f"{self.address}: nothing arrived in {DEADLINE:.0f} s")

    def has_any(self) -> bool:
        """Whether something has arrived that nobody received."""
        return readable(self._socket, 0)


def summed(source: str, destination: str, protocol: int, segment: bytes) -> bytes:
    """The segment with its checksum, if it has one."""
    if protocol == SCTP:
        zeroed = segment[:8] + bytes(4) + segment[12:]
        return segment[:8] + struct.pack("<I", _crc32c(zeroed)) + segment[12:]
    if protocol not in _CHECKSUM_AT:
        return segment
    at = _CHECKSUM_AT[protocol]
    zeroed = segment[:at] + bytes(2) + segment[at + 2 :]
    addresses = ip_address(source).packed + ip_address(destination).packed
    covered = _covered(protocol, zeroed)
    pseudo = addresses + struct.pack("!II", len(segment), protocol)
    value = checksum(pseudo + zeroed[:covered]) or 0xFFFF
    return segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]


def udplite(ports: tuple[int, int], payload: bytes, coverage: int = 8) -> bytes:
    """A UDP-Lite datagram (RFC 3828); its checksum covers so many octets."""
    return struct.pack("!HHHH", *ports, coverage, 0) + payload


def dccp(ports: tuple[int, int], kind: int, payload: bytes = b"") -> bytes:
    """A DCCP packet (RFC 4340 section 5): 0 Request, 1 Response, 4 DataAck, 7 Reset.

    With acknowledgment and service code or reset code, as far as the kind has them.
    """
    subheader = {0: 4, 1: 12, 4: 8, 7: 12}[kind]
    size = 16 + subheader
    head = struct.pack("!HHBBHBBHI", *ports, size // 4, 0, 0, kind << 1 | 1, 0, 0, 1)
    return head + bytes(subheader) + payload


def sctp(ports: tuple[int, int], tag: int, chunk: int, value: bytes) -> bytes:
    """An SCTP packet with one chunk (RFC 9260 section 3): 0 DATA, 1 INIT, 2 INIT ACK, 6 ABORT."""
    padded = value + bytes(-len(value) % 4)
    return struct.pack("!HHIIBBH", *ports, tag, 0, chunk, 0, 4 + len(value)) + padded


def _covered(protocol: int, segment: bytes) -> int:
    """How many octets the checksum covers; of DCCP all, as CsCov is 0 here."""
    coverage: int = struct.unpack_from("!H", segment, 4)[0] if protocol == UDPLITE else 0
    return coverage or len(segment)


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
