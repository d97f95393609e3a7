from .faults cimport ICMP_EMBEDDED, ICMP_TRUNCATED, ICMP_TYPE, NO_FAULT
from .octets cimport be16
from .packet cimport ICMP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, Packet, TCP, UDP
from .types cimport Bytes, u32

cdef enum:
    TYPE = 0
    CHECKSUM = 2
    IDENTIFIER = 4
    HEADER = 8
    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    IP_HEADER = 20
    IP_PROTOCOL = 9
    IP_FRAGMENT = 6
    FRAGMENT_OFFSET = 0x1FFF
    QUOTED_TRANSPORT = 8

cdef u32 parse_icmp(Bytes b, Packet p) noexcept nogil
cdef u32 parse_embedded(Bytes b, Packet p) noexcept nogil
