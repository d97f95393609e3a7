"""The UDP header (RFC 768).

A length shorter than the IP payload is allowed: what follows is the surplus area that carries
UDP options (RFC 9868), which the checksum does not cover.  A first fragment states the length of
the datagram, which is longer than the fragment.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import NO_FAULT, UDP_LENGTH, UDP_TRUNCATED
    from .integer_types import Bytes, u32
    from .packet_fields import UDP, WHOLE, Packet

    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    LENGTH = 4
    CHECKSUM = 6
    HEADER = 8


def parse_udp(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER:
        return UDP_TRUNCATED
    length: u32 = be16(b, t + LENGTH)
    if length < HEADER or (length > p.end - t and p.fragment == WHOLE):
        return UDP_LENGTH
    p.protocol = UDP
    p.source_port = be16(b, t + SOURCE_PORT)
    p.destination_port = be16(b, t + DESTINATION_PORT)
    return NO_FAULT
