cimport cython
from ratsnake.wire.packet_fields cimport Packet
from ratsnake.wire.integer_types cimport u32, u64
from .sticky_ports cimport StickyPorts
from ..rules.behaviour_codes cimport DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
from ..tables.behaviour_by_protocol cimport PolicyTable
from .port_pools cimport PortPools
from .port_positions cimport Positions
from ..tables.row_layouts cimport NONE32
from .port_overloading cimport PortConflicts

cdef enum:
    HIGHEST = 0xFFFF
    WELL_KNOWN = 1023

@cython.final
cdef class PortSelector:
    cdef PolicyTable policies
    cdef PortPools pools
    cdef Positions positions
    cdef StickyPorts endpoints
    cdef PortConflicts taken
    cdef u32 policy, pool, ring, external, endpoint, sharing, first, last, class_first, class_last
    cdef u32 position, contested
    cdef bint waking, sparing
    cdef u32 choose(self, Packet p, u32 pool, u32 ring, u32 external, u32 endpoint, u32 first, u32 last, u64 now) noexcept nogil
    cdef u32 found(self, Packet p, u32 first, u32 last, u64 now) noexcept nogil
    cdef void spare_no_more(self) noexcept nogil
    cdef void face(self, Packet p, u32 pool, u32 ring, u32 external, u32 endpoint, u32 first, u32 last) noexcept nogil
    cdef u32 preferred(self, Packet p, u32 first, u32 last) noexcept nogil
    cdef u32 half_of(self, Packet p) noexcept nogil
    cdef u32 following(self, u32 port, u32 half, u32 first, u32 last) noexcept nogil
    cdef u32 following_any(self, u32 port, u32 first, u32 last) noexcept nogil
    cdef bint acceptable(self, Packet p, u32 position, u64 now) noexcept nogil
    cdef void forget_search(self) noexcept nogil
    cdef u32 some_port(self, Packet p) noexcept nogil
    cdef u32 fitting(self, Packet p, u32 start, u32 first, u32 last) noexcept nogil
    cdef bint covers(self, u32 first, u32 last) noexcept nogil
    cdef u32 of_parity(self, Packet p, u32 start, u32 first, u32 last) noexcept nogil
    cdef u32 within(self, u32 half, u32 start, u32 first, u32 last) noexcept nogil
