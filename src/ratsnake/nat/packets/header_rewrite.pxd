from ratsnake.wire.checksum cimport adjust, difference128, difference16, fold
from ratsnake.wire.crc32c cimport crc32c_after_ports
from ratsnake.wire.icmp cimport CHECKSUM as ICMP_CHECKSUM, IDENTIFIER
from ratsnake.wire.ipv4 cimport CHECKSUM as IP_CHECKSUM, IDENTIFICATION, SOURCE as IPV4_SOURCE, TTL
from ratsnake.wire.ipv6 cimport HOP_LIMIT, SOURCE as IPV6_SOURCE
from ratsnake.wire.byte_order cimport be16, be32, put16, put32, put64
from ratsnake.wire.packet_fields cimport DCCP, ICMP, LATER, Packet, SCTP, TCP, UDP, UDPLITE
from ratsnake.wire.sctp cimport CHECKSUM as SCTP_CHECKSUM
from ratsnake.wire.integer_types cimport Bytes, M16, M32, u32, u64

cdef enum:
    SENDER = 0
    RECEIVER = 1
    TCP_CHECKSUM = 16
    SHORT_CHECKSUM = 6

cdef void put_address(Bytes b, u32 at, u32 version, u32 end, u64 high, u64 low) noexcept nogil
cdef void rewrite(Bytes b, Packet p, u32 end, u64 high, u64 low, u32 port, u32 address_difference, u32 port_difference, bint partial) noexcept nogil
cdef void rewrite_query(Bytes b, Packet p, u32 port, u32 address_difference, u32 port_difference, bint partial) noexcept nogil
cdef void rewrite_sctp(Bytes b, Packet p, u32 end, u32 port) noexcept nogil
cdef void readdress(Bytes b, Packet p, u32 end, u64 high, u64 low) noexcept nogil
cdef void renumber(Bytes b, u32 identification) noexcept nogil

cdef bint take_hop(Bytes b, u32 version) noexcept nogil
