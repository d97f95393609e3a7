cimport cython
from ratsnake.wire.integer_types cimport M32, u64

cdef enum:
    PARTS = 1000
    HIGHEST = 1000000

@cython.final
cdef class TokenBucket:
    cdef u64 rate, capacity, level, clock
    cpdef bint take(self, u64 now) noexcept nogil
