"""ICMP messages (RFC 792): the queries Echo and Timestamp, and the errors with what they quote.

An error is never fragmented in practice, for it is kept below 576 bytes (RFC 1812 section 4.3.2.3);
one that is could not be checked against its checksum, so it is refused.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import FRAGMENT, ICMP_EMBEDDED, ICMP_TRUNCATED, ICMP_TYPE, NO_FAULT
    from .integer_types import Bytes, u32
    from .ipv4 import FRAGMENT_FIELD, FRAGMENT_OFFSET, PROTOCOL_FIELD
    from .ipv4 import HEADER as IP_HEADER
    from .packet_fields import WHOLE, Packet
    from .quoted_packet import QUOTED_TRANSPORT, parse_quoted_transport

    TYPE = 0
    CODE = 1
    CHECKSUM = 2
    IDENTIFIER = 4
    HEADER = 8
    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP_REQUEST = 13
    TIMESTAMP_REPLY = 14
    TIMESTAMP_SIZE = 20


def is_query(kind: u32) -> bool:
    """Whether a message of this type has an identifier and is translated by it."""
    return kind in (ECHO_REQUEST, ECHO_REPLY, TIMESTAMP_REQUEST, TIMESTAMP_REPLY)


def parse_icmp(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return ICMP_TRUNCATED
    kind: u32 = b[t + TYPE]
    p.kind = kind
    if is_query(kind):
        if kind in (TIMESTAMP_REQUEST, TIMESTAMP_REPLY) and p.end - t < TIMESTAMP_SIZE:
            return ICMP_TRUNCATED
        p.source_port = p.destination_port = be16(b, t + IDENTIFIER)
        return NO_FAULT
    if kind in (DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM):
        return parse_quoted_ipv4(b, p) if p.fragment == WHOLE else FRAGMENT
    return ICMP_TYPE


def parse_quoted_ipv4(b: Bytes, p: Packet) -> u32:
    """Check the packet quoted in an error: its IP options are skipped (RFC 5508 REQ-3b)."""
    e: u32 = p.transport + HEADER
    if p.end - e < IP_HEADER or b[e] >> 4 != 4:
        return ICMP_EMBEDDED
    header: u32 = (b[e] & 15) * 4
    if header < IP_HEADER or p.end - e < header + QUOTED_TRANSPORT:
        return ICMP_EMBEDDED
    if be16(b, e + FRAGMENT_FIELD) & FRAGMENT_OFFSET:
        return ICMP_EMBEDDED
    t: u32 = e + header
    return parse_quoted_transport(b, p, e, t, b[e + PROTOCOL_FIELD], is_query(b[t + TYPE]))
