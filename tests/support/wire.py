"""Packets of both IP versions and all protocols, with checksums computed in full.

A packet is known by its two endpoints and by what it does: "open" a session, "answer" the opener,
"close" or "reset" the session, or none of these ("data").
"""

import struct
from ipaddress import ip_address

from .packets import FLAGS, Buffer, Endpoint, Seen, checksum

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "sctp": 132, "udplite": 136}
ICMPV6 = 58
# What the six protocols with ports (or an identifier) are to the NAT; GRE is one of those without.
WITH_PORTS = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp")
CHECKSUM_AT = {"tcp": 16, "udp": 6, "udplite": 6, "dccp": 6, "icmp": 2}
TCP_FLAGS = {"open": "S", "answer": "SA", "close": "FA", "reset": "R", "data": "A"}
DCCP_TYPES = {"open": 0, "answer": 1, "close": 6, "reset": 7, "data": 2}
SCTP_CHUNKS = {"open": 1, "answer": 2, "close": 7, "reset": 6, "data": 0}
ECHO = {4: {"open": 8, "answer": 0}, 6: {"open": 128, "answer": 129}}


def version_of(packet: Buffer) -> int:
    return packet[0] >> 4


def header_of(packet: Buffer) -> int:
    """The size of the IP header; no packet here has IPv6 extension headers."""
    return (packet[0] & 15) * 4 if version_of(packet) == 4 else 40


def protocol_of(packet: Buffer) -> str:
    number = packet[9] if version_of(packet) == 4 else packet[6]
    return "icmp" if number == ICMPV6 else {n: name for name, n in NUMBERS.items()}[number]


def crc32c(data: Buffer) -> int:
    """RFC 9260 appendix A, bit by bit."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_checksums(packet: Buffer) -> bytearray:
    """A copy whose checksums, of the IP header and the transport, are computed anew."""
    copy = bytearray(packet)
    header, protocol = header_of(copy), protocol_of(copy)
    if version_of(copy) == 4:
        struct.pack_into("!H", copy, 10, 0)
        struct.pack_into("!H", copy, 10, checksum(copy[:header]))
        addresses, number = copy[12:20], copy[9]
    else:
        addresses, number = copy[8:40], copy[6]
    if protocol == "sctp":
        struct.pack_into("!I", copy, header + 8, 0)
        struct.pack_into("<I", copy, header + 8, crc32c(copy[header:]))
    elif protocol != "gre":
        at = header + CHECKSUM_AT[protocol]
        struct.pack_into("!H", copy, at, 0)
        whole = bytes(copy[header:])
        if protocol != "icmp" or version_of(copy) == 6:
            whole = bytes(addresses) + struct.pack("!II", len(whole), number) + whole
        check = checksum(whole)
        struct.pack_into("!H", copy, at, 0xFFFF if protocol == "udp" and not check else check)
    return copy


def is_sound(packet: Buffer) -> bool:
    """Whether all checksums but those in a quotation are right."""
    return with_checksums(packet) == packet


def ip(source: str, destination: str, protocol: str, payload: Buffer) -> bytearray:
    """A packet of the addresses' family, complete with checksums."""
    from_address, to_address = ip_address(source), ip_address(destination)
    addresses = from_address.packed + to_address.packed
    number = NUMBERS[protocol]
    if from_address.version == 4:
        fixed = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0x4000, 64, number, 0)
    else:
        number = ICMPV6 if protocol == "icmp" else number
        fixed = struct.pack("!IHBB", 6 << 28, len(payload), number, 64)
    return with_checksums(fixed + addresses + payload)


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: str = "S",
    sequence: int = 1,
    acknowledgment: int = 2,
    window: int = 1024,
    options: bytes = b"",
    payload: bytes = b"",
) -> bytearray:
    """`options` fill whole words."""
    bits = sum(FLAGS[letter] for letter in flags)
    numbers = (sequence & 0xFFFFFFFF, acknowledgment & 0xFFFFFFFF)
    offset = 5 + len(options) // 4
    fixed = struct.pack(
        "!HHIIBBHHH", source[1], destination[1], *numbers, offset << 4, bits, window, 0, 0
    )
    return ip(source[0], destination[0], "tcp", fixed + options + payload)


def packet(
    protocol: str,
    source: Endpoint,
    destination: Endpoint,
    what: str = "open",
    payload: bytes = b"data",
) -> bytearray:
    """Of an Echo message the inside's port is the identifier, and the outside's is 0."""
    ports = struct.pack("!HH", source[1], destination[1])
    if protocol == "tcp":
        return tcp(source, destination, TCP_FLAGS[what])
    if protocol == "udp":
        body = ports + struct.pack("!HH", 8 + len(payload), 0) + payload
    elif protocol == "udplite":
        body = ports + struct.pack("!HH", 0, 0) + payload
    elif protocol == "dccp":
        body = ports + struct.pack("!BBHB", 6, 0, 0, DCCP_TYPES[what] << 1 | 1) + bytes(15)
    elif protocol == "sctp":
        body = ports + bytes(8) + struct.pack("!BBH", SCTP_CHUNKS[what], 0, 20) + bytes(16)
    elif protocol == "icmp":
        kind = ECHO[ip_address(source[0]).version][what]
        body = struct.pack("!BBHHH", kind, 0, 0, source[1] or destination[1], 1) + payload
    else:
        body = struct.pack("!HH", 0, 0x0800) + payload
    return ip(source[0], destination[0], protocol, body)


def seen(data: Buffer) -> Seen:
    """Who a packet is from and to; an Echo message has its identifier as both ports, GRE has 0."""
    header, protocol = header_of(data), protocol_of(data)
    if protocol == "icmp":
        ports = (struct.unpack_from("!H", data, header + 4)[0],) * 2
    else:
        ports = (0, 0) if protocol == "gre" else struct.unpack_from("!HH", data, header)
    first, size = (12, 4) if version_of(data) == 4 else (8, 16)
    source, destination = (
        str(ip_address(bytes(data[at : at + size]))) for at in (first, first + size)
    )
    return Seen((source, ports[0]), (destination, ports[1]))


def error_in(data: Buffer) -> tuple[int, int, bytes]:
    """Type and code of an ICMP error, and what it quotes."""
    assert protocol_of(data) == "icmp"
    header = header_of(data)
    return data[header], data[header + 1], bytes(data[header + 8 :])
