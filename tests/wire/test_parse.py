"""What the parser says of well-formed packets: fields written down by hand, and scapy's opinion."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Packet, Raw

from support.flavours import Engine, load
from support.layers import (
    AH,
    DESTINATION_OPTIONS,
    HOP_BY_HOP,
    HOST4,
    HOST6,
    NONE,
    NUMBERS,
    PEER4,
    PEER6,
    ROUTING,
    UPPER_LAYERS,
    dccp,
    extension,
    icmp,
    ipv4,
    ipv6,
    sctp,
    tcp,
    udplite,
)
from support.malformed import WELL_FORMED

PACKET = load("interpreted").modules["wire.packet_fields"]
ROWS = {
    **{"tcp": PACKET.TCP, "udp": PACKET.UDP, "udplite": PACKET.UDPLITE, "dccp": PACKET.DCCP},
    **{"sctp": PACKET.SCTP, "gre": PACKET.OTHER},
}
KINDS = {"tcp": 2, "sctp": 1}
EMPTY = dict.fromkeys(PACKET.fields_of(PACKET.new_packet()), 0)


def halves(address: str) -> tuple[int, int]:
    """An address as the engine holds it."""
    parsed = ip_address(address)
    number = int(parsed) | (0xFFFF << 32 if parsed.version == 4 else 0)
    return number >> 64, number & (1 << 64) - 1


def parsed(engine: Engine, packet: bytes) -> dict[str, int]:
    """The fields of a packet that must be well-formed."""
    fault, fields = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    assert fault == 0
    return fields


def fields4(number: int, size: int, **others: int) -> dict[str, int]:
    source, destination = halves(HOST4), halves(PEER4)
    return {
        **EMPTY,
        **{"source_high": source[0], "source_low": source[1]},
        **{"destination_high": destination[0], "destination_low": destination[1]},
        **{"transport": 20, "end": 20 + size, "identification": 0xABCD},
        **{"version": 4, "number": number},
        **others,
    }


def fields6(number: int, size: int, **others: int) -> dict[str, int]:
    source, destination = halves(HOST6), halves(PEER6)
    return {
        **EMPTY,
        **{"source_high": source[0], "source_low": source[1]},
        **{"destination_high": destination[0], "destination_low": destination[1]},
        **{"transport": 40, "end": 40 + size, "version": 6, "number": number},
        **others,
    }


@pytest.mark.parametrize("name", ROWS)
def test_every_field_of_every_protocol_over_both_versions(engine: Engine, name: str) -> None:
    number, layer = NUMBERS[name], UPPER_LAYERS[name]
    ports = (number, number) if name == "gre" else (4000, 53)
    others = {
        **{"source_port": ports[0], "destination_port": ports[1]},
        **{"protocol": ROWS[name], "kind": KINDS.get(name, 0)},
    }
    assert parsed(engine, ipv4(number, layer)) == fields4(number, len(layer), **others)
    assert parsed(engine, ipv6(number, layer)) == fields6(number, len(layer), **others)


@pytest.mark.parametrize("kind", [0, 8, 13, 14])
def test_icmp_queries_have_their_identifier_as_ports(engine: Engine, kind: int) -> None:
    message = icmp(kind, bytes(12) if kind > 8 else b"", 0xBEEF)
    others = {"source_port": 0xBEEF, "destination_port": 0xBEEF, "protocol": 2, "kind": kind}
    assert parsed(engine, ipv4(1, message)) == fields4(1, len(message), **others)


@pytest.mark.parametrize("kind", [128, 129])
def test_icmpv6_echo_has_its_identifier_as_ports(engine: Engine, kind: int) -> None:
    message = icmp(kind, identifier=0xBEEF)
    others = {"source_port": 0xBEEF, "destination_port": 0xBEEF, "protocol": 2, "kind": kind}
    assert parsed(engine, ipv6(58, message)) == fields6(58, len(message), **others)


def row(engine: Engine, packet: bytes) -> int:
    fault, fields = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    return fields["protocol"] if fault == 0 else PACKET.PROTOCOLS


def test_every_number_has_its_row_and_others_have_their_number_as_ports(engine: Engine) -> None:
    """Asked with later fragments, which look at nothing but the number."""
    named = {NUMBERS[name]: row for name, row in ROWS.items()}
    for number in range(256):
        none = number in (AH, NONE)
        expected = PACKET.PROTOCOLS if none else named.get(number, PACKET.OTHER)
        over4 = {1: PACKET.ICMP, 58: PACKET.PROTOCOLS}.get(number, expected)
        over6 = {58: PACKET.ICMP, 1: PACKET.PROTOCOLS}.get(number, expected)
        assert row(engine, ipv4(number, bytes(8), field=1)) == over4
        header = bytes([number, 0, 0, 8]) + bytes(4)
        assert row(engine, ipv6(44, header + bytes(8))) == over6
        if expected == PACKET.OTHER and number not in (1, 58):
            fields = parsed(engine, ipv4(number, b""))
            assert fields["source_port"] == fields["destination_port"] == number


def test_tcp_flags_are_its_kind(engine: Engine) -> None:
    for flags in range(256):
        assert parsed(engine, ipv4(6, tcp(flags)))["kind"] == flags


def test_dccp_types_are_its_kind_and_the_x_bit_says_how_long_the_header_is(engine: Engine) -> None:
    for kind in range(16):
        assert parsed(engine, ipv6(33, dccp(kind)))["kind"] == kind
    for kind in (2, 3, 4):
        assert parsed(engine, ipv4(33, dccp(kind, extended=0)))["kind"] == kind


def test_the_first_chunk_of_sctp_is_its_kind(engine: Engine) -> None:
    for chunk in (0, 1, 2, 6, 255):
        assert parsed(engine, ipv4(132, sctp(chunk, bytes(9)) + bytes(3)))["kind"] == chunk


def test_udplite_covers_all_or_at_least_its_header(engine: Engine) -> None:
    for coverage in (0, 8, 11, 12):
        assert parsed(engine, ipv4(136, udplite(coverage)))["source_port"] == 4000


@pytest.mark.parametrize("options", [4, 40])
def test_ipv4_options_are_skipped(engine: Engine, options: int) -> None:
    fields = parsed(engine, ipv4(6, tcp(), bytes([1] * options)))
    assert (fields["transport"], fields["end"]) == (20 + options, 40 + options)
    assert fields["destination_port"] == 53


def test_extension_headers_are_skipped_whatever_their_order(engine: Engine) -> None:
    inner = extension(6, tcp(), 24)
    packet = ipv6(HOP_BY_HOP, extension(ROUTING, extension(DESTINATION_OPTIONS, inner, 16)))
    assert parsed(engine, packet) == fields6(
        **{"number": 6, "size": 8 + 16 + 24 + 20, "transport": 40 + 8 + 16 + 24},
        **{"source_port": 4000, "destination_port": 53, "kind": 2},
    )


def test_eight_extension_headers_are_skipped(engine: Engine) -> None:
    packet, number = tcp(), 6
    for _ in range(8):
        packet, number = extension(number, packet), DESTINATION_OPTIONS
    assert parsed(engine, ipv6(number, packet))["transport"] == 40 + 8 * 8


def test_an_extension_header_may_be_2048_bytes_long(engine: Engine) -> None:
    packet = ipv6(DESTINATION_OPTIONS, extension(6, tcp(), 2048))
    assert parsed(engine, packet)["transport"] == 40 + 2048


def test_nothing_of_the_packet_before_is_left_in_the_record(engine: Engine) -> None:
    """But where the quotation was, which only an error's fields tell."""
    inspect = engine.modules["wire.parsed_values"].inspect
    for packet in WELL_FORMED:
        alone = parsed(engine, packet)
        for before in WELL_FORMED:
            fault, fields = inspect(bytearray(before), bytearray(packet))
            if not alone["is_error"]:
                fields["embedded"] = fields["embedded_transport"] = 0
            assert (fault, fields) == (0, alone)


SCAPY: list[tuple[Packet, str, type[Packet]]] = [
    (IP(src=HOST4, dst=PEER4, options=[]) / TCP(sport=1, dport=2, flags="SA"), "tcp", TCP),
    (IP(src=HOST4, dst=PEER4) / UDP(sport=1, dport=2) / Raw(b"x"), "udp", UDP),
    (IP(src=HOST4, dst=PEER4) / SCTP(sport=1, dport=2) / SCTPChunkInit(), "sctp", SCTP),
    (IPv6(src=HOST6, dst=PEER6) / TCP(sport=1, dport=2, flags="R"), "tcp", TCP),
    (
        IPv6(src=HOST6, dst=PEER6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(sport=1),
        "udp",
        UDP,
    ),
    (IPv6(src=HOST6, dst=PEER6) / SCTP(sport=1, dport=2) / SCTPChunkInit(), "sctp", SCTP),
]


@pytest.mark.parametrize("case", SCAPY, ids=[str(packet.summary()) for packet, _, _ in SCAPY])
def test_scapy_agrees_on_addresses_ports_and_offsets(
    engine: Engine, case: tuple[Packet, str, type[Packet]]
) -> None:
    packet, name, kind = case
    data = bytes(packet)
    fields = parsed(engine, data)
    seen = packet.__class__(data)
    assert (fields["source_high"], fields["source_low"]) == halves(seen.src)
    assert (fields["destination_high"], fields["destination_low"]) == halves(seen.dst)
    assert (fields["source_port"], fields["destination_port"]) == (seen.sport, seen.dport)
    assert data[fields["transport"] : fields["end"]] == bytes(seen[kind])
    assert fields["protocol"] == ROWS[name]


def test_scapy_agrees_on_echo_identifiers(engine: Engine) -> None:
    assert parsed(engine, bytes(IP() / ICMP(id=0x1234)))["source_port"] == 0x1234
    assert parsed(engine, bytes(IPv6() / ICMPv6EchoRequest(id=0x1234)))["source_port"] == 0x1234
