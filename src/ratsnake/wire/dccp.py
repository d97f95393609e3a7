"""The DCCP generic header (RFC 4340 section 5.1).

It is 16 bytes long with the X bit (48-bit sequence numbers) and 12 without.  The checksum covers
the pseudo-header and, whatever its coverage field says, this header.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import DCCP_HEADER, NO_FAULT
    from .integer_types import Bytes, u32
    from .packet_fields import Packet

    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    DATA_OFFSET = 4
    CHECKSUM = 6
    TYPE = 8
    HEADER = 12
    LONG_HEADER = 16
    EXTENDED = 1
    DATA = 2
    ACKNOWLEDGMENT = 3
    DATA_ACKNOWLEDGMENT = 4


def parse_dccp(b: Bytes, p: Packet) -> u32:
    """Only data and acknowledgments may do without the X bit: others must then be ignored."""
    t: u32 = p.transport
    if p.end - t < HEADER:
        return DCCP_HEADER
    kind: u32 = b[t + TYPE] >> 1 & 15
    header: u32 = HEADER
    if b[t + TYPE] & EXTENDED:
        header = LONG_HEADER
    elif kind not in (DATA, ACKNOWLEDGMENT, DATA_ACKNOWLEDGMENT):
        return DCCP_HEADER
    offset: u32 = b[t + DATA_OFFSET] * 4
    if offset < header or offset > p.end - t:
        return DCCP_HEADER
    p.source_port = be16(b, t + SOURCE_PORT)
    p.destination_port = be16(b, t + DESTINATION_PORT)
    p.kind = kind
    return NO_FAULT
