# C side of checksum.py.
from .octets cimport be16, put16
from .types cimport Bytes, M16, u32

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
