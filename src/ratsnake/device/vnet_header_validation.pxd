from ratsnake.wire.ipv6_extension_headers cimport follow_extensions
from ratsnake.wire.icmp cimport CHECKSUM as ICMP_CHECKSUM
from ratsnake.wire.ipv4 cimport HEADER as IPV4_HEADER, PROTOCOL_FIELD
from ratsnake.wire.ipv6 cimport HEADER as IPV6_HEADER, NEXT_HEADER
from ratsnake.wire.packet_fields cimport IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from ratsnake.wire.tcp cimport CHECKSUM as TCP_CHECKSUM
from ratsnake.wire.integer_types cimport Bytes, M8, u32, u64
from ratsnake.wire.udp cimport CHECKSUM as UDP_CHECKSUM
from .vnet_header cimport (
    VNET_AT_CSUM_OFFSET, VNET_AT_CSUM_START, VNET_AT_FLAGS, VNET_AT_GSO_SIZE, VNET_AT_GSO_TYPE,
    VNET_AT_HDR_LEN, VNET_F_NEEDS_CSUM, VNET_GSO_ECN, VNET_GSO_NONE, VNET_GSO_TCPV4, VNET_GSO_TCPV6,
    VNET_GSO_UDP_L4, VNET_SIZE,
)

cdef enum:
    WHOLE = 0
    PARTIAL = 1
    LIE = 2

cdef extern from *:
    """
    #include <string.h>
    static inline uint32_t ratsnake_native16(const uint8_t *b, size_t o) {
        uint16_t v;
        memcpy(&v, b + o, 2);
        return v;
    }
    """
    u32 native16 "ratsnake_native16"(Bytes b, size_t o) noexcept nogil

cdef u32 check_offload(Bytes b, u32 size) noexcept nogil
cdef u32 check_transport(Bytes b, u32 size, u32 start, u32 protocol, u32 tcp_segments) noexcept nogil
