"""Put another endpoint into a checked packet, with its checksums by increment (RFC 1624)."""

import cython

if not cython.compiled:
    from ratsnake.wire.checksum import adjust, fold
    from ratsnake.wire.octets import be16, put16, put32
    from ratsnake.wire.packet import ICMP, TCP, Packet
    from ratsnake.wire.types import M16, Bytes, u32

    IP_CHECKSUM = 10
    IP_SOURCE = 12
    IP_DESTINATION = 16
    TCP_CHECKSUM = 16
    UDP_CHECKSUM = 6
    ICMP_CHECKSUM = 2
    SOURCE_PORT = 0
    DESTINATION_PORT = 2
    IDENTIFIER = 4


def rewrite(
    b: Bytes,
    p: Packet,
    address_at: u32,
    port_at: u32,
    address: u32,
    port: u32,
    address_difference: u32,
    port_difference: u32,
    partial: bool,
) -> None:
    """Write address and port at their offsets (in the IP and in the transport header).

    `partial`: the transport checksum field holds only the sum of the pseudo-header, uncomplemented
    (checksum offload); whoever sends the packet completes it.  So only the address is worked in.
    """
    t: u32 = p.transport
    put32(b, address_at, address)
    put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), address_difference))
    if p.protocol == ICMP:
        # The identifier is the port, and no pseudo-header belongs to the checksum (RFC 792).
        put16(b, t + IDENTIFIER, port)
        if not partial:
            put16(b, t + ICMP_CHECKSUM, adjust(be16(b, t + ICMP_CHECKSUM), port_difference))
        return
    put16(b, t + port_at, port)
    check_at: u32 = t + (TCP_CHECKSUM if p.protocol == TCP else UDP_CHECKSUM)
    check: u32 = be16(b, check_at)
    if partial:
        put16(b, check_at, fold(check + address_difference))
    elif p.protocol == TCP:
        put16(b, check_at, adjust(check, address_difference + port_difference))
    elif check:
        # 0 means "no checksum" (RFC 768): it stays, and a computed 0 is sent as its twin.
        check = adjust(check, address_difference + port_difference)
        put16(b, check_at, check if check else M16)
