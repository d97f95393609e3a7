cimport cython
from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport u32, u64
from .port_blocks cimport PortBlocks
from ..settings.host_policies cimport HostPolicies
from ..settings.deterministic_nat cimport Deterministic
from .sticky_ports cimport StickyPorts
from ..tables.random_generator cimport Generator
from ..tables.keyed_hash cimport hash5
from ..tables.host_table cimport HostTable
from ..tables.mapping_table cimport MappingTable
from ..rules.behaviour_codes cimport DISTINCT, EXCLUSIVE
from ..tables.behaviour_by_protocol cimport PolicyTable
from .port_pools cimport PortPools
from .port_positions cimport Positions
from ..tables.row_layouts cimport Mappings, NONE32, Numbers, Partners, new_numbers, release
from ..tables.hash_secret cimport Secret
from .port_selection cimport HIGHEST, PortSelector
from .port_overloading cimport PortConflicts
from .counter_table cimport CounterTable

cdef enum:
    SINGLE = 0
    BLOCKS = 1
    COMPUTED = 2
    LOST = 1
    GIVEN_UP = 2

@cython.final
cdef class Allocator:
    cdef PolicyTable policies
    cdef HostPolicies host_policies
    cdef MappingTable mappings
    cdef HostTable hosts
    cdef PortConflicts taken
    cdef Generator generator
    cdef Secret secret
    cdef Positions positions
    cdef PortPools pools
    cdef StickyPorts endpoints
    cdef PortSelector selector
    cdef PortBlocks blocks
    cdef Deterministic deterministic
    cdef Numbers families
    cdef Numbers unavailable
    cdef u32 externals, ipv4, ipv6, mode, sets, blocks_per_host
    cdef bint arbitrary, waits
    cdef u32 external, port, endpoint, policy
    cdef u32 pool_of(self, u32 protocol, u32 external) noexcept nogil
    cdef u32 addresses_for(self, u32 version) noexcept nogil
    cdef void face(self, Packet p) noexcept nogil
    cdef bint find(self, Packet p, u32 host, u64 now) noexcept nogil
    cdef bint look(self, Packet p, u32 base, u32 count, u32 host, u64 now) noexcept nogil
    cdef bint is_used(self, u32 protocol, u32 external, u32 port) noexcept nogil
    cdef bint lacks_block(self, u32 host) noexcept nogil
    cdef u32 holder_of_preferred(self, Packet p) noexcept nogil
    cdef u32 some_holder(self, Packet p) noexcept nogil
    cdef u32 holder_of(self, Packet p, u32 port) noexcept nogil
    cdef u32 paired(self, Packet p, u32 base, u32 count, u32 host) noexcept nogil
    cdef bint is_given_up(self, u32 external) noexcept nogil
    cdef u32 whole_set(self, u32 external) noexcept nogil
    cdef bint find_in(self, Packet p, u32 external, u32 ports, u32 first, u32 last, u64 now) noexcept nogil
    cdef bint find_anywhere(self, Packet p, u32 base, u32 count, u64 now) noexcept nogil
    cdef bint may_have_room(self, u32 protocol, u32 external, u64 now) noexcept nogil
    cdef u64 waking_of(self, u32 protocol, u32 external) noexcept nogil
    cdef u32 longest_rested(self, Packet p, u32 base, u32 count) noexcept nogil
    cdef bint find_in_blocks(self, Packet p, u32 external, u32 host, u64 now) noexcept nogil
    cdef u32 block_of_last(self, Packet p, u32 external) noexcept nogil
    cdef bint find_in_block(self, Packet p, u32 block, u64 now) noexcept nogil
    cdef bint find_computed(self, Packet p, u64 now) noexcept nogil
    cdef u32 set_of(self, u32 m) noexcept nogil
    cdef void take(self, u32 m) noexcept nogil
    cdef void give(self, u32 m, u64 rests_until) noexcept nogil
