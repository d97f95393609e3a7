"""The TCP header (RFC 9293 section 3.1)."""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import NO_FAULT, TCP_HEADER_LENGTH, TCP_TRUNCATED
    from .integer_types import Bytes, u32
    from .packet_fields import TCP, Packet

    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    SEQUENCE = 4
    ACKNOWLEDGMENT = 8
    DATA_OFFSET = 12
    FLAGS = 13
    WINDOW = 14
    CHECKSUM = 16
    HEADER = 20


def parse_tcp(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return TCP_TRUNCATED
    header: u32 = (b[t + DATA_OFFSET] >> 4) * 4
    if header < HEADER or header > p.end - t:
        return TCP_HEADER_LENGTH
    p.protocol = TCP
    p.source_port = be16(b, t + SOURCE_PORT)
    p.destination_port = be16(b, t + DESTINATION_PORT)
    p.kind = b[t + FLAGS]
    return NO_FAULT
