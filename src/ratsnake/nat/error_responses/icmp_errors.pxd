from ratsnake.wire.checksum cimport fold, sum_octets
from ratsnake.wire.byte_order cimport be64, put16, put32, put64
from ratsnake.wire.integer_types cimport Bytes, M16, M32, u32, u64

cdef enum:
    PORT_UNREACHABLE = 0x03030104
    HOST_UNREACHABLE = 0x03010103
    PROHIBITED = 0x030D0101
    NO_ROUTE = 0x03000100
    TIME_EXCEEDED = 0x0B000300
    ERROR_SIZE = 1280
    QUOTED_TRANSPORT = 8
    TIME_TO_LIVE = 64
    ICMP_HEADER = 8
    IPV4_HEADER = 20
    IPV4_FIRST_WORD = 0x45C00000
    IPV4_SECOND_WORD = 0x4000
    IPV4_TIME_TO_LIVE = 8
    IPV4_PROTOCOL = 9
    IPV4_CHECKSUM = 10
    IPV4_SOURCE = 12
    IPV4_DESTINATION = 16
    IPV4_ICMP = 1
    IPV6_HEADER = 40
    IPV6_FIRST_WORD = 0x60000000
    IPV6_PAYLOAD_LENGTH = 4
    IPV6_NEXT_HEADER = 6
    IPV6_HOP_LIMIT = 7
    IPV6_SOURCE = 8
    IPV6_DESTINATION = 24
    IPV6_ICMP = 58

cpdef u32 error_about(Bytes b, u32 size, u32 transport, bint is_error, bint is_later_fragment, u32 reply, u64 source_high, u64 source_low, Bytes out) noexcept nogil
cdef bint between_hosts_ipv4(Bytes b) noexcept nogil
cdef bint between_hosts_ipv6(Bytes b) noexcept nogil
cdef u32 write_ipv4(Bytes b, u32 size, u32 transport, u32 type_and_code, u64 source, Bytes out) noexcept nogil
cdef u32 write_ipv6(Bytes b, u32 size, u32 type_and_code, u64 source_high, u64 source_low, Bytes out) noexcept nogil
cdef void write_icmp(Bytes b, u32 quoted, u32 type_and_code, u32 pseudo_header, Bytes out, u32 at) noexcept nogil
