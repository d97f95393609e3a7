from .faults cimport (
    EMPTY, FRAGMENT, IPV6, IP_HEADER_LENGTH, IP_LENGTH, IP_OVERLONG, IP_TRUNCATED, IP_VERSION,
    NO_FAULT, PROTOCOL,
)
from .icmp cimport parse_icmp
from .octets cimport be16, be32
from .packet cimport IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, Packet
from .tcp cimport parse_tcp
from .types cimport Bytes, MAPPED_IPV4, u32
from .udp cimport parse_udp

cdef enum:
    VERSION = 0
    TOTAL_LENGTH = 2
    FRAGMENT_FIELD = 6
    PROTOCOL_FIELD = 9
    CHECKSUM = 10
    SOURCE = 12
    DESTINATION = 16
    HEADER = 20
    MORE_OR_OFFSET = 0x3FFF

cdef u32 parse(Bytes b, u32 size, Packet p) noexcept nogil
