from .ipv6_extension_headers cimport OFFSET_BITS, OFFSET_FIELD, follow_extensions
from .header_faults cimport (
    FRAGMENT, ICMP_EMBEDDED, ICMP_TRUNCATED, ICMP_TYPE, NEIGHBOUR_DISCOVERY, NO_FAULT,
)
from .ipv6 cimport DESTINATION, HEADER as IP_HEADER, NEXT_HEADER, SOURCE, is_mapped
from .byte_order cimport be16, be64
from .packet_fields cimport Packet, WHOLE
from .quoted_packet cimport QUOTED_TRANSPORT, parse_quoted_transport
from .integer_types cimport Bytes, M8, u32, u64

cdef enum:
    TYPE = 0
    CODE = 1
    CHECKSUM = 2
    IDENTIFIER = 4
    MTU = 4
    HEADER = 8
    DESTINATION_UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129
    LISTENER_QUERY = 130
    REDIRECT = 137
    LISTENER_REPORT_2 = 143

cdef u32 parse_icmpv6(Bytes b, Packet p) noexcept nogil
cdef u32 parse_quoted_ipv6(Bytes b, Packet p) noexcept nogil
