from .header_faults cimport ICMP_EMBEDDED, NO_FAULT
from .byte_order cimport be16
from .packet_fields cimport ICMP, OTHER, PROTOCOLS, Packet
from .protocols cimport row_of
from .integer_types cimport Bytes, u32

cdef enum:
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    IDENTIFIER = 4
    QUOTED_TRANSPORT = 8

cdef u32 parse_quoted_transport(
    Bytes b, Packet p, u32 e, u32 t, u32 number, bint query,
) noexcept nogil
