# C side of bit_operations.py.  Without a POPCNT instruction, which x86-64 need not have, the
# compiler would call a function to count.
from ratsnake.wire.integer_types cimport u32, u64

cdef extern from *:
    """
    #include <stdint.h>
    /* Byte k has how many bits of bytes 0..k are set. */
    static inline uint64_t ratsnake_bit_sums(uint64_t x) {
        x -= x >> 1 & 0x5555555555555555;
        x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
        x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F;
        return x * 0x0101010101010101;
    }
    static inline uint32_t ratsnake_count_bits(uint64_t x) {
        return ratsnake_bit_sums(x) >> 56;
    }
    static inline uint32_t ratsnake_lowest_bit(uint64_t x) {
        return __builtin_ctzll(x);
    }
    static inline uint32_t ratsnake_nth_bit(uint64_t x, uint32_t n) {
        uint64_t sums = ratsnake_bit_sums(x);
        uint32_t shift = 0;
        while ((sums >> shift & 0xFF) <= n) shift += 8;
        n -= sums << 8 >> shift & 0xFF;
        for (x >>= shift; n; n--) x &= x - 1;
        return shift + __builtin_ctzll(x);
    }
    """
    u32 count_bits "ratsnake_count_bits"(u64 word) noexcept nogil
    u32 lowest_bit "ratsnake_lowest_bit"(u64 word) noexcept nogil
    u32 nth_bit "ratsnake_nth_bit"(u64 word, u32 n) noexcept nogil
