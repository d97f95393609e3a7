cimport cython
from ratsnake.wire.packet_fields cimport PROTOCOLS
from ratsnake.wire.integer_types cimport u32, u64
from .keyed_hash cimport hash5
from .hash_index cimport Index
from .row_layouts cimport (
    Hosts, Words, new_hosts, poison_host, reserved_words, unpoison_host, unreserve,
)
from .hash_secret cimport Secret

@cython.final
cdef class HostTable:
    cdef Hosts rows
    cdef Words held
    cdef Index index
    cdef Secret secret
    cdef readonly u32 capacity, count, fresh
    cdef u32 free
    cdef u32 tag_of(self, u64 high, u64 low) noexcept nogil
    cdef u32 search(self, u64 high, u64 low, u32 tag) noexcept nogil
    cpdef u32 find(self, u64 high, u64 low) noexcept nogil
    cpdef u32 enter(self, u64 high, u64 low) noexcept nogil
    cpdef void settle(self, u32 row) noexcept nogil
    cpdef bint is_live(self, u32 row) noexcept nogil
    cpdef u32 mappings_of(self, u32 row) noexcept nogil
    cpdef u32 sessions_of(self, u32 row) noexcept nogil
    cpdef u32 external_of(self, u32 row) noexcept nogil
    cpdef u32 held_of(self, u32 row, u32 protocol) noexcept nogil
    cpdef u32 answered_of(self, u32 row) noexcept nogil
    cpdef void join_answered(self, u32 row) noexcept nogil
    cpdef void leave_answered(self, u32 row) noexcept nogil
    cpdef void join_mapping(self, u32 row, u32 external, u32 protocol) noexcept nogil
    cpdef void pair(self, u32 row, u32 external) noexcept nogil
    cpdef void leave_mapping(self, u32 row, u32 protocol) noexcept nogil
    cpdef void join_forward(self, u32 row) noexcept nogil
    cpdef void leave_forward(self, u32 row) noexcept nogil
    cpdef void join_session(self, u32 row) noexcept nogil
    cpdef void leave_session(self, u32 row) noexcept nogil
    cdef u64 spent_of(self, u32 row, u64 now, u32 rate_per_second) noexcept nogil
    cpdef bint has_token(self, u32 row, u64 now, u32 rate_per_second, u32 burst) noexcept nogil
    cpdef bint take_token(self, u32 row, u64 now, u32 rate_per_second, u32 burst) noexcept nogil
