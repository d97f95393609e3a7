cimport cython
from ratsnake.wire.packet cimport IPPROTO_ICMP, Packet
from ratsnake.wire.types cimport u32
from ..tables.records cimport Octets, new_octets, release
from ..settings.scope cimport Scope

@cython.final
cdef class Sharing:
    cdef Scope scope
    cdef Octets shared
    cdef bint active
    cdef bint may_be_hosts(self, Packet p) noexcept nogil
    cdef bint is_query_from_inside(self, Packet p) noexcept nogil
