"""The extension headers of IPv6 (RFC 8200 section 4): finding what is behind them.

A chain of them is told in one 64-bit number, so that it needs no memory:
offset of the upper layer << 32 | offset of the fragment header, 0 if there is none << 8 | number
of the upper layer.  0 is a chain that is wrong.
"""

import cython

if not cython.compiled:
    from .byte_order import be16
    from .integer_types import Bytes, u32, u64

    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT_HEADER = 44
    DESTINATION_OPTIONS = 60
    # In any of them; a fragment header is 8 bytes long.
    NEXT_HEADER = 0
    LENGTH = 1
    UNIT = 8
    # In a routing and in a fragment header.
    SEGMENTS_LEFT = 3
    OFFSET_FIELD = 2
    OFFSET_BITS = 0xFFF8
    MOST = 8


def follow_extensions(b: Bytes, first: u32, end: u32, number: u32) -> u64:
    """The chain that starts at `first` with a header of type `number` and lies before `end`.

    Headers may come in any order and any number of times (RFC 8200 section 4.1), hop-by-hop options
    first and one fragment header; there are at most 8.  The data of a later fragment is not looked
    into.  A routing header that has segments left holds the destination that checksums cover, and
    the one common type is deprecated (RFC 5095): such a chain is wrong.
    """
    at: u32 = first
    fragment: u32 = 0
    length: u32
    count: u32 = 0
    chain: u64
    while number in (HOP_BY_HOP, ROUTING, FRAGMENT_HEADER, DESTINATION_OPTIONS):
        if count == MOST or end - at < UNIT:
            return 0
        count += 1
        length = UNIT
        if number == FRAGMENT_HEADER:
            if fragment:
                return 0
            fragment = at
        else:
            length += b[at + LENGTH] * UNIT
        if (
            end - at < length
            or (number == HOP_BY_HOP and at != first)
            or (number == ROUTING and b[at + SEGMENTS_LEFT])
        ):
            return 0
        number = b[at + NEXT_HEADER]
        at += length
        if fragment and be16(b, fragment + OFFSET_FIELD) & OFFSET_BITS:
            break
    chain = at
    return chain << 32 | fragment << 8 | number
