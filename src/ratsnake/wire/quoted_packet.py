"""The upper layer of a packet that an ICMP error quotes: what both versions' errors share.

A quotation holds at least 8 bytes behind the IP headers (RFC 792), and its length fields are those
of the original, so they say nothing about what is there.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .header_faults import ICMP_EMBEDDED, NO_FAULT
    from .integer_types import Bytes, u32
    from .packet_fields import ICMP, OTHER, PROTOCOLS, Packet
    from .protocols import row_of

    # Every protocol that has ports has them here.
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    IDENTIFIER = 4
    QUOTED_TRANSPORT = 8


def parse_quoted_transport(b: Bytes, p: Packet, e: u32, t: u32, number: u32, query: bool) -> u32:
    """Fill p from the packet quoted at e, of which at least 8 bytes are at t.

    `number` is its IANA number; `query` says whether, if it is ICMP, its type is a query's.
    """
    row: u32 = row_of(p.version, number)
    if row == PROTOCOLS or (row == ICMP and not query):
        return ICMP_EMBEDDED
    p.embedded = e
    p.embedded_transport = t
    p.is_error = 1
    p.protocol = row
    p.number = number
    if row == ICMP:
        p.source_port = p.destination_port = be16(b, t + IDENTIFIER)
    elif row == OTHER:
        p.source_port = p.destination_port = number
    else:
        p.source_port = be16(b, t + SOURCE_PORT)
        p.destination_port = be16(b, t + DESTINATION_PORT)
    return NO_FAULT
