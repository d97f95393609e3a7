from ratsnake.wire.checksum cimport pseudo_header_sum, sum_octets
from ratsnake.wire.ipv4 cimport DONT_FRAGMENT, HEADER
from ratsnake.wire.byte_order cimport put16, put32
from ratsnake.wire.packet_fields cimport IPPROTO_TCP, IPPROTO_UDP, TCP
from ratsnake.wire.integer_types cimport Bytes, M16, MAPPED_IPV4, u32, u64

cdef enum:
    ACK = 16
    SYN = 2
    UDP_SIZE = 32
    TCP_SIZE = 40

cdef u32 write_packet(Bytes b, u32 protocol, u64 source, u64 destination, u32 flags) noexcept nogil
