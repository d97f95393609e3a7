"""The Internet checksum by increment (RFC 1624): checksum.pxd holds the same for compiled modules.

A *difference* is the folded one's-complement sum of ~old + new words, 0..0xFFFF.  Its bitwise
complement is the difference of the way back.
"""

from .octets import be16, put16
from .types import M16, Bytes, u32


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
