cimport cython
from ratsnake.wire.integer_types cimport u32
from ..tables.random_generator cimport Generator
from ..tables.row_layouts cimport Octets, new_octets, release

cdef enum:
    ROUNDS = 4

@cython.final
cdef class Identifications:
    cdef Octets tables
    cdef u32 counter
    cpdef u32 next(self) noexcept nogil
