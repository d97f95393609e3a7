"""The one check of a whole packet: the headers of both IP versions, then `upper_layer.py`."""

import cython

if not cython.compiled:
    from .byte_order import be16, be32, be64
    from .header_faults import (
        EMPTY,
        EXTENSION_HEADER,
        FRAGMENT,
        IP_HEADER_LENGTH,
        IP_LENGTH,
        IP_OVERLONG,
        IP_TRUNCATED,
        IP_VERSION,
    )
    from .integer_types import M8, M16, MAPPED_IPV4, Bytes, u32, u64
    from .ipv4 import DESTINATION as DESTINATION4
    from .ipv4 import FRAGMENT_FIELD, FRAGMENT_OFFSET, MORE_OR_OFFSET, PROTOCOL_FIELD, TOTAL_LENGTH
    from .ipv4 import HEADER as HEADER4
    from .ipv4 import IDENTIFICATION as IDENTIFICATION4
    from .ipv4 import MORE_FRAGMENTS as MORE_FRAGMENTS4
    from .ipv4 import SOURCE as SOURCE4
    from .ipv6 import DESTINATION as DESTINATION6
    from .ipv6 import (
        FRAGMENT_HEADER_SIZE,
        FRAGMENT_IDENTIFICATION,
        NEXT_HEADER,
        PAYLOAD_LENGTH,
        is_mapped,
    )
    from .ipv6 import HEADER as HEADER6
    from .ipv6 import MORE_FRAGMENTS as MORE_FRAGMENTS6
    from .ipv6 import SOURCE as SOURCE6
    from .ipv6_extension_headers import OFFSET_BITS, OFFSET_FIELD, follow_extensions
    from .packet_fields import FIRST, LATER, WHOLE, Packet
    from .upper_layer import parse_transport

    VERSION = 0


def parse(b: Bytes, size: u32, p: Packet) -> u32:
    """Check the packet in b[:size] and fill p; return its fault, or NO_FAULT.

    With a fault, p holds nothing to rely on.
    """
    if size == 0:
        return EMPTY
    version: u32 = b[VERSION] >> 4
    if version == 4:
        return parse_ipv4(b, size, p)
    if version == 6:
        return parse_ipv6(b, size, p)
    return IP_VERSION


def parse_ipv4(b: Bytes, size: u32, p: Packet) -> u32:
    if size < HEADER4:
        return IP_TRUNCATED
    header: u32 = (b[VERSION] & 15) * 4
    total: u32 = be16(b, TOTAL_LENGTH)
    if header < HEADER4:
        return IP_HEADER_LENGTH
    if total < header:
        return IP_LENGTH
    if total != size:
        return IP_TRUNCATED if total > size else IP_OVERLONG
    field: u32 = be16(b, FRAGMENT_FIELD)
    p.source_high = 0
    p.source_low = MAPPED_IPV4 | be32(b, SOURCE4)
    p.destination_high = 0
    p.destination_low = MAPPED_IPV4 | be32(b, DESTINATION4)
    p.identification = be16(b, IDENTIFICATION4)
    p.number = b[PROTOCOL_FIELD]
    p.version = 4
    p.transport = header
    p.end = total
    p.fragment_header = 0
    set_whole(p)
    if field & MORE_OR_OFFSET:
        offset: u32 = (field & FRAGMENT_OFFSET) * 8
        if is_bad_fragment(p, header, header, offset, field & MORE_FRAGMENTS4):
            return FRAGMENT
    return parse_transport(b, p)


def parse_ipv6(b: Bytes, size: u32, p: Packet) -> u32:
    """A payload length of 0 is a jumbogram's (RFC 2675), or nothing follows.

    A packet that bears IPv4-mapped addresses could pass for an IPv4 packet behind the parser.
    """
    if size < HEADER6:
        return IP_TRUNCATED
    payload: u32 = be16(b, PAYLOAD_LENGTH)
    if payload == 0:
        return IP_LENGTH
    if HEADER6 + payload != size:
        return IP_TRUNCATED if HEADER6 + payload > size else IP_OVERLONG
    p.source_high = be64(b, SOURCE6)
    p.source_low = be64(b, SOURCE6 + 8)
    p.destination_high = be64(b, DESTINATION6)
    p.destination_low = be64(b, DESTINATION6 + 8)
    if is_mapped(p.source_high, p.source_low) or is_mapped(p.destination_high, p.destination_low):
        return IP_VERSION
    chain: u64 = follow_extensions(b, HEADER6, size, b[NEXT_HEADER])
    if chain == 0:
        return EXTENSION_HEADER
    header: u32 = chain >> 8 & 0xFFFFFF
    p.identification = 0
    p.number = chain & M8
    p.version = 6
    p.transport = chain >> 32
    p.end = size
    p.fragment_header = header
    set_whole(p)
    if header:
        p.identification = be32(b, header + FRAGMENT_IDENTIFICATION)
        field: u32 = be16(b, header + OFFSET_FIELD)
        # Otherwise the datagram is in one piece (RFC 6946).
        if field & (OFFSET_BITS | MORE_FRAGMENTS6) and is_bad_fragment(
            p,
            header + FRAGMENT_HEADER_SIZE,
            header - HEADER6,
            field & OFFSET_BITS,
            field & MORE_FRAGMENTS6,
        ):
            return FRAGMENT
    return parse_transport(b, p)


def set_whole(p: Packet) -> None:
    p.fragment_offset = 0
    p.kind = 0
    p.is_error = 0
    p.fragment = WHOLE
    p.more_fragments = 0


def is_bad_fragment(p: Packet, start: u32, counted: u32, offset: u32, more: u32) -> bool:
    """Enter into p that it is a fragment; whether one of this form cannot be.

    `start` is where its data starts, `counted` the bytes of headers that the IP header's length
    field counts, `offset` the bytes of the datagram before it; `more` is not 0 if others follow.
    """
    size: u32 = p.end - start
    p.fragment = LATER if offset else FIRST
    p.fragment_offset = offset
    p.more_fragments = 1 if more else 0
    return size == 0 or (more != 0 and size & 7 != 0) or counted + offset + size > M16
