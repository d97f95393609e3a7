cimport cython
from ratsnake.wire.integer_types cimport Bytes, u32
from .packet_pool cimport PacketPool

@cython.final
cdef class OutputQueue:
    cdef PacketPool packet_pool
    cdef u32 first, last
    cdef readonly u32 waiting
    cpdef void push(self, u32 slot) noexcept nogil
    cpdef u32 pop(self, Bytes b) noexcept nogil
