"""Which protocol of the wire belongs to which row of the tables kept per protocol.

A protocol that is not named here is of row OTHER: its addresses are translated and nothing else.
That holds for GRE, ESP and tunnels, whose checksums do not cover the IP header.
"""

import cython

if not cython.compiled:
    from .integer_types import u32
    from .packet_fields import (
        DCCP,
        ICMP,
        IPPROTO_AH,
        IPPROTO_DCCP,
        IPPROTO_ICMP,
        IPPROTO_ICMPV6,
        IPPROTO_NONE,
        IPPROTO_SCTP,
        IPPROTO_TCP,
        IPPROTO_UDP,
        IPPROTO_UDPLITE,
        OTHER,
        PROTOCOLS,
        SCTP,
        TCP,
        UDP,
        UDPLITE,
    )

    NUMBERS = 256
    ROWS = bytearray(2 * NUMBERS)

# The row over IPv4 and over IPv6; PROTOCOLS where there is none.  An Authentication Header covers
# the addresses (RFC 4302 section 3.3.3.1), and each version has an ICMP of its own.
NAMED = {
    IPPROTO_TCP: (TCP, TCP),
    IPPROTO_UDP: (UDP, UDP),
    IPPROTO_ICMP: (ICMP, PROTOCOLS),
    IPPROTO_ICMPV6: (PROTOCOLS, ICMP),
    IPPROTO_UDPLITE: (UDPLITE, UDPLITE),
    IPPROTO_DCCP: (DCCP, DCCP),
    IPPROTO_SCTP: (SCTP, SCTP),
    IPPROTO_AH: (PROTOCOLS, PROTOCOLS),
    IPPROTO_NONE: (PROTOCOLS, PROTOCOLS),
}

for number in range(NUMBERS):
    ROWS[number], ROWS[NUMBERS + number] = NAMED.get(number, (OTHER, OTHER))


def row_of(version: u32, number: u32) -> u32:
    """The row of an IANA number in a packet of IP version 4 or 6; PROTOCOLS if it has none."""
    return ROWS[number] if version == 4 else ROWS[NUMBERS + number]
