"""ICMP errors and the packets they quote (RFC 5508 section 4.2, RFC 4787 REQ-12).

An error is about a packet that went the other way.  In the quotation the NAT undoes what it did to
that packet, then readdresses the error itself.  Errors are not filtered by their source
but for what is no router's on that side, and they neither refresh nor end a session (REQ-6).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be16, be32, be64, put16
    from ratsnake.wire.checksum import (
        adjust,
        difference128,
        fold,
        pseudo_header_sum,
        sum_octets,
        swap16,
    )
    from ratsnake.wire.header_faults import ICMP_CHECKSUM
    from ratsnake.wire.icmp import CHECKSUM, IDENTIFIER
    from ratsnake.wire.integer_types import M16, MAPPED_IPV4, Bytes, u32, u64
    from ratsnake.wire.ipv4 import CHECKSUM as IP_CHECKSUM
    from ratsnake.wire.ipv4 import SOURCE as IPV4_SOURCE
    from ratsnake.wire.ipv6 import SOURCE as IPV6_SOURCE
    from ratsnake.wire.packet_fields import ICMP, IPPROTO_ICMPV6, OTHER, SCTP, TCP, UDP, Packet

    from ..packets.header_rewrite import RECEIVER, SENDER, SHORT_CHECKSUM, TCP_CHECKSUM, put_address
    from ..rules.drop_reasons import DESTINATION, NO_SESSION, SOURCE, TRANSLATED

from .flow_lifecycle import Flows


def quoted_high(b: Bytes, p: Packet, end: u32) -> u64:
    """The upper half of the address of one end of the quoted packet."""
    if p.version == 4:
        return 0
    return be64(b, p.embedded + IPV6_SOURCE + 16 * end)


def quoted_low(b: Bytes, p: Packet, end: u32) -> u64:
    """The lower half of that address."""
    low: u64 = MAPPED_IPV4
    if p.version == 4:
        return low | be32(b, p.embedded + IPV4_SOURCE + 4 * end)
    return be64(b, p.embedded + IPV6_SOURCE + 16 * end + 8)


def is_sound(b: Bytes, p: Packet) -> bool:
    """Whether an error's checksum is right, and that of the IP header it quotes (REQ-3, REQ-3a).

    The transport checksum of the quotation is not looked at (REQ-3c): most is cut off.
    """
    total: u32 = sum_octets(b, p.transport, p.end)
    if p.version == 6:
        total = fold(
            total
            + pseudo_header_sum(
                p.source_high,
                p.source_low,
                p.destination_high,
                p.destination_low,
                p.end - p.transport,
                IPPROTO_ICMPV6,
            )
        )
        return total == M16
    header: u32 = (b[p.embedded] & 15) * 4
    return total == M16 and sum_octets(b, p.embedded, p.embedded + header) == M16


def inbound_error(flows: Flows, b: Bytes, p: Packet, now: u64, partial: bool) -> u32:
    """An error from outside: it quotes a packet from an external to a remote endpoint.

    The caller has looked at its source.
    """
    if not partial and not is_sound(b, p):
        return ICMP_CHECKSUM
    if p.destination_low != quoted_low(b, p, SENDER) or p.destination_high != quoted_high(
        b, p, SENDER
    ):
        return NO_SESSION
    i: u32 = flows.sessions.find_inbound(
        p.protocol,
        flows.realm.external_row(p.destination_high, p.destination_low),
        p.source_port,
        quoted_high(b, p, RECEIVER),
        quoted_low(b, p, RECEIVER),
        p.destination_port,
    )
    if i == 0 or not flows.meets(i, now):
        return NO_SESSION
    m: u32 = flows.sessions.rows[i].mapping
    high: u64 = flows.mappings.internal_high(m)
    low: u64 = flows.mappings.rows[m].internal_low
    difference: u32 = restore(b, p, SENDER, high, low, flows.mappings.rows[m].internal_port)
    finish(b, p, RECEIVER, high, low, difference, partial)
    return TRANSLATED


def outbound_error(flows: Flows, b: Bytes, p: Packet, now: u64, partial: bool) -> u32:
    """An error from inside: it quotes a packet from a remote to an internal endpoint.

    Its own source may be any internal host, such as a router on the way, or the router the NAT runs
    on: outside it becomes the external address too (RFC 5508 REQ-5c).
    """
    if not partial and not is_sound(b, p):
        return ICMP_CHECKSUM
    if not (
        flows.realm.is_internal(p.source_high, p.source_low)
        or flows.realm.is_router(p.source_high, p.source_low)
    ):
        return SOURCE
    if not flows.realm.is_remote(p.destination_high, p.destination_low):
        return DESTINATION
    if p.destination_low != quoted_low(b, p, SENDER) or p.destination_high != quoted_high(
        b, p, SENDER
    ):
        return NO_SESSION
    i: u32 = flows.sessions.find_outbound(
        p.protocol,
        quoted_high(b, p, RECEIVER),
        quoted_low(b, p, RECEIVER),
        p.destination_port,
        p.destination_high,
        p.destination_low,
        p.source_port,
    )
    if i == 0 or not flows.meets(i, now):
        return NO_SESSION
    m: u32 = flows.sessions.rows[i].mapping
    external: u32 = flows.mappings.rows[m].external
    difference: u32 = restore(
        b,
        p,
        RECEIVER,
        flows.realm.external_high[external],
        flows.realm.external_low[external],
        flows.mappings.rows[m].external_port,
    )
    # A reporter with an address of its own outside is seen by that: of all forwards, only
    # one-to-one addresses are for ICMP.
    own: u32 = flows.forwards.outbound(
        ICMP, p.source_high, p.source_low, 0, p.destination_high, p.destination_low
    )
    if own:
        external = flows.forwards.external_of(own)
    finish(
        b,
        p,
        SENDER,
        flows.realm.external_high[external],
        flows.realm.external_low[external],
        difference,
        partial,
    )
    return TRANSLATED


def restore(b: Bytes, p: Packet, end: u32, high: u64, low: u64, port: u32) -> u32:
    """Readdress one end of the quoted packet; return the difference this makes to a sum over it."""
    e: u32 = p.embedded
    t: u32 = p.embedded_transport
    moved: u32 = difference128(quoted_high(b, p, end), quoted_low(b, p, end), high, low)
    put_address(b, e, p.version, end, high, low)
    total: u32 = moved
    if p.version == 4:
        total += swap16(b, e + IP_CHECKSUM, adjust(be16(b, e + IP_CHECKSUM), moved))
    # GRE and the like have no ports; SCTP's CRC32c covers what the quotation cuts off.
    if p.protocol == OTHER:
        return fold(total)
    port_moved: u32
    check_at: u32
    if p.protocol == ICMP:
        port_moved = swap16(b, t + IDENTIFIER, port)
        check_at = t + CHECKSUM
        if p.version == 4:
            moved = 0
    else:
        port_moved = swap16(b, t + 2 * end, port)
        check_at = t + (TCP_CHECKSUM if p.protocol == TCP else SHORT_CHECKSUM)
    total += port_moved
    # The quotation may end before the transport checksum.
    if p.protocol == SCTP or check_at + 2 > p.end:
        return fold(total)
    check: u32 = be16(b, check_at)
    if p.protocol == UDP and check == 0:
        return fold(total)
    check = adjust(check, moved + port_moved)
    if p.protocol == UDP and check == 0:
        check = M16
    return fold(total + swap16(b, check_at, check))


def finish(
    b: Bytes, p: Packet, end: u32, high: u64, low: u64, difference: u32, partial: bool
) -> None:
    """Readdress the error itself."""
    at: u32 = p.transport + CHECKSUM
    moved: u32
    if end == SENDER:
        moved = difference128(p.source_high, p.source_low, high, low)
    else:
        moved = difference128(p.destination_high, p.destination_low, high, low)
    put_address(b, 0, p.version, end, high, low)
    if p.version == 4:
        put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), moved))
        moved = 0
    if not partial:
        put16(b, at, adjust(be16(b, at), difference + moved))
    elif p.version == 6:
        put16(b, at, fold(be16(b, at) + moved))
