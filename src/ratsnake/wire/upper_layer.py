"""The upper layer of a packet whose IP header has been checked: who checks which protocol."""

import cython

if not cython.compiled:
    from .dccp import parse_dccp
    from .header_faults import NO_FAULT, PROTOCOL
    from .icmp import parse_icmp
    from .icmpv6 import parse_icmpv6
    from .integer_types import Bytes, u32
    from .packet_fields import (
        DCCP,
        ICMP,
        IPPROTO_TCP,
        IPPROTO_UDP,
        LATER,
        PROTOCOLS,
        SCTP,
        UDPLITE,
        Packet,
    )
    from .protocols import row_of
    from .sctp import parse_sctp
    from .tcp import parse_tcp
    from .udp import parse_udp
    from .udplite import parse_udplite


def parse_transport(b: Bytes, p: Packet) -> u32:
    """Check what is at p.transport, whose IANA number is p.number, and fill the rest of p.

    TCP and UDP come first, and past the table of rows, because nearly every packet is theirs.
    """
    if p.fragment != LATER:
        if p.number == IPPROTO_TCP:
            return parse_tcp(b, p)
        if p.number == IPPROTO_UDP:
            return parse_udp(b, p)
    row: u32 = row_of(p.version, p.number)
    if row == PROTOCOLS:
        return PROTOCOL
    p.protocol = row
    if p.fragment == LATER:
        p.source_port = p.destination_port = 0
        return NO_FAULT
    if row == ICMP:
        return parse_icmp(b, p) if p.version == 4 else parse_icmpv6(b, p)
    if row == UDPLITE:
        return parse_udplite(b, p)
    if row == DCCP:
        return parse_dccp(b, p)
    if row == SCTP:
        return parse_sctp(b, p)
    p.source_port = p.destination_port = p.number
    return NO_FAULT
