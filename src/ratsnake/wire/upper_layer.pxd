from .dccp cimport parse_dccp
from .header_faults cimport NO_FAULT, PROTOCOL
from .icmp cimport parse_icmp
from .icmpv6 cimport parse_icmpv6
from .packet_fields cimport (
    DCCP, ICMP, IPPROTO_TCP, IPPROTO_UDP, LATER, PROTOCOLS, Packet, SCTP, UDPLITE,
)
from .protocols cimport row_of
from .sctp cimport parse_sctp
from .tcp cimport parse_tcp
from .integer_types cimport Bytes, u32
from .udp cimport parse_udp
from .udplite cimport parse_udplite

cdef u32 parse_transport(Bytes b, Packet p) noexcept nogil
