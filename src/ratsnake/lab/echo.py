"""ICMP Echo messages (RFC 792) as raw sockets send and receive them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

ECHO_REPLY, ECHO_REQUEST = 0, 8

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
_MIN_IPV4 = 20


@dataclass(frozen=True)
class Echo:
    """An Echo request or reply."""

    kind: int
    identifier: int
    sequence: int
    payload: bytes

    def pack(self) -> bytes:
        """The ICMP message with its checksum."""
        fields = (self.kind, 0, 0, self.identifier, self.sequence)
        message = _HEADER.pack(*fields) + self.payload
        checksum = _checksum(message)
        return message[:2] + checksum.to_bytes(2, "big") + message[4:]


def unpack(packet: bytes) -> Echo | None:
    """The Echo in a packet from a raw socket (IPv4 header in front), or None if it is none."""
    if len(packet) < _MIN_IPV4:
        return None
    message = packet[(packet[0] & 15) * 4 :]
    if len(message) < _HEADER.size:
        return None
    kind, _, _, identifier, sequence = _HEADER.unpack_from(message)
    if kind not in (ECHO_REPLY, ECHO_REQUEST):
        return None
    return Echo(kind, identifier, sequence, message[_HEADER.size :])


def _checksum(message: bytes) -> int:
    padded = message + bytes(len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
