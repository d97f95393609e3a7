cimport cython
from ratsnake.nat.tables.row_layouts cimport Words, new_words, release
from ratsnake.wire.integer_types cimport u32, u64

cdef extern from *:
    """
    #define ratsnake_highest_bit(x) (63U - (uint32_t)__builtin_clzll(x))
    """
    u32 highest_bit "ratsnake_highest_bit"(u64 x) noexcept nogil

cdef enum:
    STEPS = 16
    STEP_BITS = 4
    BUCKETS = 1024

@cython.final
cdef class Histogram:
    cdef Words buckets
    cdef readonly u64 count, largest
    cdef void note(self, u64 value) noexcept nogil
