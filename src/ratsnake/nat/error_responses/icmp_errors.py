"""ICMP errors that the NAT itself sends, about packets it does not translate.

What each of them says is a number of four octets, so that the table below is all there is: type and
code of ICMP (RFC 792), then type and code of ICMPv6 (RFC 4443 section 3).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be64, put16, put32, put64
    from ratsnake.wire.checksum import fold, sum_octets
    from ratsnake.wire.integer_types import M16, M32, Bytes, u32, u64

    # Nobody listens there: 3/3, 1/4 (RFC 5382 REQ-4).
    PORT_UNREACHABLE = 0x03030104
    # No port, table row or share of them is left: 3/1, 1/3.  RFC 6888 REQ-11B prefers this soft
    # error to RFC 5508 REQ-8's 3/13, at which a host may give up what could succeed a little later.
    HOST_UNREACHABLE = 0x03010103
    # The way is closed for good: 3/13, 1/1 (RFC 5508 REQ-8).
    PROHIBITED = 0x030D0101
    # The address has no mapping: 3/0, 1/0 (RFC 6296 section 3.2).
    NO_ROUTE = 0x03000100
    # The packet may not go a hop further: 11/0, 3/0.
    TIME_EXCEEDED = 0x0B000300

    # IPv6's minimum MTU, which an ICMPv6 error never exceeds (RFC 4443 section 2.4 c): the most
    # octets that are ever written.
    ERROR_SIZE = 1280
    QUOTED_TRANSPORT = 8
    TIME_TO_LIVE = 64
    ICMP_HEADER = 8
    IPV4_HEADER = 20
    IPV4_FIRST_WORD = 0x45C00000
    IPV4_SECOND_WORD = 0x4000
    IPV4_TIME_TO_LIVE = 8
    IPV4_PROTOCOL = 9
    IPV4_CHECKSUM = 10
    IPV4_SOURCE = 12
    IPV4_DESTINATION = 16
    IPV4_ICMP = 1
    IPV6_HEADER = 40
    IPV6_FIRST_WORD = 0x60000000
    IPV6_PAYLOAD_LENGTH = 4
    IPV6_NEXT_HEADER = 6
    IPV6_HOP_LIMIT = 7
    IPV6_SOURCE = 8
    IPV6_DESTINATION = 24
    IPV6_ICMP = 58


def error_about(
    b: Bytes,
    size: u32,
    transport: u32,
    is_error: bool,
    is_later_fragment: bool,
    reply: u32,
    source_high: u64,
    source_low: u64,
    out: Bytes,
) -> u32:
    """Write an error about the packet in b[:size] to `out`, which has room for ERROR_SIZE octets.

    `reply` is one of the numbers above.  `transport`, `is_error` and `is_later_fragment` are what
    parsing found out; of the packet no more than its start needs to be there.  The error goes from
    the given source to the packet's.

    The error's size, or 0 where none may be sent: about an ICMP error, about a later fragment, and
    where a source or destination is not that of one host (RFC 1122 section 3.2.2, RFC 4443
    section 2.4 e).
    """
    if is_error or is_later_fragment:
        return 0
    if b[0] >> 4 == 4:
        if not between_hosts_ipv4(b):
            return 0
        return write_ipv4(b, size, transport, reply >> 16, source_low, out)
    if not between_hosts_ipv6(b):
        return 0
    return write_ipv6(b, size, reply & M16, source_high, source_low, out)


def between_hosts_ipv4(b: Bytes) -> bool:
    """Whether the source is one host, and the destination neither multicast nor broadcast.

    0.0.0.0/8, 127.0.0.0/8, and from 224 on multicast, reserved and broadcast are not one host.
    """
    first: u32 = b[IPV4_SOURCE]
    return first not in (0, 127) and first < 224 and b[IPV4_DESTINATION] < 224


def between_hosts_ipv6(b: Bytes) -> bool:
    """In ::/64 are the unspecified, the loopback and the IPv4-mapped addresses, in ff00::/8 the
    multicast ones (RFC 4291 section 2.4)."""
    return be64(b, IPV6_SOURCE) != 0 and b[IPV6_SOURCE] != 0xFF and b[IPV6_DESTINATION] != 0xFF


def write_ipv4(
    b: Bytes, size: u32, transport: u32, type_and_code: u32, source: u64, out: Bytes
) -> u32:
    """The IP header and 8 octets are quoted, the least that RFC 792 allows, all that NATs and hosts
    look for: whoever forges a source gets hardly more sent to it than he sent himself.

    The first words: internetwork control precedence (RFC 1812 section 4.3.2.5); identification 0,
    which "don't fragment" permits (RFC 6864 section 4.1).
    """
    quoted: u32 = min(transport + QUOTED_TRANSPORT, size, ERROR_SIZE - IPV4_HEADER - ICMP_HEADER)
    total: u32 = IPV4_HEADER + ICMP_HEADER + quoted
    put32(out, 0, IPV4_FIRST_WORD | total)
    put32(out, 4, IPV4_SECOND_WORD)
    out[IPV4_TIME_TO_LIVE] = TIME_TO_LIVE
    out[IPV4_PROTOCOL] = IPV4_ICMP
    put16(out, IPV4_CHECKSUM, 0)
    put32(out, IPV4_SOURCE, source & M32)
    k: u32
    for k in range(4):
        out[IPV4_DESTINATION + k] = b[IPV4_SOURCE + k]
    put16(out, IPV4_CHECKSUM, sum_octets(out, 0, IPV4_HEADER) ^ M16)
    write_icmp(b, quoted, type_and_code, 0, out, IPV4_HEADER)
    return total


def write_ipv6(
    b: Bytes, size: u32, type_and_code: u32, source_high: u64, source_low: u64, out: Bytes
) -> u32:
    """As much is quoted as the minimum MTU allows, which RFC 4443 section 2.4 c requires: 48 octets
    more than the packet at the most."""
    quoted: u32 = ERROR_SIZE - IPV6_HEADER - ICMP_HEADER
    if quoted > size:
        quoted = size
    payload: u32 = ICMP_HEADER + quoted
    put32(out, 0, IPV6_FIRST_WORD)
    put16(out, IPV6_PAYLOAD_LENGTH, payload)
    out[IPV6_NEXT_HEADER] = IPV6_ICMP
    out[IPV6_HOP_LIMIT] = TIME_TO_LIVE
    put64(out, IPV6_SOURCE, source_high)
    put64(out, IPV6_SOURCE + 8, source_low)
    k: u32
    for k in range(16):
        out[IPV6_DESTINATION + k] = b[IPV6_SOURCE + k]
    pseudo_header: u32 = sum_octets(out, IPV6_SOURCE, IPV6_HEADER) + payload + IPV6_ICMP
    write_icmp(b, quoted, type_and_code, pseudo_header, out, IPV6_HEADER)
    return IPV6_HEADER + payload


def write_icmp(
    b: Bytes, quoted: u32, type_and_code: u32, pseudo_header: u32, out: Bytes, at: u32
) -> None:
    """The ICMP message at `at`: type, code, checksum, an unused word, the quotation b[:quoted]."""
    end: u32 = at + ICMP_HEADER + quoted
    put16(out, at, type_and_code)
    put16(out, at + 2, 0)
    put32(out, at + 4, 0)
    k: u32
    for k in range(quoted):
        out[at + ICMP_HEADER + k] = b[k]
    put16(out, at + 2, fold(sum_octets(out, at, end) + pseudo_header) ^ M16)
