cimport cython
from ratsnake.wire.packet cimport Packet
from ratsnake.wire.types cimport u32, u64
from .blocks cimport PortBlocks
from ..settings.deterministic cimport Deterministic
from .endpoints cimport EndpointMemory
from ..tables.generator cimport Generator
from ..tables.hashing cimport hash5
from ..tables.hosts cimport HostTable
from ..tables.mappings cimport MappingTable
from ..rules.policies cimport DISTINCT, EXCLUSIVE
from ..tables.policy_table cimport PolicyTable
from .ports cimport PortPools
from .positions cimport Positions
from ..tables.records cimport Mappings, NONE32, Numbers, Partners, new_numbers, release
from ..tables.secret cimport Secret
from .selection cimport HIGHEST, PortSelector
from .taken cimport TakenPorts
from .tally cimport Tally

cdef enum:
    SINGLE = 0
    BLOCKS = 1
    COMPUTED = 2
    LOST = 1
    GIVEN_UP = 2

@cython.final
cdef class Allocator:
    cdef PolicyTable policies
    cdef MappingTable mappings
    cdef HostTable hosts
    cdef TakenPorts taken
    cdef Generator generator
    cdef Secret secret
    cdef Positions positions
    cdef PortPools pools
    cdef EndpointMemory endpoints
    cdef PortSelector selector
    cdef PortBlocks blocks
    cdef Deterministic deterministic
    cdef Numbers families
    cdef Numbers unavailable
    cdef u32 externals, ipv4, ipv6, mode, sets, blocks_per_host
    cdef bint arbitrary, waits
    cdef u32 external, port, endpoint
    cdef u32 pool_of(self, u32 protocol, u32 external) noexcept nogil
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
