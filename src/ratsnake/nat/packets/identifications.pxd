cimport cython
from ratsnake.wire.types cimport u32
from ..tables.generator cimport Generator
from ..tables.records cimport Octets, new_octets, release

cdef enum:
    ROUNDS = 4

@cython.final
cdef class Identifications:
    cdef Octets tables
    cdef u32 counter
    cpdef u32 next(self) noexcept nogil
