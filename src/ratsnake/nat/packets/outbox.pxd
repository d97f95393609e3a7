cimport cython
from ratsnake.wire.types cimport Bytes, u32
from .parcels cimport Parcels

@cython.final
cdef class Outbox:
    cdef Parcels parcels
    cdef u32 first, last
    cdef readonly u32 waiting
    cpdef void push(self, u32 slot) noexcept nogil
    cpdef u32 pop(self, Bytes b) noexcept nogil
