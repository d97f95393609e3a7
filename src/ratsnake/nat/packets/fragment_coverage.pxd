cimport cython
from ratsnake.wire.integer_types cimport M16, u32
from ..rules.drop_reasons cimport FRAGMENT_LIMIT, FRAGMENT_OVERLAP, TRANSLATED
from ..tables.row_layouts cimport (
    Numbers, Octets, Shorts, new_numbers, new_octets, new_shorts, release,
)

cdef enum:
    RANGES = 32
    PIECES = 128

@cython.final
cdef class Coverage:
    cdef Numbers ranges
    cdef Octets used, pieces
    cdef Shorts lengths
    cpdef void clear(self, u32 row) noexcept nogil
    cpdef u32 add(self, u32 row, u32 start, u32 end, bint last) noexcept nogil
    cpdef bint complete(self, u32 row) noexcept nogil
