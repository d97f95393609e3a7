cimport cython
from ratsnake.wire.integer_types cimport M32, u32, u64
from .row_layouts cimport Numbers, emptied, forget, prefetch_number, reserved_numbers, unreserve

cdef enum:
    SMALLEST = 64
    MOVED = 8
    FORGOTTEN = 0x40000

@cython.final
cdef class Index:
    cdef Numbers slots, old, walked
    cdef u32 row_bits, at, tag, budget
    cdef u32 mask, old_mask, walked_mask
    cdef bint is_last
    cdef u64 largest, used, cursor, forgotten
    cdef readonly u64 count
    cpdef u32 first(self, u32 tag) noexcept nogil
    cpdef u32 next(self) noexcept nogil
    cdef void announce(self, u32 tag) noexcept nogil
    cdef u32 candidate(self, u32 tag) noexcept nogil
    cpdef void insert(self, u32 tag, u32 row) noexcept nogil
    cpdef void move(self, u32 tag, u32 row) noexcept nogil
    cpdef void expect_as_many(self, Index other) noexcept nogil
    cdef void begin(self) noexcept nogil
    cdef void go_on(self) noexcept nogil
    cpdef u32 moving(self) noexcept nogil
    cdef void forget_old(self) noexcept nogil
    cpdef void remove(self, u32 tag, u32 row) noexcept nogil
