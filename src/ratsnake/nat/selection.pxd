cimport cython
from ratsnake.wire.packet cimport Packet
from ratsnake.wire.types cimport u32, u64
from .endpoints cimport EndpointMemory
from .mappings cimport MappingTable
from .policies cimport DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
from .policy_table cimport PolicyTable
from .ports cimport ANY, EVEN, ODD, PortPools
from .records cimport NONE32
from .tally cimport PORTS_TOWARD_REMOTE, PORT_OF_ENDPOINT, Tally

cdef enum:
    HIGHEST = 0xFFFF
    WELL_KNOWN = 1023

@cython.final
cdef class PortSelector:
    cdef PolicyTable policies
    cdef PortPools pools
    cdef MappingTable mappings
    cdef EndpointMemory endpoints
    cdef Tally tally
    cdef u32 pool, external, endpoint, class_first, class_last, contested
    cdef bint several, waking
    cdef u32 choose(self, Packet p, u32 pool, u32 external, u32 endpoint, u32 first, u32 last, u64 now) noexcept nogil
    cdef void face(self, Packet p, u32 pool, u32 external, u32 endpoint, u32 first, u32 last) noexcept nogil
    cdef u32 preferred(self, Packet p, u32 first, u32 last) noexcept nogil
    cdef u32 following(self, u32 port, u32 first, u32 last, u32 parity) noexcept nogil
    cdef u32 parity_of(self, Packet p) noexcept nogil
    cdef bint acceptable(self, Packet p, u32 port) noexcept nogil
    cdef u32 fitting(self, Packet p, u32 start, u32 first, u32 last) noexcept nogil
    cdef u32 of_parity(self, Packet p, u32 start, u32 first, u32 last) noexcept nogil
    cdef u32 within(self, Packet p, u32 start, u32 first, u32 last, u32 parity) noexcept nogil
    cdef bint covers(self, u32 first, u32 last) noexcept nogil
    cdef u32 search(self, Packet p, u32 start, u32 first, u32 last, u32 parity) noexcept nogil
