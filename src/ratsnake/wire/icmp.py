"""ICMP messages (RFC 792): Echo, and the errors with the packet they quote.

An error quotes the IP header and at least 8 bytes of the packet it is about (RFC 792); the total
length inside the quotation is that of the original, so it says nothing about what is there.
"""

import cython

if not cython.compiled:
    from .faults import ICMP_EMBEDDED, ICMP_TRUNCATED, ICMP_TYPE, NO_FAULT
    from .octets import be16
    from .packet import ICMP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, TCP, UDP, Packet
    from .types import Bytes, u32

    TYPE = 0
    CHECKSUM = 2
    IDENTIFIER = 4
    HEADER = 8
    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    IP_HEADER = 20
    IP_PROTOCOL = 9
    IP_FRAGMENT = 6
    FRAGMENT_OFFSET = 0x1FFF
    QUOTED_TRANSPORT = 8


def parse_icmp(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return ICMP_TRUNCATED
    kind: u32 = b[t + TYPE]
    p.protocol = ICMP
    p.icmp_type = kind
    if kind in (ECHO_REQUEST, ECHO_REPLY):
        p.source_port = p.destination_port = be16(b, t + IDENTIFIER)
        return NO_FAULT
    if kind in (DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM):
        p.is_error = 1
        return parse_embedded(b, p)
    return ICMP_TYPE


def parse_embedded(b: Bytes, p: Packet) -> u32:
    """Check the packet quoted in an error; protocol and ports of p become the quoted ones."""
    e: u32 = p.transport + HEADER
    if p.end - e < IP_HEADER or b[e] >> 4 != 4:
        return ICMP_EMBEDDED
    header: u32 = (b[e] & 15) * 4
    if header < IP_HEADER or p.end - e < header + QUOTED_TRANSPORT:
        return ICMP_EMBEDDED
    if be16(b, e + IP_FRAGMENT) & FRAGMENT_OFFSET:
        return ICMP_EMBEDDED
    t: u32 = e + header
    p.embedded = e
    p.embedded_transport = t
    protocol: u32 = b[e + IP_PROTOCOL]
    if protocol in (IPPROTO_TCP, IPPROTO_UDP):
        p.protocol = TCP if protocol == IPPROTO_TCP else UDP
        p.source_port = be16(b, t)
        p.destination_port = be16(b, t + 2)
        return NO_FAULT
    if protocol == IPPROTO_ICMP and (b[t] == ECHO_REQUEST or b[t] == ECHO_REPLY):
        p.source_port = p.destination_port = be16(b, t + IDENTIFIER)
        return NO_FAULT
    return ICMP_EMBEDDED
