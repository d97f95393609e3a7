"""ICMPv6 messages (RFC 4443): Echo, and the errors with the packet they quote.

Neighbour Discovery (RFC 4861) belongs to a link, and Multicast Listener Discovery too: neither is
translated.  An error in fragments is refused, as in `icmp.py`: it fits the minimum MTU (RFC 4443
section 2.4c).
"""

import cython

if not cython.compiled:
    from .byte_order import be16, be64
    from .header_faults import (
        FRAGMENT,
        ICMP_EMBEDDED,
        ICMP_TRUNCATED,
        ICMP_TYPE,
        NEIGHBOUR_DISCOVERY,
        NO_FAULT,
    )
    from .integer_types import M8, Bytes, u32, u64
    from .ipv6 import DESTINATION, NEXT_HEADER, SOURCE, is_mapped
    from .ipv6 import HEADER as IP_HEADER
    from .ipv6_extension_headers import OFFSET_BITS, OFFSET_FIELD, follow_extensions
    from .packet_fields import WHOLE, Packet
    from .quoted_packet import QUOTED_TRANSPORT, parse_quoted_transport

    TYPE = 0
    CODE = 1
    CHECKSUM = 2
    IDENTIFIER = 4
    MTU = 4
    HEADER = 8
    DESTINATION_UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129
    # Multicast Listener Discovery (RFC 2710), Neighbour Discovery (RFC 4861) behind it without a
    # gap, and version 2 of the former's report (RFC 3810).
    LISTENER_QUERY = 130
    REDIRECT = 137
    LISTENER_REPORT_2 = 143


def parse_icmpv6(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return ICMP_TRUNCATED
    kind: u32 = b[t + TYPE]
    p.kind = kind
    if kind in (ECHO_REQUEST, ECHO_REPLY):
        p.source_port = p.destination_port = be16(b, t + IDENTIFIER)
        return NO_FAULT
    if kind in (DESTINATION_UNREACHABLE, PACKET_TOO_BIG, TIME_EXCEEDED, PARAMETER_PROBLEM):
        return parse_quoted_ipv6(b, p) if p.fragment == WHOLE else FRAGMENT
    if LISTENER_QUERY <= kind <= REDIRECT or kind == LISTENER_REPORT_2:
        return NEIGHBOUR_DISCOVERY
    return ICMP_TYPE


def parse_quoted_ipv6(b: Bytes, p: Packet) -> u32:
    """Check the packet quoted in an error, with its extension headers."""
    e: u32 = p.transport + HEADER
    if p.end - e < IP_HEADER or b[e] >> 4 != 6:
        return ICMP_EMBEDDED
    if is_mapped(be64(b, e + SOURCE), be64(b, e + SOURCE + 8)):
        return ICMP_EMBEDDED
    if is_mapped(be64(b, e + DESTINATION), be64(b, e + DESTINATION + 8)):
        return ICMP_EMBEDDED
    chain: u64 = follow_extensions(b, e + IP_HEADER, p.end, b[e + NEXT_HEADER])
    t: u32 = chain >> 32
    if chain == 0 or p.end - t < QUOTED_TRANSPORT:
        return ICMP_EMBEDDED
    fragment: u32 = chain >> 8 & 0xFFFFFF
    if fragment and be16(b, fragment + OFFSET_FIELD) & OFFSET_BITS:
        return ICMP_EMBEDDED
    kind: u32 = b[t + TYPE]
    return parse_quoted_transport(b, p, e, t, chain & M8, kind in (ECHO_REQUEST, ECHO_REPLY))
