cimport cython
from ratsnake.wire.integer_types cimport Bytes, u32, u64
from ..tables.keyed_hash cimport hash5
from ..tables.hash_index cimport Index
from ..tables.row_layouts cimport (
    Octets, Syns, new_octets, new_syns, poison_syn, release, unpoison_syn,
)
from ..tables.hash_secret cimport Secret

cdef enum:
    HOLD_TIME = 6000
    KEPT = 128
    QUOTED_TRANSPORT = 8

@cython.final
cdef class UnsolicitedSyns:
    cdef u32 tag_of_row(self, u32 row) noexcept nogil
    cdef Syns rows
    cdef Octets copies
    cdef Index index
    cdef Secret secret
    cdef readonly u32 held, transport, external
    cdef u32 capacity, free, fresh
    cdef u32 tag_of(self, u32 external, u32 port, u64 high, u64 low, u32 remote_port) noexcept nogil
    cdef u32 find(self, u32 external, u32 port, u64 high, u64 low, u32 remote_port, u32 tag) noexcept nogil
    cpdef bint hold(self, u32 external, u32 external_port, u64 remote_high, u64 remote_low, u32 remote_port, Bytes b, u32 size, u32 transport, u64 now) noexcept nogil
    cpdef void cancel(self, u32 external, u32 external_port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef void drop(self, u32 row, u32 tag) noexcept nogil
    cpdef u32 next_due(self, u64 now, Bytes out) noexcept nogil
