from .packet_fields cimport (
    DCCP, ICMP, IPPROTO_AH, IPPROTO_DCCP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_NONE, IPPROTO_SCTP,
    IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, OTHER, PROTOCOLS, SCTP, TCP, UDP, UDPLITE,
)
from .integer_types cimport u8, u32

cdef enum:
    NUMBERS = 256

cdef u8 ROWS[512]

cdef u32 row_of(u32 version, u32 number) noexcept nogil
