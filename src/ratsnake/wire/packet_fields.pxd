# C side of packet_fields.py.
from libc.stdlib cimport calloc, free as release_packet
from .integer_types cimport u8, u16, u32, u64

cdef enum:
    TCP = 0
    UDP = 1
    ICMP = 2
    UDPLITE = 3
    DCCP = 4
    SCTP = 5
    OTHER = 6
    PROTOCOLS = 7
    IPPROTO_ICMP = 1
    IPPROTO_TCP = 6
    IPPROTO_UDP = 17
    IPPROTO_DCCP = 33
    IPPROTO_AH = 51
    IPPROTO_ICMPV6 = 58
    IPPROTO_NONE = 59
    IPPROTO_SCTP = 132
    IPPROTO_UDPLITE = 136
    WHOLE = 0
    FIRST = 1
    LATER = 2

ctypedef struct PacketFields:
    u64 source_high, source_low, destination_high, destination_low
    u32 transport, end, identification, fragment_offset, fragment_header
    u32 embedded, embedded_transport
    u16 source_port, destination_port
    u8 version, protocol, number, kind, is_error, fragment, more_fragments

ctypedef PacketFields* Packet

cdef inline Packet new_packet() except NULL:
    cdef void* p = calloc(1, sizeof(PacketFields))
    if p == NULL:
        raise MemoryError
    return <Packet>p

cdef inline dict fields_of(Packet p):
    return p[0]
