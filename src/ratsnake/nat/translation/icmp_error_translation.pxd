from ratsnake.wire.checksum cimport (
    adjust, difference128, fold, pseudo_header_sum, sum_octets, swap16,
)
from ratsnake.wire.header_faults cimport ICMP_CHECKSUM
from ratsnake.wire.icmp cimport CHECKSUM, IDENTIFIER
from ratsnake.wire.ipv4 cimport CHECKSUM as IP_CHECKSUM, SOURCE as IPV4_SOURCE
from ratsnake.wire.ipv6 cimport SOURCE as IPV6_SOURCE
from ratsnake.wire.byte_order cimport be16, be32, be64, put16
from ratsnake.wire.packet_fields cimport ICMP, IPPROTO_ICMPV6, OTHER, Packet, SCTP, TCP, UDP
from ratsnake.wire.integer_types cimport Bytes, M16, MAPPED_IPV4, u32, u64
from .flow_lifecycle cimport Flows
from ..rules.drop_reasons cimport DESTINATION, NO_SESSION, SOURCE, TRANSLATED
from ..packets.header_rewrite cimport RECEIVER, SENDER, SHORT_CHECKSUM, TCP_CHECKSUM, put_address

cdef u64 quoted_high(Bytes b, Packet p, u32 end) noexcept nogil
cdef u64 quoted_low(Bytes b, Packet p, u32 end) noexcept nogil
cdef bint is_sound(Bytes b, Packet p) noexcept nogil
cdef u32 inbound_error(Flows flows, Bytes b, Packet p, u64 now, bint partial) noexcept nogil
cdef u32 outbound_error(Flows flows, Bytes b, Packet p, u64 now, bint partial) noexcept nogil
cdef u32 restore(Bytes b, Packet p, u32 end, u64 high, u64 low, u32 port) noexcept nogil
cdef void finish(Bytes b, Packet p, u32 end, u64 high, u64 low, u32 difference, bint partial) noexcept nogil
