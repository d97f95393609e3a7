"""The Internet checksum by increment (RFC 1624): checksum.pxd holds the same for compiled modules.

A *difference* is the folded one's-complement sum of ~old + new words, 0..0xFFFF.  Its bitwise
complement is the difference of the way back.
"""

from .byte_order import be16, put16
from .integer_types import M16, M64, Bytes, u32, u64


def fold(s: u32) -> u32:
    s = (s & M16) + (s >> 16)
    return (s & M16) + (s >> 16)


def adjust(check: u32, delta: u32) -> u32:
    """The checksum after its words changed by `delta` (RFC 1624 equation 3)."""
    return fold((check ^ M16) + delta) ^ M16


def difference32(old: u32, new: u32) -> u32:
    return fold((old >> 16 ^ M16) + (old & M16 ^ M16) + (new >> 16) + (new & M16))


def difference16(old: u32, new: u32) -> u32:
    return fold((old ^ M16) + new)


def swap16(b: Bytes, o: int, new: u32) -> u32:
    """Overwrite a 16-bit field; return the difference this makes to a sum over it."""
    old = be16(b, o)
    put16(b, o, new)
    return difference16(old, new)


def words64(x: u64) -> u32:
    """The sum of its four 16-bit words, not folded."""
    return (x >> 48) + (x >> 32 & M16) + (x >> 16 & M16) + (x & M16)


def difference128(old_high: u64, old_low: u64, new_high: u64, new_low: u64) -> u32:
    """The difference of two addresses."""
    return fold(
        words64(old_high ^ M64) + words64(old_low ^ M64) + words64(new_high) + words64(new_low)
    )


def sum_octets(b: Bytes, start: int, end: int) -> u32:
    """The folded sum over b[start:end], 64 kB at most, padded with a zero byte if that is odd.

    The words begin at `start`.  A range with its right checksum in it sums to 0xFFFF.
    """
    s = sum(be16(b, o) for o in range(start, end - 1, 2))
    return fold(s + (b[end - 1] << 8 if (end - start) % 2 else 0))


def pseudo_header_sum(
    source_high: u64,
    source_low: u64,
    destination_high: u64,
    destination_low: u64,
    length: u32,
    number: u32,
) -> u32:
    """The folded sum over the pseudo-header (RFC 8200 section 8.1, RFC 9293 section 3.1).

    `length` in bytes and `number` are those of the upper layer.  It serves both IP versions: the
    ffff of an IPv4-mapped address is 0 in a one's-complement sum.
    """
    addresses = words64(source_high) + words64(source_low)
    addresses += words64(destination_high) + words64(destination_low)
    return fold(addresses + (length >> 16) + (length & M16) + number)
