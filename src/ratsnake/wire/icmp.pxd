from .header_faults cimport FRAGMENT, ICMP_EMBEDDED, ICMP_TRUNCATED, ICMP_TYPE, NO_FAULT
from .ipv4 cimport FRAGMENT_FIELD, FRAGMENT_OFFSET, HEADER as IP_HEADER, PROTOCOL_FIELD
from .byte_order cimport be16
from .packet_fields cimport Packet, WHOLE
from .quoted_packet cimport QUOTED_TRANSPORT, parse_quoted_transport
from .integer_types cimport Bytes, u32

cdef enum:
    TYPE = 0
    CODE = 1
    CHECKSUM = 2
    IDENTIFIER = 4
    HEADER = 8
    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP_REQUEST = 13
    TIMESTAMP_REPLY = 14
    TIMESTAMP_SIZE = 20

cdef bint is_query(u32 kind) noexcept nogil
cdef u32 parse_icmp(Bytes b, Packet p) noexcept nogil
cdef u32 parse_quoted_ipv4(Bytes b, Packet p) noexcept nogil
