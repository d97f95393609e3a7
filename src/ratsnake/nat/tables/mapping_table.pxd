cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from .keyed_hash cimport hash5
from .hash_index cimport Index
from ..rules.behaviour_codes cimport POLICIES_OF_CLASS, SHARES
from .behaviour_by_protocol cimport PolicyTable
from .row_layouts cimport (
    Mappings, NONE32, Partners, Words, new_mappings, new_partners, poison_mapping, prefetch_mapping,
    reserved_words, unpoison_mapping, unreserve,
)
from .hash_secret cimport Secret

cdef enum:
    FREE = 255

@cython.final
cdef class MappingTable:
    cdef Mappings rows
    cdef Partners partners
    cdef Words internal_highs
    cdef PolicyTable policies
    cdef Index by_internal, by_external
    cdef Secret secret
    cdef readonly u32 capacity, count, fresh
    cdef readonly u64 entered
    cdef u32 free
    cdef u32 internal_tag(self, u32 policy, u64 high, u64 low, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 external_tag(self, u32 policy, u32 external, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u64 internal_high(self, u32 m) noexcept nogil
    cdef u32 internal_tag_of(self, u32 m) noexcept nogil
    cdef u32 external_tag_of(self, u32 m) noexcept nogil
    cdef bint is_with(self, u32 m, u32 depends, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 find_internal(self, u32 policy, u64 high, u64 low, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 find_external(self, u32 policy, u32 external, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 find_inbound(self, u32 protocol, u32 external, u32 port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 add(self, u32 policy, u64 high, u64 low, u32 port, u32 external, u32 external_port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef void move_entries(self) noexcept nogil
    cdef void remove(self, u32 m) noexcept nogil
