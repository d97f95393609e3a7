cimport cython
from ratsnake.wire.integer_types cimport MAPPED_IPV4, u32, u64
from ..tables.row_layouts cimport NONE32, Shorts, Words, new_shorts, new_words, release

@cython.final
cdef class Deterministic:
    cdef Words starts, ends, offsets
    cdef Shorts ports
    cdef tuple prefixes
    cdef u32 internals
    cdef readonly tuple externals
    cdef readonly u32 hosts, hosts_per_external, size
    cpdef u32 host_of(self, u64 high, u64 low) noexcept nogil
    cpdef u32 external_of(self, u32 host) noexcept nogil
    cpdef u32 first_port(self, u32 host) noexcept nogil
    cpdef u32 last_port(self, u32 host) noexcept nogil
    cpdef u32 host_at(self, u32 external, u32 port) noexcept nogil
