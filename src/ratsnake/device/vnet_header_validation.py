"""Whether a vnet header tells the truth about the packet behind it.

The kernel's headers do.  What is checked here is what the NAT relies on: which checksum field is
partial, and that a super-packet is one of the protocol it claims.
"""

import cython

if not cython.compiled:
    import sys

    from ratsnake.wire.icmp import CHECKSUM as ICMP_CHECKSUM
    from ratsnake.wire.integer_types import M8, Bytes, u32, u64
    from ratsnake.wire.ipv4 import HEADER as IPV4_HEADER
    from ratsnake.wire.ipv4 import PROTOCOL_FIELD
    from ratsnake.wire.ipv6 import HEADER as IPV6_HEADER
    from ratsnake.wire.ipv6 import NEXT_HEADER
    from ratsnake.wire.ipv6_extension_headers import follow_extensions
    from ratsnake.wire.packet_fields import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
    from ratsnake.wire.tcp import CHECKSUM as TCP_CHECKSUM
    from ratsnake.wire.udp import CHECKSUM as UDP_CHECKSUM

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
        VNET_GSO_TCPV6,
        VNET_GSO_UDP_L4,
        VNET_SIZE,
    )

    WHOLE = 0
    PARTIAL = 1
    LIE = 2

    def native16(b: Bytes, o: int) -> u32:
        return int.from_bytes(b[o : o + 2], sys.byteorder)


def check_offload(b: Bytes, size: u32) -> u32:
    """WHOLE or PARTIAL by the transport checksum of the frame in b[:size], or LIE.

    A frame too short to hold its IP header is WHOLE: the parser will name its fault, as it will for
    another version.
    """
    if size < VNET_SIZE:
        return LIE
    version: u32 = 0
    if size >= VNET_SIZE + IPV4_HEADER:
        version = b[VNET_SIZE] >> 4
    if version == 4:
        return check_transport(
            b, size, (b[VNET_SIZE] & 15) * 4, b[VNET_SIZE + PROTOCOL_FIELD], VNET_GSO_TCPV4
        )
    if version != 6 or size < VNET_SIZE + IPV6_HEADER:
        return WHOLE
    chain: u64 = follow_extensions(b, VNET_SIZE + IPV6_HEADER, size, b[VNET_SIZE + NEXT_HEADER])
    # A chain that is wrong has its upper layer at 0: only a frame that claims nothing passes.
    return check_transport(b, size, (chain >> 32) - VNET_SIZE, chain & M8, VNET_GSO_TCPV6)


def check_transport(b: Bytes, size: u32, start: u32, protocol: u32, tcp_segments: u32) -> u32:
    """`check_offload` for a packet whose upper layer starts `start` bytes behind the header."""
    partial: u32 = b[VNET_AT_FLAGS] & VNET_F_NEEDS_CSUM
    segments: u32 = b[VNET_AT_GSO_TYPE] & ~VNET_GSO_ECN
    if partial == 0:
        return WHOLE if segments == VNET_GSO_NONE else LIE
    offset: u32 = native16(b, VNET_AT_CSUM_OFFSET)
    if native16(b, VNET_AT_CSUM_START) != start:
        return LIE
    if not (
        (protocol == IPPROTO_TCP and offset == TCP_CHECKSUM)
        or (protocol == IPPROTO_UDP and offset == UDP_CHECKSUM)
        or (protocol in (IPPROTO_ICMP, IPPROTO_ICMPV6) and offset == ICMP_CHECKSUM)
    ):
        return LIE
    if segments == VNET_GSO_NONE:
        return PARTIAL
    if native16(b, VNET_AT_GSO_SIZE) == 0 or native16(b, VNET_AT_HDR_LEN) > size - VNET_SIZE:
        return LIE
    if segments == tcp_segments and protocol == IPPROTO_TCP:
        return PARTIAL
    if segments == VNET_GSO_UDP_L4 and protocol == IPPROTO_UDP:
        return PARTIAL
    return LIE
