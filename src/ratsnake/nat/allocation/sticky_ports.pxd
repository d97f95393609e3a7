cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from ..tables.keyed_hash cimport hash5
from ..tables.hash_index cimport Index
from ..tables.row_layouts cimport (
    Endpoints, NONE32, new_endpoints, unpoison_endpoint, unreserve,
)
from ..tables.hash_secret cimport Secret

@cython.final
cdef class StickyPorts:
    cdef Endpoints rows
    cdef Index index
    cdef Secret secret
    cdef readonly u32 capacity
    cdef u32 fresh
    cdef u32 find(self, u32 protocol, u64 high, u64 low, u32 port, u32 tag) noexcept nogil
    cdef u32 tag_of(self, u32 protocol, u64 high, u64 low, u32 port) noexcept nogil
    cdef u32 tag_of_row(self, u32 row) noexcept nogil
    cdef void unlink(self, u32 row) noexcept nogil
    cdef void append(self, u32 row) noexcept nogil
    cdef u32 evict(self) noexcept nogil
    cpdef u32 enter(self, u32 protocol, u64 high, u64 low, u32 port) noexcept nogil
    cpdef u32 mappings_of(self, u32 row) noexcept nogil
    cpdef u32 last_port(self, u32 row) noexcept nogil
    cpdef u32 last_external(self, u32 row) noexcept nogil
    cpdef void hold(self, u32 row, u32 external, u32 external_port) noexcept nogil
    cdef void remember(self, u32 row, u32 external, u32 external_port) noexcept nogil
    cpdef void drop(self, u32 row) noexcept nogil
