cimport cython
from ratsnake.wire.integer_types cimport M32, M64, u32, u64

cdef extern from *:
    """
    #define RATSNAKE_SIP0 0x736F6D6570736575ULL
    #define RATSNAKE_SIP1 0x646F72616E646F6DULL
    #define RATSNAKE_SIP2 0x6C7967656E657261ULL
    #define RATSNAKE_SIP3 0x7465646279746573ULL
    #define RATSNAKE_EIGHT_BYTES 0x0800000000000000ULL
    """
    u64 SIP0 "RATSNAKE_SIP0"
    u64 SIP1 "RATSNAKE_SIP1"
    u64 SIP2 "RATSNAKE_SIP2"
    u64 SIP3 "RATSNAKE_SIP3"
    u64 EIGHT_BYTES "RATSNAKE_EIGHT_BYTES"

cdef u64 rotate(u64 x, u32 bits) noexcept nogil

@cython.final
cdef class Generator:
    cdef u64 key0, key1, counter, spare
    cdef bint has_spare
    cdef u64 v0, v1, v2, v3
    cdef void round(self) noexcept nogil
    cpdef u64 next(self) noexcept nogil
    cpdef u32 below(self, u32 bound) noexcept nogil
