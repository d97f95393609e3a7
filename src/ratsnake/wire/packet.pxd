# C side of packet.py.
from libc.stdlib cimport calloc, free as release_packet
from .types cimport u8, u16, u32, u64

cdef enum:
    TCP = 0
    UDP = 1
    ICMP = 2
    PROTOCOLS = 3
    IPPROTO_ICMP = 1
    IPPROTO_TCP = 6
    IPPROTO_UDP = 17

ctypedef struct PacketFields:
    u64 source_high, source_low, destination_high, destination_low
    u32 transport, end
    u16 source_port, destination_port
    u8 protocol, is_error, tcp_flags, icmp_type
    u32 embedded, embedded_transport

ctypedef PacketFields* Packet

cdef inline Packet new_packet() except NULL:
    cdef void* p = calloc(1, sizeof(PacketFields))
    if p == NULL:
        raise MemoryError
    return <Packet>p
