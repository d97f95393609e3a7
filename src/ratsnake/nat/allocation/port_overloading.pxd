cimport cython
from ratsnake.wire.integer_types cimport M64, u32, u64
from ..tables.bit_operations cimport lowest_bit
from ..tables.row_layouts cimport NONE32
from .port_pools cimport PortPools
from .counter_table cimport PORTS_OF_ENDPOINT, PORTS_TOWARD_REMOTE, CounterTable, owner_of

cdef enum:
    FULL_WORDS = 1024
    FULL_GROUPS = 1040

@cython.final
cdef class PortConflicts:
    cdef CounterTable counters
    cdef PortPools pools
    cdef u32 pool, level
    cdef bint sparing
    cdef u64 remote, high, low, endpoint
    cpdef void look(self, u32 pool, u64 remote_high, u64 remote_low, u32 remote_port, u32 endpoint) noexcept nogil
    cpdef void keep_to(self, u32 level, bint sparing) noexcept nogil
    cpdef void enter(self, u32 position) noexcept nogil
    cpdef void leave(self, u32 position) noexcept nogil
    cdef void add(self, u64 owner, u64 high, u64 low, u32 position) noexcept nogil
    cdef void remove(self, u64 owner, u64 high, u64 low, u32 position) noexcept nogil
    cdef u64 free_bits(self, u32 part) noexcept nogil
    cpdef bint is_free(self, u32 position) noexcept nogil
    cpdef u32 next_free(self, u32 start, u32 begin, u32 end) noexcept nogil
    cdef u32 free_before(self, u32 start, u32 end) noexcept nogil
    cdef u32 after_barred(self, u32 word, u32 end) noexcept nogil
    cdef u32 next_open(self, u32 word, u32 end) noexcept nogil
