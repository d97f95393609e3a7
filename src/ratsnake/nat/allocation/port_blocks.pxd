cimport cython
from ratsnake.wire.integer_types cimport u32
from ..tables.random_generator cimport Generator
from ..tables.row_layouts cimport Numbers, Shorts, new_numbers, new_shorts, release

@cython.final
cdef class PortBlocks:
    cdef Generator generator
    cdef Numbers first_ids, left, order, place, owner, held, previous, next, heads, grants
    cdef Shorts external, lowest, highest, number
    cdef readonly u32 externals, count
    cpdef u32 total(self, u32 external) noexcept nogil
    cpdef u32 free_blocks(self, u32 external) noexcept nogil
    cpdef u32 block_at(self, u32 external, u32 port) noexcept nogil
    cpdef u32 external_of(self, u32 block) noexcept nogil
    cpdef u32 first_port(self, u32 block) noexcept nogil
    cpdef u32 last_port(self, u32 block) noexcept nogil
    cpdef u32 owner_of(self, u32 block) noexcept nogil
    cpdef u32 granted(self, u32 host) noexcept nogil
    cpdef u32 first_of(self, u32 host) noexcept nogil
    cpdef u32 next_of(self, u32 block) noexcept nogil
    cdef void swap(self, u32 a, u32 b) noexcept nogil
    cpdef u32 grant(self, u32 host, u32 external) noexcept nogil
    cpdef void assign(self, u32 host, u32 block) noexcept nogil
    cdef void append(self, u32 host, u32 block) noexcept nogil
    cdef void unlink(self, u32 host, u32 block) noexcept nogil
    cpdef void hold(self, u32 block) noexcept nogil
    cpdef void drop(self, u32 block) noexcept nogil
