# C side of byte_order.py.  The caller has checked that the offsets lie inside the packet.
from .integer_types cimport Bytes, u8, u32, u64

cdef inline u32 be16(const u8* b, size_t o) noexcept nogil:
    return (<u32>b[o] << 8) | b[o + 1]

cdef inline u32 be32(const u8* b, size_t o) noexcept nogil:
    return (<u32>b[o] << 24) | (<u32>b[o + 1] << 16) | (<u32>b[o + 2] << 8) | b[o + 3]

cdef inline u64 be64(const u8* b, size_t o) noexcept nogil:
    return (<u64>be32(b, o) << 32) | be32(b, o + 4)

cdef inline void put16(Bytes b, size_t o, u32 v) noexcept nogil:
    b[o] = (v >> 8) & 0xFF
    b[o + 1] = v & 0xFF

cdef inline void put32(Bytes b, size_t o, u32 v) noexcept nogil:
    put16(b, o, v >> 16)
    put16(b, o + 2, v)

cdef inline void put64(Bytes b, size_t o, u64 v) noexcept nogil:
    put32(b, o, <u32>(v >> 32))
    put32(b, o + 4, <u32>v)
