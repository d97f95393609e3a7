"""The UDP-Lite header (RFC 3828 section 3.1): where UDP has a length, it has how many bytes the
checksum covers, header included; 0 means all."""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import NO_FAULT, UDP_LENGTH, UDP_TRUNCATED
    from .integer_types import Bytes, u32
    from .packet_fields import WHOLE, Packet

    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    COVERAGE = 4
    CHECKSUM = 6
    HEADER = 8


def parse_udplite(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return UDP_TRUNCATED
    coverage: u32 = be16(b, t + COVERAGE)
    if coverage and (coverage < HEADER or (coverage > p.end - t and p.fragment == WHOLE)):
        return UDP_LENGTH
    p.source_port = be16(b, t + SOURCE_PORT)
    p.destination_port = be16(b, t + DESTINATION_PORT)
    return NO_FAULT
