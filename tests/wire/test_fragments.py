"""Fragments of both IP versions: which part they are, where it goes, and what is looked into."""

import pytest
from scapy.layers.inet import IP, fragment
from scapy.layers.inet import UDP as ScapyUDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

from support.flavours import Engine, load
from support.layers import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOST4,
    HOST6,
    NUMBERS,
    PEER4,
    PEER6,
    UPPER_LAYERS,
    changed,
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

PACKET = load("interpreted").modules["wire.packet_fields"]
WHOLE, FIRST, LATER = PACKET.WHOLE, PACKET.FIRST, PACKET.LATER
Fields = dict[str, int]


def parsed(engine: Engine, packet: bytes) -> Fields:
    fault, fields = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    assert fault == 0
    return fields


def part(fields: Fields) -> tuple[int, int, int]:
    return fields["fragment"], fields["fragment_offset"], fields["more_fragments"]


def ports(fields: Fields) -> tuple[int, int]:
    return fields["source_port"], fields["destination_port"]


def test_ipv4_fragments_say_which_part_they_are(engine: Engine) -> None:
    data = udp(bytes(24))
    assert part(parsed(engine, ipv4(17, data))) == (WHOLE, 0, 0)
    assert part(parsed(engine, ipv4(17, data, field=0x4000))) == (WHOLE, 0, 0)
    assert part(parsed(engine, ipv4(17, data, field=0x2000))) == (FIRST, 0, 1)
    assert part(parsed(engine, ipv4(17, data, field=0x2004))) == (LATER, 32, 1)
    assert part(parsed(engine, ipv4(17, data[:5], field=0x0008))) == (LATER, 64, 0)


def test_ipv6_fragments_say_which_part_they_are(engine: Engine) -> None:
    def fields(offset: int, more: int, data: bytes) -> Fields:
        header = fragment_header(17, data, offset, more)
        seen = parsed(engine, ipv6(FRAGMENT, header))
        assert (seen["identification"], seen["fragment_header"]) == (0x89ABCDEF, 40)
        assert (seen["transport"], seen["end"]) == (48, 48 + len(data))
        return seen

    data = udp(bytes(24))
    assert part(fields(0, 1, data)) == (FIRST, 0, 1)
    assert part(fields(32, 1, data)) == (LATER, 32, 1)
    assert part(fields(64, 0, data[:5])) == (LATER, 64, 0)


def test_an_atomic_fragment_is_whole_and_keeps_its_header(engine: Engine) -> None:
    """RFC 6946; even one that holds an ICMP error, and its length need be no multiple of 8."""
    packet = ipv6(FRAGMENT, fragment_header(17, udp(b"odd")))
    fields = parsed(engine, packet)
    assert part(fields) == (WHOLE, 0, 0)
    assert (fields["fragment_header"], fields["identification"]) == (40, 0x89ABCDEF)
    assert ports(fields) == (4000, 53)
    error = ipv6(FRAGMENT, fragment_header(58, icmp(1, ipv6(17, udp()))))
    assert parsed(engine, error)["is_error"] == 1


def test_reserved_bits_of_a_fragment_header_say_nothing(engine: Engine) -> None:
    packet = changed(ipv6(FRAGMENT, fragment_header(17, udp())), 43, "B", 0x06)
    assert part(parsed(engine, packet)) == (WHOLE, 0, 0)


def test_extension_headers_on_both_sides_of_the_fragment_header(engine: Engine) -> None:
    inner = extension(17, udp(bytes(8)), 16)
    outer = extension(FRAGMENT, fragment_header(DESTINATION_OPTIONS, inner, 0, 1), 24)
    fields = parsed(engine, ipv6(DESTINATION_OPTIONS, outer))
    assert fields["fragment_header"] == 40 + 24
    assert fields["transport"] == 40 + 24 + 8 + 16
    assert (fields["number"], ports(fields)) == (17, (4000, 53))


def test_nothing_behind_a_later_fragment_header_is_looked_into(engine: Engine) -> None:
    """What looks like another extension header there is data."""
    data = b"\xff" * 8
    header = fragment_header(DESTINATION_OPTIONS, data, 8, 1)
    fields = parsed(engine, ipv6(FRAGMENT, header))
    assert (fields["transport"], fields["number"]) == (48, DESTINATION_OPTIONS)


@pytest.mark.parametrize("name", [*UPPER_LAYERS, "icmp", "icmpv6"])
def test_a_later_fragment_has_no_ports_and_is_not_checked(engine: Engine, name: str) -> None:
    """Its data would be a malformed header of every protocol that has one, or an ICMP error."""
    number, data = NUMBERS[name], b"\x03\xff\xff\xff\x00\x00\x00\x01"
    packets = []
    if name != "icmpv6":
        packets.append(ipv4(number, data, field=1))
    if name != "icmp":
        packets.append(ipv6(FRAGMENT, fragment_header(number, data, 8)))
    for packet in packets:
        fields = parsed(engine, packet)
        assert (fields["number"], ports(fields)) == (number, (0, 0))
        assert (fields["kind"], fields["is_error"]) == (0, 0)
        assert packet[fields["transport"] :] == data


@pytest.mark.parametrize("name", UPPER_LAYERS)
def test_a_first_fragment_has_the_fields_of_the_whole(engine: Engine, name: str) -> None:
    number = NUMBERS[name]
    layer = UPPER_LAYERS[name]
    layer += bytes(-len(layer) % 8)
    for whole, first in (
        (ipv4(number, layer), ipv4(number, layer, field=0x2000)),
        (ipv6(number, layer), ipv6(FRAGMENT, fragment_header(number, layer, 0, 1))),
    ):
        seen, expected = parsed(engine, first), parsed(engine, whole)
        for key in ("source_port", "destination_port", "kind", "protocol", "number", "is_error"):
            assert seen[key] == expected[key]


@pytest.mark.parametrize(
    ("number", "layer"),
    [
        (17, changed(udp(bytes(8)), 4, "!H", 3000)),
        (136, udplite(3000, bytes(8))),
        (132, changed(sctp(0, bytes(8)), 14, "!H", 3000)),
    ],
    ids=["udp", "udplite", "sctp"],
)
def test_lengths_may_reach_beyond_a_first_fragment_only(
    engine: Engine, number: int, layer: bytes
) -> None:
    assert ports(parsed(engine, ipv4(number, layer, field=0x2000))) == (4000, 53)
    header = fragment_header(number, layer, 0, 1)
    assert ports(parsed(engine, ipv6(FRAGMENT, header))) == (4000, 53)
    inspect = engine.modules["wire.parsed_values"].inspect
    assert inspect(bytearray(ipv4(number, layer)))[0]
    assert inspect(bytearray(ipv6(number, layer)))[0]


def test_an_echo_in_fragments_has_its_identifier_in_the_first(engine: Engine) -> None:
    for packet in (
        ipv4(1, icmp(8, bytes(8)), field=0x2000),
        ipv6(FRAGMENT, fragment_header(58, icmp(128, bytes(8)), 0, 1)),
    ):
        assert ports(parsed(engine, packet)) == (7, 7)


def test_the_last_byte_a_datagram_can_have_may_come_in_a_fragment(engine: Engine) -> None:
    """Of 65535 bytes, IPv4's header counted and IPv6's not."""
    last = parsed(engine, ipv4(17, bytes(65535 - 20 - 65512), field=65512 // 8))
    assert part(last) == (LATER, 65512, 0)
    packet = ipv6(FRAGMENT, fragment_header(17, bytes(7), 65528))
    assert part(parsed(engine, packet)) == (LATER, 65528, 0)


def test_scapy_fragments_of_ipv4_make_up_the_datagram(engine: Engine) -> None:
    whole = IP(src=HOST4, dst=PEER4, id=77) / ScapyUDP(sport=4000, dport=53) / Raw(bytes(3000))
    data, end = b"", 0
    for number, piece in enumerate(fragment(whole, fragsize=1000)):
        packet = bytes(piece)
        fields = parsed(engine, packet)
        assert fields["identification"] == 77
        assert fields["fragment_offset"] == end
        assert ports(fields) == ((0, 0) if number else (4000, 53))
        data += packet[fields["transport"] : fields["end"]]
        end = len(data)
    assert not fields["more_fragments"]
    assert data == bytes(IP(bytes(whole))[ScapyUDP])


def test_scapy_fragments_of_ipv6_make_up_the_datagram(engine: Engine) -> None:
    header = IPv6(src=HOST6, dst=PEER6) / IPv6ExtHdrFragment(id=0x76543210)
    whole = header / ScapyUDP(sport=4000, dport=53) / Raw(bytes(3000))
    size = 0
    for number, piece in enumerate(fragment6(whole, 1280)):
        fields = parsed(engine, bytes(piece))
        assert fields["identification"] == 0x76543210
        assert fields["fragment_offset"] == size
        assert ports(fields) == ((0, 0) if number else (4000, 53))
        size += fields["end"] - fields["transport"]
    assert not fields["more_fragments"]
    assert size == 3008


def test_a_short_tcp_first_fragment_needs_its_whole_header(engine: Engine) -> None:
    """24 bytes hold a header of 20: RFC 1858's tiny fragments do not."""
    packet = ipv4(6, tcp(payload=bytes(4)), field=0x2000)
    assert parsed(engine, packet)["kind"] == 2
