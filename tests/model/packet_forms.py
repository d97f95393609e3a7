"""Packets as a reader thinks of them, and their bytes with every checksum computed in full.

Nothing here is shared with the engine, nor with its increments of checksums.
"""

import functools
import socket
import struct
from dataclasses import dataclass, replace

from support.packets import FLAGS, checksum

Endpoint = tuple[str, int]
NUMBERS = {("icmp", 4): 1, ("icmp", 6): 58, ("tcp", 4): 6, ("tcp", 6): 6}
NUMBERS |= {("udp", 4): 17, ("udp", 6): 17}
ECHO = {(4, True): 8, (4, False): 0, (6, True): 128, (6, False): 129}
ERROR_TYPES = {4: (3, 11, 12), 6: (1, 2, 3, 4)}  # RFC 792, RFC 4443 section 3
HEADER = {4: 20, 6: 40}


@functools.cache
def octets(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def version_of(address: str) -> int:
    return 6 if ":" in address else 4


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP segment, UDP datagram or Echo message; both ports of an Echo are its identifier.

    `flags` are letters; `scale` is the window scale a SYN offers, if any; without `has_checksum`
    the field of a UDP datagram is 0; `is_request` tells the two Echo messages apart.
    `identification` (None: not chosen yet) and `fixed_size` ("don't fragment") are IPv4's.
    """

    protocol: str
    source: Endpoint
    destination: Endpoint
    payload: bytes = b""
    flags: str = "S"
    sequence: int = 1
    acknowledgment: int = 0
    window: int = 1024
    scale: int | None = None
    has_checksum: bool = True
    is_request: bool = True
    identification: int | None = 7
    fixed_size: bool = True

    @property
    def version(self) -> int:
        return version_of(self.source[0])

    @property
    def size(self) -> int:
        transport = {"tcp": 20 if self.scale is None else 24, "udp": 8, "icmp": 8}[self.protocol]
        return HEADER[self.version] + transport + len(self.payload)

    def sent_by(self, endpoint: Endpoint) -> "Packet":
        """The same from another source."""
        if self.protocol == "icmp":
            return replace(self, source=endpoint, destination=(self.destination[0], endpoint[1]))
        return replace(self, source=endpoint)

    def sent_to(self, endpoint: Endpoint) -> "Packet":
        """The same to another destination."""
        if self.protocol == "icmp":
            return replace(self, source=(self.source[0], endpoint[1]), destination=endpoint)
        return replace(self, destination=endpoint)

    def encoded(self) -> bytes:
        ends = octets(self.source[0]) + octets(self.destination[0])
        if self.protocol == "tcp":
            at, segment = 16, self._segment()
        elif self.protocol == "udp":
            ports = (self.source[1], self.destination[1])
            at, segment = 6, struct.pack("!4H", *ports, 8 + len(self.payload), 0) + self.payload
        else:
            at, kind = 2, ECHO[self.version, self.is_request]
            segment = struct.pack("!BBHHH", kind, 0, 0, self.source[1], 1) + self.payload
        number = NUMBERS[self.protocol, self.version]
        if self.protocol != "udp" or self.has_checksum:
            value = transport_checksum(ends, number, segment)
            if self.protocol == "udp":
                value = value or 0xFFFF
            segment = segment[:at] + struct.pack("!H", value) + segment[at + 2 :]
        return ip(ends, number, segment, self.identification, self.fixed_size)

    def _segment(self) -> bytes:
        options = b"" if self.scale is None else bytes((1, 3, 3, self.scale))
        return (
            struct.pack(
                "!HHIIBBHHH",
                self.source[1],
                self.destination[1],
                self.sequence,
                self.acknowledgment,
                (20 + len(options)) << 2,
                sum(FLAGS[letter] for letter in self.flags),
                self.window,
                0,
                0,
            )
            + options
            + self.payload
        )


@dataclass(frozen=True, slots=True)
class Error:
    """An ICMP error with the first `cut` octets of the packet it is about.

    `kind` chooses the type; the checksum is wrong where it is not `sound`.
    """

    source: str
    destination: str
    quoted: Packet
    cut: int
    kind: int = 0
    sound: bool = True

    def encoded(self) -> bytes:
        version = version_of(self.source)
        ends = octets(self.source) + octets(self.destination)
        number = NUMBERS["icmp", version]
        kind = ERROR_TYPES[version][self.kind % len(ERROR_TYPES[version])]
        message = struct.pack("!BBHI", kind, 0, 0, 1400) + self.quoted.encoded()[: self.cut]
        value = transport_checksum(ends, number, message) ^ (0 if self.sound else 0x0100)
        return ip(ends, number, message[:2] + struct.pack("!H", value) + message[4:], 7, True)


def transport_checksum(ends: bytes, number: int, segment: bytes) -> int:
    """RFC 1071 over the segment and the pseudo-header, which ICMP (RFC 792) does not have."""
    if number == 1:
        return checksum(segment)
    return checksum(ends + struct.pack("!II", len(segment), number) + segment)


def ip(
    ends: bytes, number: int, payload: bytes, identification: int | None, fixed_size: bool
) -> bytes:
    """`ends`: both addresses, which also say which version it is."""
    if len(ends) == 32:
        return struct.pack("!IHBB", 0x6AB12345, len(payload), number, 64) + ends + payload
    flags = 0x4000 if fixed_size else 0
    size = 20 + len(payload)
    start = struct.pack("!BBHHHBB", 0x45, 0, size, identification, flags, 64, number)
    return start + struct.pack("!H", checksum(start + bytes(2) + ends)) + ends + payload
