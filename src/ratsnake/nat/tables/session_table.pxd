cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from .keyed_hash cimport hash5
from .hash_index cimport Index
from .mapping_table cimport MappingTable
from .row_layouts cimport (
    Mappings, Sessions, Words, new_sessions, poison_session, prefetch_session, reserved_words,
    unpoison_session, unreserve,
)
from .hash_secret cimport Secret
from ..rules.timeout_classes cimport TIMERS

cdef enum:
    OPENED_OUTSIDE = 1
    INSIDE_SENT = 2
    COUNTED = 4
    OUTSIDE_SCALES = 8
    WINDOW_OF_SYN = 16
    IS_WIDE = 32
    INSIDE_SYN = 64
    ANSWERED = 128

@cython.final
cdef class SessionTable:
    cdef Sessions rows
    cdef Words remote_highs
    cdef MappingTable mappings
    cdef Index by_internal, by_external
    cdef Secret secret
    cdef readonly u32 capacity, count, fresh
    cdef readonly u64 entered
    cdef u32 free
    cdef u64 remote_high(self, u32 i) noexcept nogil
    cdef u32 outbound_tag(self, u32 protocol, u64 high, u64 low, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 inbound_tag(self, u32 protocol, u32 external, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 outbound_tag_of(self, u32 i) noexcept nogil
    cdef u32 inbound_tag_of(self, u32 i) noexcept nogil
    cdef u32 find_outbound(self, u32 protocol, u64 high, u64 low, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 find_inbound(self, u32 protocol, u32 external, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 row_for_new(self) noexcept nogil
    cdef void enter(self, u32 i, u32 mapping, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef void move_entries(self) noexcept nogil
    cdef void tidy(self) noexcept nogil
    cdef void remove(self, u32 i) noexcept nogil
    cdef void unlink(self, u32 i) noexcept nogil
    cdef void append(self, u32 i, u32 timer) noexcept nogil
    cdef void refresh(self, u32 i, u32 timer, u64 expires) noexcept nogil
    cdef u32 oldest(self, u32 timer) noexcept nogil
