cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from ..tables.keyed_hash cimport hash5
from ..tables.hash_index cimport Index
from ..tables.row_layouts cimport (
    CounterRows, new_counter_rows, poison_number, unpoison_number, unreserve,
)
from ..tables.hash_secret cimport Secret

cdef enum:
    PERMITTED_ADDRESS = 1
    PORTS_TOWARD_REMOTE = 2
    PORTS_OF_ENDPOINT = 3

    PART_BITS = 11

cpdef u64 owner_of(u32 kind, u32 who, u32 port) noexcept nogil

@cython.final
cdef class CounterTable:
    cdef CounterRows rows
    cdef Index index
    cdef Secret secret
    cdef u32 free, fresh, capacity
    cdef u32 find(self, u64 owner, u64 high, u64 low, u32 tag) noexcept nogil
    cdef u32 tag_of(self, u64 owner, u64 high, u64 low) noexcept nogil
    cpdef u64 get(self, u64 owner, u64 high, u64 low) noexcept nogil
    cdef u32 enter(self, u64 owner, u64 high, u64 low) noexcept nogil
    cdef void settle(self, u32 row) noexcept nogil
    cpdef void add(self, u64 owner, u64 high, u64 low) noexcept nogil
    cpdef void remove(self, u64 owner, u64 high, u64 low) noexcept nogil
    cpdef u64 set_bit(self, u64 owner, u64 high, u64 low, u32 bit) noexcept nogil
    cpdef u64 clear_bit(self, u64 owner, u64 high, u64 low, u32 bit) noexcept nogil
