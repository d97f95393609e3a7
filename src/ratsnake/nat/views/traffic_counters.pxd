cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from ..rules.drop_reasons cimport REASONS_COUNT
from ..tables.row_layouts cimport Words, new_words, release

@cython.final
cdef class Traffic:
    cdef Words drops
    cdef u64 packets_out, bytes_out, packets_in, bytes_in
    cdef void pass_on(self, bint is_outbound, u32 size) noexcept nogil
    cdef void end(self, u32 reason) noexcept nogil
    cdef void add(self, Traffic other) noexcept nogil
