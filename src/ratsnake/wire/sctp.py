"""The SCTP common header and the head of the first chunk (RFC 9260 section 3).

The checksum is a CRC32c over the SCTP packet alone: no pseudo-header belongs to it (`crc32c.py`).
A chunk's length counts its head, and may reach beyond a first fragment.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import NO_FAULT, SCTP_HEADER
    from .integer_types import Bytes, u32
    from .packet_fields import WHOLE, Packet

    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    CHECKSUM = 8
    HEADER = 12
    CHUNK_TYPE = 12
    CHUNK_LENGTH = 14
    CHUNK_HEAD = 4


def parse_sctp(b: Bytes, p: Packet) -> u32:
    t: u32 = p.transport
    if p.end - t < HEADER + CHUNK_HEAD:
        return SCTP_HEADER
    length: u32 = be16(b, t + CHUNK_LENGTH)
    if length < CHUNK_HEAD or (length > p.end - t - HEADER and p.fragment == WHOLE):
        return SCTP_HEADER
    p.source_port = be16(b, t + SOURCE_PORT)
    p.destination_port = be16(b, t + DESTINATION_PORT)
    p.kind = b[t + CHUNK_TYPE]
    return NO_FAULT
