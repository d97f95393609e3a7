cimport cython
from ratsnake.wire.checksum cimport adjust, difference32, fold, swap16
from ratsnake.wire.octets cimport be16, be32, put16, put32
from ratsnake.wire.packet cimport ICMP, Packet, TCP, UDP
from ratsnake.wire.types cimport Bytes, M16, M32, MAPPED_IPV4, u32, u64
from .flows cimport Flows
from .reasons cimport DESTINATION, NO_SESSION, SOURCE, TRANSLATED
from .records cimport Sessions
from .rewrite cimport (
    DESTINATION_PORT, ICMP_CHECKSUM, IDENTIFIER, IP_CHECKSUM, IP_DESTINATION, IP_SOURCE,
    SOURCE_PORT, TCP_CHECKSUM, UDP_CHECKSUM,
)

cdef u32 inbound_error(Flows flows, Bytes b, Packet p, u64 now, bint partial) noexcept nogil
cdef u32 outbound_error(Flows flows, Bytes b, Packet p, u64 now, bint partial) noexcept nogil
cdef u32 restore(Bytes b, Packet p, u32 address_at, u32 port_at, u32 address, u32 port) noexcept nogil
cdef void finish(Bytes b, Packet p, u32 address_at, u32 address, u32 difference, bint partial) noexcept nogil
