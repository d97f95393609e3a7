"""The IPv4 header (RFC 791): field offsets, and the one check of a whole packet.

`parse` either names a fault or fills a `Packet` whose offsets are safe to use.
"""

import cython

if not cython.compiled:
    from .faults import (
        EMPTY,
        FRAGMENT,
        IP_HEADER_LENGTH,
        IP_LENGTH,
        IP_OVERLONG,
        IP_TRUNCATED,
        IP_VERSION,
        IPV6,
        PROTOCOL,
    )
    from .icmp import parse_icmp
    from .octets import be16, be32
    from .packet import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, Packet
    from .tcp import parse_tcp
    from .types import MAPPED_IPV4, Bytes, u32
    from .udp import parse_udp

    VERSION = 0
    TOTAL_LENGTH = 2
    FRAGMENT_FIELD = 6
    PROTOCOL_FIELD = 9
    CHECKSUM = 10
    SOURCE = 12
    DESTINATION = 16
    HEADER = 20
    MORE_OR_OFFSET = 0x3FFF


def parse(b: Bytes, size: u32, p: Packet) -> u32:
    """Check the packet in b[:size] and fill p; return its fault, or NO_FAULT."""
    if size == 0:
        return EMPTY
    version: u32 = b[VERSION] >> 4
    if version != 4:
        return IPV6 if version == 6 else IP_VERSION
    if size < HEADER:
        return IP_TRUNCATED
    header: u32 = (b[VERSION] & 15) * 4
    total: u32 = be16(b, TOTAL_LENGTH)
    if header < HEADER:
        return IP_HEADER_LENGTH
    if total < header:
        return IP_LENGTH
    if total != size:
        return IP_TRUNCATED if total > size else IP_OVERLONG
    if be16(b, FRAGMENT_FIELD) & MORE_OR_OFFSET:
        return FRAGMENT
    p.source_high = 0
    p.source_low = MAPPED_IPV4 | be32(b, SOURCE)
    p.destination_high = 0
    p.destination_low = MAPPED_IPV4 | be32(b, DESTINATION)
    p.transport = header
    p.end = total
    p.is_error = 0
    protocol: u32 = b[PROTOCOL_FIELD]
    if protocol == IPPROTO_TCP:
        return parse_tcp(b, p)
    if protocol == IPPROTO_UDP:
        return parse_udp(b, p)
    if protocol == IPPROTO_ICMP:
        return parse_icmp(b, p)
    return PROTOCOL
