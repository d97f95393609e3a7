cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from ..rules.behaviour_codes cimport POLICIES_OF_CLASS
from ..tables.row_layouts cimport Numbers, Words, new_numbers, new_words, release

@cython.final
cdef class HostPolicies:
    cdef Words rows
    cdef Numbers classes
    cdef readonly u32 count
    cpdef u32 policy_of(self, u32 protocol, u64 high, u64 low) noexcept nogil
