"""Whether a vnet header tells the truth about the packet behind it.

The kernel's headers do.  What is checked here is what the NAT relies on: which checksum field is
partial, and that a super-packet is one of the protocol it claims.
"""

import cython

if not cython.compiled:
    import sys

    from ratsnake.wire.ipv4 import HEADER as IP_HEADER
    from ratsnake.wire.ipv4 import PROTOCOL_FIELD as IP_PROTOCOL
    from ratsnake.wire.packet import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
    from ratsnake.wire.types import Bytes, u32

    from .vnet_header import (
        VNET_AT_CSUM_OFFSET,
        VNET_AT_CSUM_START,
        VNET_AT_FLAGS,
        VNET_AT_GSO_SIZE,
        VNET_AT_GSO_TYPE,
        VNET_AT_HDR_LEN,
        VNET_F_NEEDS_CSUM,
        VNET_GSO_ECN,
        VNET_GSO_NONE,
        VNET_GSO_TCPV4,
        VNET_GSO_UDP_L4,
        VNET_SIZE,
    )

    WHOLE = 0
    PARTIAL = 1
    LIE = 2

    def native16(b: Bytes, o: int) -> u32:
        return int.from_bytes(b[o : o + 2], sys.byteorder)


def check_offload(b: Bytes, size: u32) -> u32:
    """WHOLE or PARTIAL by the transport checksum of the IPv4 frame in b[:size], or LIE.

    A frame too short to hold an IPv4 header is WHOLE: the parser will name its fault, as it will
    for another version.
    """
    if size < VNET_SIZE:
        return LIE
    if size < VNET_SIZE + IP_HEADER or b[VNET_SIZE] >> 4 != 4:
        return WHOLE
    partial: u32 = b[VNET_AT_FLAGS] & VNET_F_NEEDS_CSUM
    segments: u32 = b[VNET_AT_GSO_TYPE] & ~VNET_GSO_ECN
    if partial == 0:
        return WHOLE if segments == VNET_GSO_NONE else LIE
    header: u32 = (b[VNET_SIZE] & 15) * 4
    protocol: u32 = b[VNET_SIZE + IP_PROTOCOL]
    offset: u32 = native16(b, VNET_AT_CSUM_OFFSET)
    if native16(b, VNET_AT_CSUM_START) != header:
        return LIE
    if not (
        (protocol == IPPROTO_TCP and offset == 16)
        or (protocol == IPPROTO_UDP and offset == 6)
        or (protocol == IPPROTO_ICMP and offset == 2)
    ):
        return LIE
    if segments == VNET_GSO_NONE:
        return PARTIAL
    if native16(b, VNET_AT_GSO_SIZE) == 0 or native16(b, VNET_AT_HDR_LEN) > size - VNET_SIZE:
        return LIE
    if segments == VNET_GSO_TCPV4 and protocol == IPPROTO_TCP:
        return PARTIAL
    if segments == VNET_GSO_UDP_L4 and protocol == IPPROTO_UDP:
        return PARTIAL
    return LIE
