# C side of checksum.py.
from .byte_order cimport be16, put16
from .integer_types cimport Bytes, M16, u8, u32, u64

cdef inline u32 fold(u32 s) noexcept nogil:
    s = (s & M16) + (s >> 16)
    return (s & M16) + (s >> 16)

cdef inline u32 adjust(u32 check, u32 delta) noexcept nogil:
    return fold((check ^ M16) + delta) ^ M16

cdef inline u32 difference32(u32 old, u32 new) noexcept nogil:
    return fold(((old >> 16) ^ M16) + ((old & M16) ^ M16) + (new >> 16) + (new & M16))

cdef inline u32 difference16(u32 old, u32 new) noexcept nogil:
    return fold((old ^ M16) + new)

cdef inline u32 swap16(Bytes b, size_t o, u32 new) noexcept nogil:
    cdef u32 old = be16(b, o)
    put16(b, o, new)
    return difference16(old, new)

cdef inline u32 words64(u64 x) noexcept nogil:
    return <u32>((x >> 48) + ((x >> 32) & M16) + ((x >> 16) & M16) + (x & M16))

cdef inline u32 difference128(u64 old_high, u64 old_low, u64 new_high, u64 new_low) noexcept nogil:
    return fold(words64(~old_high) + words64(~old_low) + words64(new_high) + words64(new_low))

cdef inline u32 sum_octets(const u8* b, size_t start, size_t end) noexcept nogil:
    cdef u32 s = 0
    cdef size_t o = start
    while o + 1 < end:
        s += be16(b, o)
        o += 2
    if o < end:
        s += <u32>b[o] << 8
    return fold(s)

cdef inline u32 pseudo_header_sum(
    u64 source_high, u64 source_low, u64 destination_high, u64 destination_low,
    u32 length, u32 number,
) noexcept nogil:
    cdef u32 addresses = words64(source_high) + words64(source_low)
    addresses += words64(destination_high) + words64(destination_low)
    return fold(addresses + (length >> 16) + (length & M16) + number)
