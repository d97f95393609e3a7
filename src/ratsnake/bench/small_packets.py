"""The smallest IPv4 packets that are whole: UDP with 4 bytes of data, TCP without any.

An endpoint is an address and a port in one number: `address << 16 | port`.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import put16, put32
    from ratsnake.wire.checksum import pseudo_header_sum, sum_octets
    from ratsnake.wire.integer_types import M16, MAPPED_IPV4, Bytes, u32, u64
    from ratsnake.wire.ipv4 import DONT_FRAGMENT, HEADER
    from ratsnake.wire.packet_fields import IPPROTO_TCP, IPPROTO_UDP, TCP

    ACK = 16
    SYN = 2
    UDP_SIZE = 32
    TCP_SIZE = 40


def write_packet(b: Bytes, protocol: u32, source: u64, destination: u64, flags: u32) -> u32:
    """Write a TCP segment with these flags, or a UDP datagram; its size in bytes."""
    size: u32 = TCP_SIZE if protocol == TCP else UDP_SIZE
    number: u32 = IPPROTO_TCP if protocol == TCP else IPPROTO_UDP
    at: u32
    for at in range(size):
        b[at] = 0
    b[0] = 0x45
    put16(b, 2, size)
    put16(b, 6, DONT_FRAGMENT)
    b[8] = 64
    b[9] = number
    put32(b, 12, source >> 16)
    put32(b, 16, destination >> 16)
    put16(b, 10, sum_octets(b, 0, HEADER) ^ M16)
    put16(b, 20, source & M16)
    put16(b, 22, destination & M16)
    check: u32 = 26
    if protocol == TCP:
        check = 36
        put32(b, 24, 1)  # each segment begins where the other side expects it
        put32(b, 28, 1)
        b[32] = 0x50
        b[33] = flags
        put16(b, 34, 1024)
    else:
        put16(b, 24, size - HEADER)
    s: u32 = sum_octets(b, HEADER, size) + pseudo_header_sum(
        0, MAPPED_IPV4 | source >> 16, 0, MAPPED_IPV4 | destination >> 16, size - HEADER, number
    )
    s = (s & M16) + (s >> 16)
    put16(b, check, s ^ M16 if s != M16 else M16)
    return size
