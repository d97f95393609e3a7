"""Headers of both IP versions and of every protocol, byte by byte, for tests of the parser.

Checksums are 0: the parser reads none.  Lengths are right unless a test says otherwise.
"""

import struct
from ipaddress import ip_address

HOST4, PEER4 = "192.0.2.1", "198.51.100.1"
HOST6, PEER6 = "2001:db8:1::1", "2001:db8:2::2"
AH, NONE = 51, 59
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
NUMBERS = {
    **{"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "icmpv6": 58},
    **{"sctp": 132, "udplite": 136},
}
PORTS = struct.pack("!HH", 4000, 53)


def changed(packet: bytes, at: int, layout: str, value: int) -> bytes:
    """A copy with one field of another value."""
    copy = bytearray(packet)
    struct.pack_into(layout, copy, at, value)
    return bytes(copy)


def ipv4(
    number: int,
    payload: bytes,
    options: bytes = b"",
    field: int = 0,
    source: str = HOST4,
    destination: str = PEER4,
) -> bytes:
    """`field` is flags and fragment offset."""
    words, total = 5 + len(options) // 4, 20 + len(options) + len(payload)
    fixed = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 0xABCD, field, 64, number, 0)
    return fixed + ip_address(source).packed + ip_address(destination).packed + options + payload


def ipv6(number: int, payload: bytes, source: str = HOST6, destination: str = PEER6) -> bytes:
    fixed = struct.pack("!IHBB", 6 << 28, len(payload), number, 64)
    return fixed + ip_address(source).packed + ip_address(destination).packed + payload


def extension(following: int, payload: bytes, size: int = 8, segments_left: int = 0) -> bytes:
    """An extension header of `size` bytes with what follows it."""
    return bytes([following, size // 8 - 1, 0, segments_left]) + bytes(size - 4) + payload


def fragment_header(
    following: int, payload: bytes, offset: int = 0, more: int = 0, identification: int = 0x89ABCDEF
) -> bytes:
    return struct.pack("!BBHI", following, 0, offset | more, identification) + payload


def tcp(flags: int = 2, payload: bytes = b"") -> bytes:
    return PORTS + struct.pack("!IIBBHHH", 1, 2, 0x50, flags, 1024, 0, 0) + payload


def udp(payload: bytes = b"data") -> bytes:
    return PORTS + struct.pack("!HH", 8 + len(payload), 0) + payload


def udplite(coverage: int = 8, payload: bytes = b"data") -> bytes:
    return PORTS + struct.pack("!HH", coverage, 0) + payload


def dccp(kind: int = 0, extended: int = 1, payload: bytes = b"") -> bytes:
    size = 16 if extended else 12
    head = PORTS + struct.pack("!BBHB", size // 4, 0, 0, kind << 1 | extended)
    return head + bytes(size - len(head)) + payload


def sctp(chunk: int = 1, value: bytes = b"") -> bytes:
    return PORTS + bytes(8) + struct.pack("!BBH", chunk, 0, 4 + len(value)) + value


def icmp(kind: int, payload: bytes = b"data", identifier: int = 7) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + payload


def error4(quoted: bytes, kind: int = 3) -> bytes:
    return ipv4(NUMBERS["icmp"], icmp(kind, quoted))


def error6(quoted: bytes, kind: int = 1) -> bytes:
    return ipv6(NUMBERS["icmpv6"], icmp(kind, quoted))


UPPER_LAYERS = {
    "tcp": tcp(),
    "udp": udp(),
    "udplite": udplite(),
    "dccp": dccp(),
    "sctp": sctp(),
    "gre": bytes(20),
}
