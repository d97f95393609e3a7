"""The maximum segment size that TCP announces in its SYN (RFC 9293 section 3.7.1), lowered to what
the path behind the NAT can carry, for paths on which "packet too big" never arrives (RFC 4459
section 3.2)."""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, put16
    from ratsnake.wire.checksum import adjust, swap16
    from ratsnake.wire.integer_types import M16, Bytes, u32
    from ratsnake.wire.tcp import CHECKSUM
    from ratsnake.wire.tcp_options import (
        MAXIMUM_SEGMENT_SIZE,
        MAXIMUM_SEGMENT_SIZE_LENGTH,
        find_option,
    )


def clamp(b: Bytes, transport: u32, most: u32, partial: bool) -> None:
    """Lower the maximum segment size that the SYN at `transport` announces to `most`.

    It is never raised and never added.  `partial`: the checksum field holds only the sum of the
    pseudo-header, in which no option is.
    """
    at: u32 = find_option(b, transport, MAXIMUM_SEGMENT_SIZE, MAXIMUM_SEGMENT_SIZE_LENGTH)
    if at == 0 or be16(b, at + 2) <= most:
        return
    difference: u32 = swap16(b, at + 2, most)
    if partial:
        return
    # Options need no alignment.  At an odd offset the value's octets belong to two words, each in
    # the other half, which is the sum of the swapped value (RFC 1071 section 2 B).
    if at - transport & 1:
        difference = (difference << 8 | difference >> 8) & M16
    put16(b, transport + CHECKSUM, adjust(be16(b, transport + CHECKSUM), difference))
