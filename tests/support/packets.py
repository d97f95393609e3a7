"""Packets built field by field with struct: fast, and free to be wrong.  oracle.py judges them."""

import socket
import struct
from typing import NamedTuple

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 8, 11, 12

DONT_FRAGMENT = 0x4000  # in the flags-and-offset field

Endpoint = tuple[str, int]
Buffer = bytes | bytearray


def checksum(data: Buffer) -> int:
    """RFC 1071, in full."""
    data = bytes(data) + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return total ^ 0xFFFF


def ip(
    source: str,
    destination: str,
    protocol: int,
    payload: Buffer,
    options: bytes = b"",
    fragment: int = 0,
    ttl: int = 64,
) -> bytearray:
    """An IPv4 packet; `options` fill whole words, `fragment` is the flags-and-offset field."""
    header = bytearray(
        struct.pack(
            "!BBHHHBBH4s4s",
            0x45 + len(options) // 4,
            0,
            20 + len(options) + len(payload),
            7,
            fragment,
            ttl,
            protocol,
            0,
            socket.inet_aton(source),
            socket.inet_aton(destination),
        )
        + options
    )
    struct.pack_into("!H", header, 10, checksum(header))
    return header + payload


def pseudo_header(source: str, destination: str, protocol: int, size: int) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return addresses + struct.pack("!HH", protocol, size)


def udp(
    source: Endpoint, destination: Endpoint, payload: Buffer = b"data", check: bool = True
) -> bytearray:
    """Without `check` the checksum field is 0: none was computed."""
    size = 8 + len(payload)
    segment = bytearray(struct.pack("!4H", source[1], destination[1], size, 0) + payload)
    if check:
        whole = pseudo_header(source[0], destination[0], 17, size) + segment
        struct.pack_into("!H", segment, 6, checksum(whole) or 0xFFFF)
    return ip(source[0], destination[0], 17, segment)


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: str = "S",
    payload: Buffer = b"",
    options: bytes = b"",
    sequence: int = 1,
    acknowledgment: int = 1,
    window: int = 1024,
) -> bytearray:
    """`flags` are letters of FLAGS, as scapy and tcpdump write them; `options` fill whole words.

    Unless told otherwise both sides are at 1: each segment begins where the other side expects it.
    """
    bits = sum(FLAGS[letter] for letter in flags)
    offset = 0x50 + (len(options) // 4 << 4)
    places = (source[1], destination[1], sequence, acknowledgment)
    fixed = struct.pack("!HHIIBBHHH", *places, offset, bits, window, 0, 0)
    segment = bytearray(fixed + options + payload)
    whole = pseudo_header(source[0], destination[0], 6, len(segment)) + segment
    struct.pack_into("!H", segment, 16, checksum(whole))
    return ip(source[0], destination[0], 6, segment)


def icmp(source: str, destination: str, message: Buffer) -> bytearray:
    """`message` with a checksum field, which is computed."""
    message = bytearray(message)
    struct.pack_into("!H", message, 2, 0)
    struct.pack_into("!H", message, 2, checksum(message))
    return ip(source, destination, 1, message)


def echo(
    source: str,
    destination: str,
    identifier: int,
    kind: int = ECHO_REQUEST,
    payload: Buffer = b"data",
) -> bytearray:
    return icmp(source, destination, struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + payload)


def error(
    source: str,
    destination: str,
    quoted: Buffer,
    kind: int = UNREACHABLE,
    code: int = 3,
    rest: int = 0,
) -> bytearray:
    """`rest` is the header's second word, such as the next-hop MTU of a 3/4."""
    return icmp(source, destination, struct.pack("!BBHI", kind, code, 0, rest) + bytes(quoted))


def opening(protocol: str, source: Endpoint, destination: Endpoint) -> bytearray:
    """The packet that opens a session: a UDP datagram, a SYN, or an Echo Request.

    Of an Echo Request, `source[1]` is the identifier where the source is inside; where it is
    outside, `destination[1]` is.  The other one is 0.
    """
    if protocol == "icmp":
        return echo(source[0], destination[0], source[1] or destination[1])
    return tcp(source, destination) if protocol == "tcp" else udp(source, destination)


def answer(protocol: str, source: Endpoint, destination: Endpoint) -> bytearray:
    """The packet that answers `opening`."""
    if protocol == "icmp":
        return echo(source[0], destination[0], destination[1] or source[1], ECHO_REPLY)
    return tcp(source, destination, "SA") if protocol == "tcp" else udp(source, destination)


class Seen(NamedTuple):
    """Who a packet is from and to; the ports of an Echo message are its identifier."""

    source: Endpoint
    destination: Endpoint


def seen(packet: Buffer) -> Seen:
    header = (packet[0] & 15) * 4
    if packet[9] == PROTOCOLS["icmp"]:
        ports = (struct.unpack_from("!H", packet, header + 4)[0],) * 2
    else:
        ports = struct.unpack_from("!HH", packet, header)
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return Seen((source, ports[0]), (destination, ports[1]))


def quoted(packet: Buffer) -> bytearray:
    """The packet inside an ICMP error."""
    return bytearray(packet[(packet[0] & 15) * 4 + 8 :])


def marked(packet: Buffer, fragment: int) -> bytearray:
    """A copy of an IPv4 packet with other flags and fragment offset, and its checksum right."""
    return _changed(packet, 6, fragment)


def renumbered(packet: Buffer, like: Buffer) -> bytearray:
    """A copy of an IPv4 packet with the identification of another, and its checksum right."""
    return _changed(packet, 4, identification(like))


def identification(packet: Buffer) -> int:
    return int(struct.unpack_from("!H", packet, 4)[0])


def _changed(packet: Buffer, at: int, value: int) -> bytearray:
    copy = bytearray(packet)
    size = (copy[0] & 15) * 4
    struct.pack_into("!H", copy, at, value)
    struct.pack_into("!H", copy, 10, 0)
    struct.pack_into("!H", copy, 10, checksum(copy[:size]))
    return copy
