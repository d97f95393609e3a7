"""Put another endpoint into a checked packet, with its checksums by increment (RFC 1624)."""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be32, put16, put32, put64
    from ratsnake.wire.checksum import adjust, difference16, difference128, fold
    from ratsnake.wire.crc32c import crc32c_after_ports
    from ratsnake.wire.icmp import CHECKSUM as ICMP_CHECKSUM
    from ratsnake.wire.icmp import IDENTIFIER
    from ratsnake.wire.integer_types import M16, M32, Bytes, u32, u64
    from ratsnake.wire.ipv4 import CHECKSUM as IP_CHECKSUM
    from ratsnake.wire.ipv4 import IDENTIFICATION, TTL
    from ratsnake.wire.ipv4 import SOURCE as IPV4_SOURCE
    from ratsnake.wire.ipv6 import HOP_LIMIT
    from ratsnake.wire.ipv6 import SOURCE as IPV6_SOURCE
    from ratsnake.wire.packet_fields import DCCP, ICMP, LATER, SCTP, TCP, UDP, UDPLITE, Packet
    from ratsnake.wire.sctp import CHECKSUM as SCTP_CHECKSUM

    # Which end of the packet's way.
    SENDER = 0
    RECEIVER = 1
    TCP_CHECKSUM = 16
    SHORT_CHECKSUM = 6  # of UDP, UDP-Lite and DCCP


def put_address(b: Bytes, at: u32, version: u32, end: u32, high: u64, low: u64) -> None:
    """Write an address into the IP header at `at`."""
    if version == 4:
        put32(b, at + IPV4_SOURCE + 4 * end, low & M32)
        return
    put64(b, at + IPV6_SOURCE + 16 * end, high)
    put64(b, at + IPV6_SOURCE + 16 * end + 8, low)


def rewrite(
    b: Bytes,
    p: Packet,
    end: u32,
    high: u64,
    low: u64,
    port: u32,
    address_difference: u32,
    port_difference: u32,
    partial: bool,
) -> None:
    """Write the address and port of one end; the differences are those this makes to sums.

    `partial`: the transport checksum field holds only the sum of the pseudo-header, uncomplemented
    (checksum offload); whoever sends the packet completes it.  So only the address is worked in.
    """
    put_address(b, 0, p.version, end, high, low)
    if p.version == 4:
        put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), address_difference))
    if p.fragment == LATER:
        return
    t: u32 = p.transport
    at: u32
    check: u32
    if p.protocol == TCP:
        put16(b, t + 2 * end, port)
        check = be16(b, t + TCP_CHECKSUM)
        if partial:
            put16(b, t + TCP_CHECKSUM, fold(check + address_difference))
        else:
            put16(b, t + TCP_CHECKSUM, adjust(check, address_difference + port_difference))
    elif p.protocol == UDP or p.protocol == UDPLITE or p.protocol == DCCP:
        put16(b, t + 2 * end, port)
        at = t + SHORT_CHECKSUM
        check = be16(b, at)
        if partial:
            put16(b, at, fold(check + address_difference))
        elif check or p.protocol != UDP:
            # 0 means "no checksum" (RFC 768): it stays, and a computed 0 is sent as its twin,
            # which RFC 3828 section 3.1 and DCCP's receivers take as well.
            check = adjust(check, address_difference + port_difference)
            put16(b, at, check if check else M16)
    elif p.protocol == ICMP:
        rewrite_query(b, p, port, address_difference, port_difference, partial)
    elif p.protocol == SCTP:
        rewrite_sctp(b, p, end, port)


def rewrite_query(
    b: Bytes, p: Packet, port: u32, address_difference: u32, port_difference: u32, partial: bool
) -> None:
    """An ICMP query: its identifier is the port.

    No pseudo-header belongs to the checksum of ICMP (RFC 792), but one does to that of ICMPv6
    (RFC 4443 section 2.3).
    """
    t: u32 = p.transport
    put16(b, t + IDENTIFIER, port)
    check: u32 = be16(b, t + ICMP_CHECKSUM)
    moved: u32 = address_difference if p.version == 6 else 0
    if not partial:
        put16(b, t + ICMP_CHECKSUM, adjust(check, moved + port_difference))
    elif p.version == 6:
        put16(b, t + ICMP_CHECKSUM, fold(check + moved))


def rewrite_sctp(b: Bytes, p: Packet, end: u32, port: u32) -> None:
    """SCTP: the CRC32c covers the ports, and no address."""
    t: u32 = p.transport
    before: u32 = be32(b, t)
    put16(b, t + 2 * end, port)
    after: u32 = be32(b, t)
    if before != after:
        crc: u32 = crc32c_after_ports(be32(b, t + SCTP_CHECKSUM), p.end - t, before, after)
        put32(b, t + SCTP_CHECKSUM, crc)


def readdress(b: Bytes, p: Packet, end: u32, high: u64, low: u64) -> None:
    """Write the address of one end of a packet that has no ports in it: a later fragment."""
    difference: u32
    if end == SENDER:
        difference = difference128(p.source_high, p.source_low, high, low)
    else:
        difference = difference128(p.destination_high, p.destination_low, high, low)
    rewrite(b, p, end, high, low, 0, difference, 0, False)


def renumber(b: Bytes, identification: u32) -> None:
    """Write another identification into an IPv4 header."""
    at: u32 = IDENTIFICATION
    moved: u32 = difference16(be16(b, at), identification)
    put16(b, at, identification)
    put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), moved))


def take_hop(b: Bytes, version: u32) -> bool:
    """Take a hop from the packet's, if it has one to spare (RFC 791 section 3.2)."""
    if version == 6:
        if b[HOP_LIMIT] <= 1:
            return False
        b[HOP_LIMIT] -= 1
        return True
    if b[TTL] <= 1:
        return False
    b[TTL] -= 1
    put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), 0xFEFF))
    return True
