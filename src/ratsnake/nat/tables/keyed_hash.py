"""The keyed hash of the tables: keyed_hash.pxd holds the same function in C.

An outsider who could make keys collide could slow every look-up down, so the hash is universal:
NH (RFC 4418 section 5) of the five words under secret words, reduced to 32 bits by multiply-shift
(Dietzfelbinger 1996).  Two keys chosen without knowledge of the secret collide with a probability
of about 2^-31, however they were chosen; five multiplications cost less than a cache miss.
"""

from ratsnake.wire.integer_types import M32, M64, u32, u64

from .row_layouts import Words

SECRET_WORDS = 8


def hash5(s: Words, a: u64, b: u64, c: u64, d: u64, e: u64) -> u32:
    y = (a + s[0] & M64) * (b + s[1] & M64) + (c + s[2] & M64) * (d + s[3] & M64)
    y += (e + s[4] & M64) * s[5]
    return ((y & M64) * s[6] + (y >> 64 & M64) * s[7] & M64) >> 32 & M32
