"""Whole packets for tests: UDP, TCP and ICMP Echo, over IPv4 and IPv6, and whose they are.

    packet = udp_packet(("192.168.1.10", 4000), ("198.51.100.1", 53), b"question")
    assert endpoints(packet) == (("192.168.1.10", 4000), ("198.51.100.1", 53))

For anything rarer, such as options, fragments or malformed packets, use scapy.

An *endpoint* is an address as text and a port, 0 to 65535; of an Echo message the port is the
identifier.  ValueError is raised where the addresses of a packet are of different IP versions.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

Endpoint = tuple[str, int]

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
IPV4_HEADER, IPV6_HEADER = 20, 40
TTL = 64
WINDOW = 65535
#: Of a TCP header, by their first letters (RFC 9293 section 3.1).
TCP_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
#: Types of Echo messages, by protocol: request and reply (RFC 792, RFC 4443).
ECHO_TYPES = {ICMP: (8, 0), ICMPV6: (128, 129)}
#: Where a transport header has its checksum.
CHECKSUM_AT = {ICMP: 2, TCP: 16, UDP: 6, ICMPV6: 2}


def udp_packet(source: Endpoint, destination: Endpoint, payload: bytes = b"") -> bytearray:
    header = struct.pack("!4H", source[1], destination[1], 8 + len(payload), 0)
    return _packet(source[0], destination[0], UDP, header + payload)


def tcp_packet(
    source: Endpoint,
    destination: Endpoint,
    flags: str = "S",
    payload: bytes = b"",
    sequence: int = 0,
    acknowledgment: int = 0,
) -> bytearray:
    """A segment without options.  `flags` are letters of FSRPAU, so "SA" is a SYN with ACK."""
    bits = sum(TCP_FLAGS[letter] for letter in set(flags))
    numbers = (source[1], destination[1], sequence, acknowledgment)
    header = struct.pack("!HHIIBBHHH", *numbers, 5 << 4, bits, WINDOW, 0, 0)
    return _packet(source[0], destination[0], TCP, header + payload)


def echo_packet(
    source: str,
    destination: str,
    identifier: int,
    sequence: int = 1,
    payload: bytes = b"",
    reply: bool = False,
) -> bytearray:
    """A ping, or the reply to one."""
    protocol = ICMP if ip_address(source).version == 4 else ICMPV6
    header = struct.pack("!BBHHH", ECHO_TYPES[protocol][reply], 0, 0, identifier, sequence)
    return _packet(source, destination, protocol, header + payload)


def endpoints(packet: bytes | bytearray) -> tuple[Endpoint, Endpoint]:
    """Source and destination of a packet as made here; an Echo message has its identifier at both
    ends."""
    packet = bytes(packet)
    if packet[0] >> 4 == 4:
        start, protocol = IPV4_HEADER, packet[9]
        source, destination = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
    else:
        start, protocol = IPV6_HEADER, packet[6]
        source, destination = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    if protocol in ECHO_TYPES:
        (identifier,) = struct.unpack_from("!H", packet, start + 4)
        return (source, identifier), (destination, identifier)
    ports = struct.unpack_from("!HH", packet, start)
    return (source, ports[0]), (destination, ports[1])


def _packet(source: str, destination: str, protocol: int, segment: bytes) -> bytearray:
    """With all checksums, where the segment has 0 (RFC 791, RFC 8200 section 8.1)."""
    addresses = ip_address(source), ip_address(destination)
    if addresses[0].version != addresses[1].version:
        raise ValueError(f"{source} and {destination} are of different versions of IP")
    ends = addresses[0].packed + addresses[1].packed
    pseudo_header = b"" if protocol == ICMP else ends + struct.pack("!II", len(segment), protocol)
    check = internet_checksum(pseudo_header + segment)
    if protocol == UDP:
        check = check or 0xFFFF  # 0 says that there is none (RFC 768)
    body = bytearray(segment)
    struct.pack_into("!H", body, CHECKSUM_AT[protocol], check)
    if addresses[0].version == 6:
        return bytearray(struct.pack("!IHBB", 6 << 28, len(body), protocol, TTL) + ends) + body
    length = IPV4_HEADER + len(body)
    header = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, TTL, protocol, 0) + ends)
    struct.pack_into("!H", header, 10, internet_checksum(header))
    return header + body


def internet_checksum(octets: bytes | bytearray) -> int:
    """The checksum of all Internet headers (RFC 1071), of octets that have 0 in its place."""
    words = struct.unpack(f"!{(len(octets) + 1) // 2}H", bytes(octets) + bytes(len(octets) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
