cimport cython
from ratsnake.wire.integer_types cimport M32, u32, u64
from ..tables.row_layouts cimport Numbers, Words, new_numbers, new_words, release

cdef extern from *:
    """
    #define RATSNAKE_MULTIPLIER 0x9E3779B1ULL
    """
    u64 MULTIPLIER "RATSNAKE_MULTIPLIER"

@cython.final
cdef class Prefixes:
    cdef Words rows
    cdef readonly u32 count
    cpdef bint contain(self, u64 high, u64 low) noexcept nogil

@cython.final
cdef class AddressRealm:
    cdef Words external_high, external_low
    cdef Numbers slots
    cdef readonly u32 externals
    cdef u32 slot_mask
    cdef Prefixes internal, unroutable, bypass
    cdef u64 status, router, router_high, router_low
    cdef u32 slot_of(self, u64 high, u64 low) noexcept nogil
    cpdef u32 external_row(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_external(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_router(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_internal(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_remote(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_unroutable(self, u64 high, u64 low) noexcept nogil
    cpdef bint may_report(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_bypassed(self, u64 high, u64 low) noexcept nogil
    cpdef bint asks_status(self, u64 high, u64 low) noexcept nogil
