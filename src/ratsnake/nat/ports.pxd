cimport cython
from ratsnake.wire.types cimport u32, u64
from .generator cimport Generator
from .records cimport (
    NONE32, Numbers, Shorts, Words, lowest_bit, new_numbers, new_shorts, new_words, release,
)

@cython.final
cdef class PortPools:
    cdef Generator generator
    cdef Shorts order
    cdef Numbers place, users, left
    cdef Words unused
    cdef readonly u32 pools, size
    cpdef bint has(self, u32 port) noexcept nogil
    cpdef u32 users_of(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 unused_ports(self, u32 pool) noexcept nogil
    cdef void swap(self, u32 pool, u32 a, u32 b) noexcept nogil
    cpdef void take(self, u32 pool, u32 port) noexcept nogil
    cpdef void give(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 random_unused(self, u32 pool) noexcept nogil
    cpdef u32 next_unused(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 random_port(self, u32 pool) noexcept nogil
    cpdef u32 next_port(self, u32 port) noexcept nogil
