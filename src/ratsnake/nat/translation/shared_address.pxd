cimport cython
from ratsnake.wire.packet_fields cimport IPPROTO_ICMP, Packet
from ratsnake.wire.integer_types cimport u32
from ..tables.row_layouts cimport Octets, new_octets, release
from ..settings.address_realm cimport AddressRealm

@cython.final
cdef class Sharing:
    cdef AddressRealm realm
    cdef Octets shared
    cdef bint active
    cdef bint may_be_hosts(self, Packet p) noexcept nogil
    cdef bint is_query_from_inside(self, Packet p) noexcept nogil
