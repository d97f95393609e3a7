from ratsnake.wire.checksum cimport adjust, fold
from ratsnake.wire.octets cimport be16, put16, put32
from ratsnake.wire.packet cimport ICMP, Packet, TCP
from ratsnake.wire.types cimport Bytes, M16, u32

cdef enum:
    IP_CHECKSUM = 10
    IP_SOURCE = 12
    IP_DESTINATION = 16
    TCP_CHECKSUM = 16
    UDP_CHECKSUM = 6
    ICMP_CHECKSUM = 2
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    IDENTIFIER = 4

cdef void rewrite(Bytes b, Packet p, u32 address_at, u32 port_at, u32 address, u32 port, u32 address_difference, u32 port_difference, bint partial) noexcept nogil
