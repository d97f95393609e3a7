cimport cython
from ratsnake.wire.types cimport MAPPED_IPV4, u32, u64
from .records cimport Words, new_words, release

@cython.final
cdef class Prefixes:
    cdef Words rows
    cdef readonly u32 count
    cpdef bint contain(self, u64 high, u64 low) noexcept nogil

@cython.final
cdef class Scope:
    cdef Words external_high, external_low
    cdef readonly u32 externals
    cdef Prefixes internal, unroutable
    cdef u64 status, router
    cpdef u32 external_row(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_external(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_router(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_internal(self, u64 high, u64 low) noexcept nogil
    cpdef bint is_remote(self, u64 high, u64 low) noexcept nogil
    cpdef bint asks_status(self, u64 high, u64 low) noexcept nogil
