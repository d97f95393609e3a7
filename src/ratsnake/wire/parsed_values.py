"""What the compiled parser and the inlined checksums say, as Python values.

Tests read it: it has no part in translating a packet.
"""

import cython

if not cython.compiled:
    from .byte_order import be64, put64
    from .checksum import difference128, pseudo_header_sum, sum_octets
    from .integer_types import u32, u64
    from .ip import parse
    from .packet_fields import IPPROTO_ICMPV6, Packet, fields_of, new_packet, release_packet


def inspect(*packets: bytearray) -> tuple[int, dict[str, int]]:
    """Parse packets into one record; the fault of the last, and what was found out about it."""
    p: Packet = new_packet()
    fault: u32 = 0
    packet: bytearray
    for packet in packets:
        fault = parse(packet, len(packet), p)
    fields: dict[str, int] = fields_of(p)
    release_packet(p)
    return fault, fields


def checksum_is_right(packet: bytearray, over_pseudo_header: bool) -> bool:
    """Whether the upper layer of a well-formed packet, its checksum included, sums to all ones.

    An error's pseudo-header is ICMPv6's: ICMP has none (RFC 792).
    """
    p: Packet = new_packet()
    parse(packet, len(packet), p)
    size: u32 = p.end - p.transport
    s: u32 = sum_octets(packet, p.transport, p.end)
    if over_pseudo_header:
        number: u32 = IPPROTO_ICMPV6 if p.is_error else p.number
        s += pseudo_header_sum(
            p.source_high, p.source_low, p.destination_high, p.destination_low, size, number
        )
    release_packet(p)
    return s % 0xFFFF == 0


def readdress(packet: bytearray, at: int, high: u64, low: u64) -> int:
    """Write a 128-bit address at an offset; the difference this makes to a sum over it."""
    difference: u32 = difference128(be64(packet, at), be64(packet, at + 8), high, low)
    put64(packet, at, high)
    put64(packet, at + 8, low)
    return difference
