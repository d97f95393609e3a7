cimport cython
from ratsnake.wire.types cimport u32, u64
from .records cimport Words, new_words, release

@cython.final
cdef class Index:
    cdef Words slots
    cdef u64 mask
    cpdef void insert(self, u32 tag, u32 row) noexcept nogil
    cpdef void remove(self, u32 tag, u32 row) noexcept nogil
