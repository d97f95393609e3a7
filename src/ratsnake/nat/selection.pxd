cimport cython
from ratsnake.wire.types cimport u32, u64
from .endpoints cimport EndpointMemory
from .mappings cimport MappingTable
from .policies cimport DISTINCT, EXCLUSIVE, PRESERVE, SEQUENTIAL
from .policy_table cimport PolicyTable
from .ports cimport PortPools
from .records cimport NONE32
from .tally cimport PORTS_TOWARD_REMOTE, PORT_OF_ENDPOINT, Tally

@cython.final
cdef class PortSelector:
    cdef PolicyTable policies
    cdef PortPools pools
    cdef MappingTable mappings
    cdef EndpointMemory endpoints
    cdef Tally tally
    cdef bint acceptable(self, u32 protocol, u32 pool, u32 external, u32 port, u32 endpoint, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 preferred(self, u32 protocol, u32 endpoint, u32 internal_port) noexcept nogil
    cdef u32 choose(self, u32 protocol, u32 pool, u32 external, u32 endpoint, u32 internal_port, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
    cdef u32 search(self, u32 protocol, u32 pool, u32 external, u32 endpoint, u32 start, u64 remote_high, u64 remote_low, u32 remote_port) noexcept nogil
