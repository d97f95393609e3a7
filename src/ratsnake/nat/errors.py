"""ICMP errors and the packets they quote (RFC 5508 section 4.2, RFC 4787 REQ-12).

An error is about a packet that went the other way.  In the quotation the NAT undoes what it did to
that packet, then readdresses the error itself.  Errors are not filtered by their source, and they
neither refresh nor end a session (REQ-6).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.checksum import adjust, difference32, fold, swap16
    from ratsnake.wire.octets import be16, be32, put16, put32
    from ratsnake.wire.packet import ICMP, TCP, UDP, Packet
    from ratsnake.wire.types import M16, M32, MAPPED_IPV4, Bytes, u32, u64

    from .reasons import DESTINATION, NO_SESSION, SOURCE, TRANSLATED
    from .records import Sessions
    from .rewrite import (
        DESTINATION_PORT,
        ICMP_CHECKSUM,
        IDENTIFIER,
        IP_CHECKSUM,
        IP_DESTINATION,
        IP_SOURCE,
        SOURCE_PORT,
        TCP_CHECKSUM,
        UDP_CHECKSUM,
    )

from .flows import Flows


def inbound_error(flows: Flows, b: Bytes, p: Packet, now: u64, partial: bool) -> u32:
    """An error from outside: it quotes a packet from an external to a remote endpoint."""
    if not flows.scope.is_remote(p.source_high, p.source_low):
        return SOURCE
    e: u32 = p.embedded
    if p.destination_low != MAPPED_IPV4 | be32(b, e + IP_SOURCE):
        return NO_SESSION
    external: u32 = flows.scope.external_row(p.destination_high, p.destination_low)
    i: u32 = flows.sessions.find_inbound(
        p.protocol,
        external,
        p.source_port,
        0,
        MAPPED_IPV4 | be32(b, e + IP_DESTINATION),
        0 if p.protocol == ICMP else p.destination_port,
    )
    s: Sessions = flows.sessions.rows
    if i == 0 or s[i].expires <= now:
        return NO_SESSION
    address: u32 = s[i].internal_low & M32
    difference: u32 = restore(b, p, IP_SOURCE, SOURCE_PORT, address, s[i].internal_port)
    finish(b, p, IP_DESTINATION, address, difference, partial)
    return TRANSLATED


def outbound_error(flows: Flows, b: Bytes, p: Packet, now: u64, partial: bool) -> u32:
    """An error from inside: it quotes a packet from a remote to an internal endpoint.

    Its own source may be any internal host, such as a router on the way, or the router the NAT runs
    on: outside it becomes the external address too (RFC 5508 REQ-5c).
    """
    if not (
        flows.scope.is_internal(p.source_high, p.source_low)
        or flows.scope.is_router(p.source_high, p.source_low)
    ):
        return SOURCE
    if not flows.scope.is_remote(p.destination_high, p.destination_low):
        return DESTINATION
    e: u32 = p.embedded
    if p.destination_low != MAPPED_IPV4 | be32(b, e + IP_SOURCE):
        return NO_SESSION
    i: u32 = flows.sessions.find_outbound(
        p.protocol,
        0,
        MAPPED_IPV4 | be32(b, e + IP_DESTINATION),
        p.destination_port,
        0,
        MAPPED_IPV4 | be32(b, e + IP_SOURCE),
        0 if p.protocol == ICMP else p.source_port,
    )
    s: Sessions = flows.sessions.rows
    if i == 0 or s[i].expires <= now:
        return NO_SESSION
    address: u32 = flows.scope.external_low[s[i].external] & M32
    difference: u32 = restore(b, p, IP_DESTINATION, DESTINATION_PORT, address, s[i].external_port)
    finish(b, p, IP_SOURCE, address, difference, partial)
    return TRANSLATED


def restore(b: Bytes, p: Packet, address_at: u32, port_at: u32, address: u32, port: u32) -> u32:
    """Readdress the quoted packet; return the difference this makes to the ICMP checksum."""
    e: u32 = p.embedded
    t: u32 = p.embedded_transport
    moved: u32 = swap16(b, e + address_at, address >> 16)
    moved = fold(moved + swap16(b, e + address_at + 2, address & M16))
    total: u32 = moved
    total += swap16(b, e + IP_CHECKSUM, adjust(be16(b, e + IP_CHECKSUM), moved))
    check_at: u32
    if p.protocol == ICMP:
        moved = swap16(b, t + IDENTIFIER, port)
        total += moved
        check_at = t + ICMP_CHECKSUM
    else:
        port_moved: u32 = swap16(b, t + port_at, port)
        total += port_moved
        moved += port_moved
        check_at = t + (TCP_CHECKSUM if p.protocol == TCP else UDP_CHECKSUM)
    # The quotation may end before the transport checksum.
    if check_at + 2 > p.end:
        return fold(total)
    check: u32 = be16(b, check_at)
    if p.protocol == UDP and check == 0:
        return fold(total)
    check = adjust(check, moved)
    if p.protocol == UDP and check == 0:
        check = M16
    return fold(total + swap16(b, check_at, check))


def finish(
    b: Bytes, p: Packet, address_at: u32, address: u32, difference: u32, partial: bool
) -> None:
    """Readdress the error itself."""
    t: u32 = p.transport
    if not partial:
        put16(b, t + ICMP_CHECKSUM, adjust(be16(b, t + ICMP_CHECKSUM), difference))
    moved: u32 = difference32(be32(b, address_at), address)
    put32(b, address_at, address)
    put16(b, IP_CHECKSUM, adjust(be16(b, IP_CHECKSUM), moved))
