"""One packet or more for every fault of form that parsing can find, under the fault's name."""

from .layers import (
    AH,
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOP_BY_HOP,
    NONE,
    NUMBERS,
    ROUTING,
    UPPER_LAYERS,
    changed,
    dccp,
    error4,
    error6,
    extension,
    fragment_header,
    icmp,
    ipv4,
    ipv6,
    sctp,
    tcp,
    udp,
    udplite,
)

UDP = ipv4(17, udp())
TCP = ipv4(6, tcp())
UDP6 = ipv6(17, udp())
CHAIN = ipv6(DESTINATION_OPTIONS, extension(17, udp(), 16))
ECHO, ECHO6 = icmp(8), icmp(128)
MAPPED = "::ffff:192.0.2.1"


def optioned(count: int) -> bytes:
    """UDP behind that many extension headers."""
    packet, number = udp(), 17
    for _ in range(count):
        packet, number = extension(number, packet), DESTINATION_OPTIONS
    return ipv6(number, packet)


def fragment6(
    number: int, payload: bytes, offset: int = 0, more: int = 1, before: int = 0
) -> bytes:
    """A fragment behind `before` bytes of destination options."""
    fragment = fragment_header(number, payload, offset, more)
    if before:
        return ipv6(DESTINATION_OPTIONS, extension(FRAGMENT, fragment, before))
    return ipv6(FRAGMENT, fragment)


IP = {
    "an empty read": (b"", "empty"),
    "version 0": (changed(UDP, 0, "B", 0x05), "ip-version"),
    "version 5": (changed(UDP, 0, "B", 0x55), "ip-version"),
    "version 15": (changed(UDP, 0, "B", 0xF5), "ip-version"),
    "one byte of version 15": (b"\xff", "ip-version"),
    "a mapped source": (ipv6(17, udp(), source=MAPPED), "ip-version"),
    "a mapped destination": (ipv6(17, udp(), destination=MAPPED), "ip-version"),
    "one byte": (UDP[:1], "ip-truncated"),
    "19 bytes": (UDP[:19], "ip-truncated"),
    "IHL 0": (changed(UDP, 0, "B", 0x40), "ip-header-length"),
    "IHL 2": (changed(UDP, 0, "B", 0x42), "ip-header-length"),
    "IHL 4": (changed(UDP, 0, "B", 0x44), "ip-header-length"),
    "IHL 15 in 32 bytes": (changed(UDP, 0, "B", 0x4F), "ip-length"),
    "total length 0": (changed(UDP, 2, "!H", 0), "ip-length"),
    "total length 19": (changed(UDP, 2, "!H", 19), "ip-length"),
    "total length beyond the packet": (changed(UDP, 2, "!H", len(UDP) + 1), "ip-truncated"),
    "total length 65535": (changed(UDP, 2, "!H", 65535), "ip-truncated"),
    "bytes after the total length": (UDP + b"x", "ip-overlong"),
    "one byte of IPv6": (UDP6[:1], "ip-truncated"),
    "39 bytes of IPv6": (UDP6[:39], "ip-truncated"),
    "payload length 0": (changed(UDP6, 4, "!H", 0), "ip-length"),
    "a payload length beyond the packet": (changed(UDP6, 4, "!H", 13), "ip-truncated"),
    "payload length 65535": (changed(UDP6, 4, "!H", 65535), "ip-truncated"),
    "bytes after the payload length": (UDP6 + b"x", "ip-overlong"),
    "an extension header cut short": (ipv6(60, bytes(7)), "extension-header"),
    "an extension header beyond the packet": (ipv6(60, b"\x11\1" + bytes(13)), "extension-header"),
    "hop-by-hop options second": (
        ipv6(60, extension(HOP_BY_HOP, extension(17, udp()))),
        "extension-header",
    ),
    "hop-by-hop options twice": (
        ipv6(HOP_BY_HOP, extension(HOP_BY_HOP, extension(17, udp()))),
        "extension-header",
    ),
    "segments left": (ipv6(ROUTING, extension(17, udp(), 24, 1)), "extension-header"),
    "9 extension headers": (optioned(9), "extension-header"),
    "two fragment headers": (
        ipv6(FRAGMENT, fragment_header(FRAGMENT, fragment_header(17, udp()))),
        "extension-header",
    ),
    "a fragment header cut short": (ipv6(FRAGMENT, bytes(7)), "extension-header"),
    "a first fragment whose extension headers are not whole": (
        fragment6(DESTINATION_OPTIONS, extension(17, b"", 16)[:8]),
        "extension-header",
    ),
}
FRAGMENTS = {
    "a first fragment of 12 bytes": (ipv4(17, udp(), field=0x2000), "fragment"),
    "a middle fragment of 12 bytes": (ipv4(17, udp(), field=0x2001), "fragment"),
    "a first fragment without data": (ipv4(17, b"", field=0x2000), "fragment"),
    "a last fragment without data": (ipv4(17, b"", field=1), "fragment"),
    "a fragment that ends at 65536": (ipv4(17, bytes(8 - 4), field=0x1FFD), "fragment"),
    "a fragment that options take to 65536": (
        ipv4(17, bytes(8), b"\1\1\1\1", field=0x1FFC),
        "fragment",
    ),
    "the last offset": (ipv4(17, bytes(1), field=0x1FFF), "fragment"),
    "an IPv6 first fragment of 12 bytes": (fragment6(17, udp()), "fragment"),
    "an IPv6 later fragment without data": (fragment6(17, b"", 8, 0), "fragment"),
    "an IPv6 fragment that ends at 65536": (fragment6(17, bytes(8), 65528, 0), "fragment"),
    "an IPv6 fragment that options take to 65536": (
        fragment6(17, bytes(8), 65520, 0, 8),
        "fragment",
    ),
    "an error's first fragment": (
        ipv4(1, icmp(3, UDP + bytes(32 - len(UDP))), field=0x2000),
        "fragment",
    ),
    "an ICMPv6 error's first fragment": (
        fragment6(58, icmp(1, UDP6 + bytes(56 - len(UDP6)))),
        "fragment",
    ),
    "a first fragment with half a TCP header": (
        ipv4(6, tcp()[:16], field=0x2000),
        "tcp-truncated",
    ),
    "a first fragment with part of the TCP options": (
        ipv4(6, changed(tcp(payload=bytes(4)), 12, "B", 0x70), field=0x2000),
        "tcp-header-length",
    ),
    "a first fragment with half a DCCP header": (fragment6(33, dccp()[:8]), "dccp-header"),
    "a first fragment with half an SCTP header": (fragment6(132, sctp()[:8]), "sctp-header"),
    "a later fragment of an Authentication Header": (ipv4(AH, bytes(8), field=1), "protocol"),
    "a later fragment of the other ICMP": (fragment6(1, bytes(8), 8, 0), "protocol"),
}
UPPER = {
    "an Authentication Header": (ipv4(AH, bytes(20)), "protocol"),
    "an Authentication Header in IPv6": (ipv6(AH, bytes(20)), "protocol"),
    "No Next Header": (ipv6(NONE, bytes(8)), "protocol"),
    "No Next Header in IPv4": (ipv4(NONE, bytes(8)), "protocol"),
    "ICMP in IPv6": (ipv6(1, ECHO), "protocol"),
    "ICMPv6 in IPv4": (ipv4(58, ECHO6), "protocol"),
    **{f"TCP with {n} bytes": (ipv4(6, bytes(n)), "tcp-truncated") for n in (0, 4, 10, 19)},
    "TCP with 19 bytes in IPv6": (ipv6(6, bytes(19)), "tcp-truncated"),
    "TCP data offset 0": (changed(TCP, 32, "B", 0x00), "tcp-header-length"),
    "TCP data offset 4": (changed(TCP, 32, "B", 0x40), "tcp-header-length"),
    "TCP data offset 15 in 20 bytes": (changed(TCP, 32, "B", 0xF0), "tcp-header-length"),
    **{f"UDP with {n} bytes": (ipv4(17, bytes(n)), "udp-truncated") for n in (0, 4, 7)},
    **{f"UDP length {n}": (changed(UDP, 24, "!H", n), "udp-length") for n in (0, 4, 7, 13, 9000)},
    "UDP with 7 bytes in IPv6": (ipv6(17, bytes(7)), "udp-truncated"),
    "UDP length 0 in IPv6": (changed(UDP6, 44, "!H", 0), "udp-length"),
    "UDP-Lite with 7 bytes": (ipv4(136, bytes(7)), "udp-truncated"),
    **{f"coverage {n}": (ipv4(136, udplite(n)), "udp-length") for n in (1, 7, 13, 65535)},
    **{f"ICMP with {n} bytes": (ipv4(1, bytes(n)), "icmp-truncated") for n in (0, 4, 7)},
    "a Timestamp of 19 bytes": (ipv4(1, icmp(13, bytes(11))), "icmp-truncated"),
    "a Timestamp Reply of 19 bytes": (ipv4(1, icmp(14, bytes(11))), "icmp-truncated"),
    "ICMPv6 with 7 bytes": (ipv6(58, bytes(7)), "icmp-truncated"),
    **{
        f"ICMP type {kind}": (ipv4(1, icmp(kind)), "icmp-type")
        for kind in (1, 4, 5, 9, 10, 15, 17, 30, 128, 255)
    },
    **{
        f"ICMPv6 type {kind}": (ipv6(58, icmp(kind)), "icmp-type")
        for kind in (0, 5, 8, 13, 127, 138, 255)
    },
    **{
        f"ICMPv6 type {kind}": (ipv6(58, icmp(kind)), "neighbour-discovery")
        for kind in (*range(130, 138), 143)
    },
    "DCCP with 11 bytes": (ipv4(33, dccp(2, 0)[:11]), "dccp-header"),
    "DCCP with a long header of 15 bytes": (ipv4(33, dccp()[:15]), "dccp-header"),
    "DCCP data offset 2": (ipv4(33, changed(dccp(2, 0), 4, "B", 2)), "dccp-header"),
    "DCCP data offset 3 with the X bit": (ipv4(33, changed(dccp(), 4, "B", 3)), "dccp-header"),
    "DCCP data offset 255": (ipv4(33, changed(dccp(), 4, "B", 255)), "dccp-header"),
    **{
        f"DCCP type {kind} without the X bit": (ipv4(33, dccp(kind, 0)), "dccp-header")
        for kind in (0, 1, 5, 6, 7, 8, 9, 15)
    },
    "SCTP with 12 bytes": (ipv4(132, sctp()[:12]), "sctp-header"),
    "SCTP with 15 bytes": (ipv6(132, sctp()[:15]), "sctp-header"),
    **{
        f"an SCTP chunk of {n} bytes": (ipv4(132, changed(sctp(), 14, "!H", n)), "sctp-header")
        for n in (0, 3, 5, 65535)
    },
}
QUOTED: dict[str, bytes] = {
    "nothing": error4(b""),
    "IHL 0": error4(changed(UDP, 0, "B", 0x40)),
    "IHL 4": error4(changed(UDP, 0, "B", 0x44)),
    "IHL 15": error4(changed(UDP, 0, "B", 0x4F)),
    "7 bytes of UDP": error4(UDP[:27]),
    "IPv6 in ICMP": error4(UDP6),
    "a later fragment": error4(ipv4(17, udp(), field=1)),
    "an error": error4(error4(UDP)),
    "a redirect": error4(ipv4(1, icmp(5))),
    "an Authentication Header": error4(ipv4(AH, bytes(20))),
    "ICMPv6 over IPv4": error4(ipv4(58, ECHO6)),
    "nothing in ICMPv6": error6(b""),
    "IPv4 in ICMPv6": error6(ipv4(17, udp(bytes(40)))),
    "7 bytes of UDP over IPv6": error6(UDP6[:47]),
    "an extension header cut short": error6(CHAIN[:47]),
    "no transport behind an extension header": error6(CHAIN[:56]),
    "an IPv6 later fragment": error6(fragment6(17, udp(), 8)),
    "segments left": error6(ipv6(ROUTING, extension(17, udp(), 24, 1))),
    "9 extension headers": error6(optioned(9)),
    "an ICMPv6 error": error6(error6(UDP6)),
    "ICMP over IPv6": error6(ipv6(1, ECHO)),
    "Neighbour Discovery": error6(ipv6(58, icmp(135))),
    "a mapped source": error6(ipv6(17, udp(), source=MAPPED)),
    "a mapped destination": error6(ipv6(17, udp(), destination=MAPPED)),
}

MALFORMED: dict[str, tuple[bytes, str]] = {
    **IP,
    **FRAGMENTS,
    **UPPER,
    **{f"quoting {name}": (packet, "icmp-embedded") for name, packet in QUOTED.items()},
}
WELL_FORMED = [
    *(ipv4(NUMBERS[name], layer) for name, layer in UPPER_LAYERS.items()),
    *(ipv6(NUMBERS[name], layer) for name, layer in UPPER_LAYERS.items()),
    *(error4(ipv4(NUMBERS[name], layer)) for name, layer in UPPER_LAYERS.items()),
    *(error6(ipv6(NUMBERS[name], layer)) for name, layer in UPPER_LAYERS.items()),
    *(ipv4(1, ECHO), ipv6(58, ECHO6), CHAIN, optioned(8), error6(optioned(8))),
    *(ipv4(17, udp(bytes(8)), field=0x2000), ipv4(17, bytes(8), field=0x2001)),
    *(fragment6(17, udp(bytes(8))), fragment6(17, bytes(3), 16, 0, 8)),
]
