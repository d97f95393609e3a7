# C side of keyed_hash.py.
from ratsnake.wire.integer_types cimport M32, M64, u32, u64

cdef extern from *:
    """
    typedef unsigned __int128 ratsnake_u128;
    static inline uint32_t ratsnake_hash5(const uint64_t *s, uint64_t a, uint64_t b, uint64_t c,
                                          uint64_t d, uint64_t e) {
        ratsnake_u128 y = (ratsnake_u128)(a + s[0]) * (b + s[1]);
        y += (ratsnake_u128)(c + s[2]) * (d + s[3]);
        y += (ratsnake_u128)(e + s[4]) * s[5];
        return (uint32_t)(((uint64_t)y * s[6] + (uint64_t)(y >> 64) * s[7]) >> 32);
    }
    """
    u32 hash5 "ratsnake_hash5"(const u64* s, u64 a, u64 b, u64 c, u64 d, u64 e) noexcept nogil
