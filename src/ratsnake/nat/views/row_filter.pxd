cimport cython
from ratsnake.wire.integer_types cimport u32, u64
from ..translation.flow_lifecycle cimport Flows
from ..rules.behaviour_codes cimport ADM, APDM, STATIC
from ..tables.row_layouts cimport Mappings, Partners, Sessions

cdef enum:
    ANY = 65536

@cython.final
cdef class EndpointRange:
    cdef u64 high, low, mask_high, mask_low
    cdef u32 port
    cdef bint has_address(self, u64 high, u64 low) noexcept nogil
    cdef bint has_port(self, u32 port) noexcept nogil
    cdef bint has(self, u64 high, u64 low, u32 port) noexcept nogil

@cython.final
cdef class RowFilter:
    cdef u32 protocol
    cdef EndpointRange internal, external, remote
    cdef bint has_ports(self, Flows flows, u32 protocol, u32 external) noexcept nogil
    cdef bint has_local(self, Flows flows, u32 i) noexcept nogil
    cdef bint has_mapping(self, Flows flows, u32 i) noexcept nogil
    cdef bint has_session(self, Flows flows, u32 i) noexcept nogil
