"""ICMP and ICMPv6 Echo messages (RFC 792, 4443) as raw sockets send and receive them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..wire.packet_builder import internet_checksum

ECHO_REPLY, ECHO_REQUEST = 0, 8

#: The types on the wire, by the version of IP.
_TYPES = {
    4: {ECHO_REPLY: 0, ECHO_REQUEST: 8},
    6: {ECHO_REPLY: 129, ECHO_REQUEST: 128},
}
_KINDS = {
    version: {wire: kind for kind, wire in types.items()} for version, types in _TYPES.items()
}

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
_MIN_IPV4 = 20


@dataclass(frozen=True)
class Echo:
    """An Echo request or reply: `kind` is ECHO_REQUEST or ECHO_REPLY, in IPv6 too."""

    kind: int
    identifier: int
    sequence: int
    payload: bytes

    def pack(self, version: int = 4) -> bytes:
        """The message with its checksum; the kernel itself makes that of ICMPv6."""
        fields = (_TYPES[version][self.kind], 0, 0, self.identifier, self.sequence)
        message = _HEADER.pack(*fields) + self.payload
        checksum = internet_checksum(message)
        return message[:2] + checksum.to_bytes(2, "big") + message[4:]


def unpack(packet: bytes, version: int = 4) -> Echo | None:
    """The Echo in what a raw socket received, or None if it is none.

    An IPv4 header comes with it, an IPv6 header does not.
    """
    message = packet
    if version == 4:
        if len(packet) < _MIN_IPV4:
            return None
        message = packet[(packet[0] & 15) * 4 :]
    if len(message) < _HEADER.size:
        return None
    wire, _, _, identifier, sequence = _HEADER.unpack_from(message)
    kind = _KINDS[version].get(wire)
    if kind is None:
        return None
    return Echo(kind, identifier, sequence, message[_HEADER.size :])
