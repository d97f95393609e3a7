cimport cython
from ratsnake.wire.integer_types cimport u32
from ..tables.row_layouts cimport NONE32, Numbers, Octets, new_numbers, new_octets, release

cdef u32 even_numbers(u32 first, u32 end) noexcept nogil

@cython.final
cdef class Positions:
    cdef Numbers first_range, firsts, lasts, before, evens_before, evens, sizes
    cdef Octets splits
    cdef readonly u32 pools
    cpdef u32 size(self, u32 pool) noexcept nogil
    cdef u32 ranges_from(self, u32 pool, u32 port) noexcept nogil
    cdef u32 below(self, u32 pool, u32 port) noexcept nogil
    cdef u32 evens_below(self, u32 pool, u32 port) noexcept nogil
    cpdef u32 begin(self, u32 pool, u32 half, u32 port) noexcept nogil
    cpdef u32 position_of(self, u32 pool, u32 port) noexcept nogil
    cdef u32 ports_before(self, u32 pool, u32 half, u32 at) noexcept nogil
    cdef u32 range_with(self, u32 pool, u32 half, u32 n) noexcept nogil
    cpdef u32 port_at(self, u32 pool, u32 position) noexcept nogil
    cpdef u32 from_port(self, u32 pool, u32 port) noexcept nogil
