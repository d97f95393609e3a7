"""Packets of both IP versions and of every protocol that is translated, with right checksums.

They are built field by field with struct; judge.py has scapy check them.  IPv4 packets must not be
fragmented unless a test says otherwise, so that they keep their identification.
"""

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

from .packets import FLAGS, Buffer, Endpoint, Seen, checksum


class Family(NamedTuple):
    """An IP version with the hosts of a small world, and its numbers of ICMP."""

    version: int
    external: str
    internal: str
    inside: str
    other: str
    lan_router: str
    r1: str
    r2: str
    r3: str
    icmp: int
    request: int
    reply: int


V4 = Family(
    4,
    "203.0.113.1",
    "192.168.1.0/24",
    *("192.168.1.10", "192.168.1.11", "192.168.1.1"),
    *("198.51.100.1", "198.51.100.2", "198.51.100.3"),
    *(1, 8, 0),
)
V6 = Family(
    6,
    "2001:db8:ffff::1",
    "2001:db8:1::/64",
    *("2001:db8:1::10", "2001:db8:1::11", "2001:db8:1::1"),
    *("2001:db8:2::1", "2001:db8:2::2", "2001:db8:3::3"),
    *(58, 128, 129),
)
PROTOCOLS = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp")
NUMBERS = {"tcp": 6, "udp": 17, "udplite": 136, "dccp": 33, "sctp": 132}
NUMBERS |= {"gre": 47, "esp": 50, "ipip": 4, "ah": 51}
WITH_PORTS = ("tcp", "udp", "udplite", "dccp", "sctp")
PORTLESS = ("gre", "esp", "ipip")
REQUEST, RESPONSE, DCCP_DATA, CLOSE_REQUEST, CLOSE, RESET = 0, 1, 2, 5, 6, 7
DATA, INIT, INIT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE = 0, 1, 2, 6, 7, 8, 14
DONT_FRAGMENT = 0x4000
CASTAGNOLI = 0x82F63B78


def family_of(address: str) -> Family:
    return V6 if ":" in address else V4


def packet(
    source: str,
    destination: str,
    number: int,
    payload: Buffer,
    hops: int = 64,
    field: int = DONT_FRAGMENT,
    identification: int = 7,
    traffic: int = 0,
    label: int = 0,
) -> bytearray:
    """An IP packet; `field` (flags, offset) and `identification` are of IPv4, `label` of IPv6."""
    ends = ip_address(source).packed + ip_address(destination).packed
    if len(ends) == 32:
        first = 6 << 28 | traffic << 20 | label
        return bytearray(struct.pack("!IHBB", first, len(payload), number, hops) + ends + payload)
    size = 20 + len(payload)
    head = (0x45, traffic, size, identification, field, hops, number, 0)
    header = bytearray(struct.pack("!BBHHHBBH", *head) + ends)
    struct.pack_into("!H", header, 10, checksum(header))
    return header + payload


def pseudo(source: str, destination: str, number: int, size: int) -> bytes:
    ends = ip_address(source).packed + ip_address(destination).packed
    return ends + struct.pack("!II", size, number)


def sealed(
    source: str, destination: str, number: int, segment: Buffer, at: int, covered: int | None = None
) -> bytearray:
    """The segment with its checksum at `at`, over the first `covered` bytes of it."""
    whole = bytearray(segment)
    total = checksum(pseudo(source, destination, number, len(whole)) + whole[:covered])
    struct.pack_into("!H", whole, at, total or 0xFFFF)
    return whole


def udp(source: Endpoint, destination: Endpoint, payload: Buffer = b"data") -> bytearray:
    segment = struct.pack("!4H", source[1], destination[1], 8 + len(payload), 0) + payload
    return packet(source[0], destination[0], 17, sealed(source[0], destination[0], 17, segment, 6))


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: str = "S",
    payload: Buffer = b"",
    options: bytes = b"",
) -> bytearray:
    """`options` fill whole words."""
    bits = sum(FLAGS[letter] for letter in flags)
    words = 5 + len(options) // 4 << 4
    fixed = struct.pack("!HHIIBBHHH", source[1], destination[1], 1, 2, words, bits, 1024, 0, 0)
    segment = sealed(source[0], destination[0], 6, fixed + options + payload, 16)
    return packet(source[0], destination[0], 6, segment)


def udplite(
    source: Endpoint, destination: Endpoint, payload: Buffer = b"data", coverage: int = 8
) -> bytearray:
    """`coverage` 0 is all."""
    segment = struct.pack("!4H", source[1], destination[1], coverage, 0) + payload
    whole = sealed(source[0], destination[0], 136, segment, 6, coverage or None)
    return packet(source[0], destination[0], 136, whole)


def dccp(
    source: Endpoint,
    destination: Endpoint,
    kind: int = REQUEST,
    payload: Buffer = b"",
    coverage: int = 0,
) -> bytearray:
    """With long sequence numbers; `coverage` is the header's field: 1 is the header alone."""
    head = (source[1], destination[1], 5, coverage, 0, kind << 1 | 1, 0, 0, 1, 2)
    segment = struct.pack("!HHBBHBBHII", *head) + payload
    covered = 20 + 4 * (coverage - 1) if coverage else None
    whole = sealed(source[0], destination[0], 33, segment, 6, covered)
    return packet(source[0], destination[0], 33, whole)


def crc32c(data: Buffer) -> int:
    """Bit by bit, with the octets swapped as SCTP sends them (RFC 9260 appendix A)."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    return int.from_bytes((crc ^ 0xFFFFFFFF).to_bytes(4, "little"), "big")


def sctp(
    source: Endpoint, destination: Endpoint, chunk: int = INIT, value: Buffer = bytes(16)
) -> bytearray:
    """`value` of whole words."""
    head = struct.pack("!HHII", source[1], destination[1], 0xCAFE, 0)
    segment = bytearray(head + struct.pack("!BBH", chunk, 0, 4 + len(value)) + value)
    struct.pack_into("!I", segment, 8, crc32c(segment))
    return packet(source[0], destination[0], 132, segment)


def message(source: str, destination: str, body: Buffer) -> bytearray:
    """An ICMP message of the family with its checksum, which is in its second word."""
    family = family_of(source)
    whole = bytearray(body)
    over = pseudo(source, destination, 58, len(whole)) if family.version == 6 else b""
    struct.pack_into("!H", whole, 2, checksum(over + bytes(whole)))
    return packet(source, destination, family.icmp, whole)


def echo(
    source: str, destination: str, identifier: int, reply: bool = False, payload: Buffer = b"data"
) -> bytearray:
    family = family_of(source)
    kind = family.reply if reply else family.request
    return message(source, destination, struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + payload)


def error(
    source: str, destination: str, quoted: Buffer, kind: int, code: int = 0, rest: int = 0
) -> bytearray:
    """`rest` is the second word of the header, such as an MTU."""
    return message(source, destination, struct.pack("!BBHI", kind, code, 0, rest) + bytes(quoted))


def opening(protocol: str, source: Endpoint, destination: Endpoint) -> bytearray:
    """A packet that opens a session; of an Echo Request one of the ports is the identifier."""
    if protocol == "icmp":
        return echo(source[0], destination[0], source[1] or destination[1])
    makers = {"tcp": tcp, "udp": udp, "udplite": udplite, "dccp": dccp, "sctp": sctp}
    if protocol in makers:
        return makers[protocol](source, destination)  # type: ignore[operator, no-any-return]
    return packet(source[0], destination[0], NUMBERS[protocol], bytes(range(32)))


def answer(protocol: str, source: Endpoint, destination: Endpoint) -> bytearray:
    """The packet that answers `opening`."""
    if protocol == "icmp":
        return echo(source[0], destination[0], destination[1] or source[1], True)
    if protocol == "tcp":
        return tcp(source, destination, "SA")
    if protocol == "dccp":
        return dccp(source, destination, RESPONSE)
    if protocol == "sctp":
        return sctp(source, destination, INIT_ACK)
    return opening(protocol, source, destination)


def extended(whole: Buffer, headers: Sequence[tuple[int, bytes]]) -> bytearray:
    """An IPv6 packet with extension headers put in: of each its number and what it is made of."""
    number, rest = whole[6], bytes(whole[40:])
    for kind, header in reversed(headers):
        rest = bytes([number]) + header[1:] + rest
        number = kind
    longer = bytearray(whole[:40]) + rest
    struct.pack_into("!HB", longer, 4, len(rest), number)
    return longer


def upper_layer(whole: Buffer) -> tuple[int, int]:
    """Its protocol number, and where it begins."""
    if whole[0] >> 4 == 4:
        return whole[9], (whole[0] & 15) * 4
    number, at = whole[6], 40
    while number in (0, 43, 44, 60):
        number, at = whole[at], at + 8 + (0 if number == 44 else whole[at + 1] * 8)
    return number, at


def addresses(whole: Buffer) -> tuple[str, str]:
    at, size = (12, 4) if whole[0] >> 4 == 4 else (8, 16)
    ends = (bytes(whole[at : at + size]), bytes(whole[at + size : at + 2 * size]))
    return str(ip_address(ends[0])), str(ip_address(ends[1]))


def seen(whole: Buffer) -> Seen:
    """Who a packet is from and to; of ICMP the ports are the identifier, without ports 0."""
    number, at = upper_layer(whole)
    ports: tuple[int, ...] = (0, 0)
    if number in (1, 58):
        ports = struct.unpack_from("!H", whole, at + 4) * 2
    elif number in (6, 17, 33, 132, 136):
        ports = struct.unpack_from("!HH", whole, at)
    source, destination = addresses(whole)
    return Seen((source, ports[0]), (destination, ports[1]))


def quoted(whole: Buffer) -> bytearray:
    """The packet inside an ICMP error."""
    return bytearray(whole[upper_layer(whole)[1] + 8 :])
