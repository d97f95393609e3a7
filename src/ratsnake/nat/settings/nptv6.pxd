cimport cython
from ratsnake.wire.checksum cimport difference32, fold
from ratsnake.wire.byte_order cimport be16, be64, put16, put64
from ratsnake.wire.integer_types cimport Bytes, M16, M32, M64, u32, u64

cdef enum:
    SUBNET = 6
    IDENTIFIER = 8
    SUBNET_PREFIX = 48
    LONGEST_PREFIX = 64

@cython.final
cdef class PrefixTranslator:
    cdef u64 internal, external, mask, internal_mask, external_mask
    cdef u32 inward, outward
    cdef bint longer
    cpdef bint is_internal(self, u64 high) noexcept nogil
    cpdef bint is_external(self, u64 high) noexcept nogil
    cpdef bint to_external(self, Bytes b, u32 at) noexcept nogil
    cpdef bint to_internal(self, Bytes b, u32 at) noexcept nogil
    cdef bint exchange(self, Bytes b, u32 at, u64 old, u64 new, u32 adjustment) noexcept nogil
    cdef bint keeps_identifier(self, Bytes b, u32 at, u32 word_at, u32 word) noexcept nogil
