"""ICMP errors of both versions: the quoted packet's protocol and ports, the error's own type."""

import pytest

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
    error4,
    error6,
    extension,
    fragment_header,
    icmp,
    ipv4,
    ipv6,
    udp,
)

PACKET = load("interpreted").modules["wire.packet_fields"]
ROWS = {
    **{"tcp": PACKET.TCP, "udp": PACKET.UDP, "udplite": PACKET.UDPLITE, "dccp": PACKET.DCCP},
    **{"sctp": PACKET.SCTP, "gre": PACKET.OTHER},
}
# What comes before the quotation: the IP header and 8 bytes of ICMP.
BEFORE4, BEFORE6 = 28, 48


def inspect(engine: Engine, packet: bytes) -> tuple[int, dict[str, int]]:
    fault, fields = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    return fault, fields


def quoted(engine: Engine, packet: bytes) -> dict[str, int]:
    """The fields of an error that must be well-formed."""
    fault, fields = inspect(engine, packet)
    assert fault == 0
    assert fields["is_error"] == 1
    return fields


def ports(fields: dict[str, int]) -> tuple[int, int]:
    return fields["source_port"], fields["destination_port"]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "8 bytes"])
def test_every_protocol_may_be_quoted(engine: Engine, name: str, cut: bool) -> None:
    number, layer = NUMBERS[name], UPPER_LAYERS[name]
    shown = len(layer) if not cut else 8
    expected = (number, number) if name == "gre" else (4000, 53)
    for error, quote, version, outer, inner in (
        (error4, ipv4(number, layer)[: 20 + shown], 4, BEFORE4, 20),
        (error6, ipv6(number, layer)[: 40 + shown], 6, BEFORE6, 40),
    ):
        fields = quoted(engine, error(quote))
        assert (fields["number"], fields["protocol"]) == (number, ROWS[name])
        assert ports(fields) == expected
        assert (fields["embedded"], fields["embedded_transport"]) == (outer, outer + inner)
        assert (fields["transport"], fields["version"]) == (outer - 8, version)
        assert fields["end"] == outer + inner + shown


@pytest.mark.parametrize("kind", [3, 11, 12])
def test_the_kind_is_the_type_of_the_icmp_error(engine: Engine, kind: int) -> None:
    assert quoted(engine, error4(ipv4(17, udp()), kind))["kind"] == kind


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_the_kind_is_the_type_of_the_icmpv6_error(engine: Engine, kind: int) -> None:
    assert quoted(engine, error6(ipv6(17, udp()), kind))["kind"] == kind


def test_addresses_are_those_of_the_error(engine: Engine) -> None:
    quote = ipv4(17, udp(), source="203.0.113.9", destination="203.0.113.8")
    fields = quoted(engine, error4(quote))
    plain = inspect(engine, ipv4(17, udp(), source=HOST4, destination=PEER4))[1]
    quote6 = ipv6(17, udp(), source="2001:db8:9::9", destination="2001:db8:8::8")
    fields6 = quoted(engine, error6(quote6))
    plain6 = inspect(engine, ipv6(17, udp(), source=HOST6, destination=PEER6))[1]
    for key in ("source_high", "source_low", "destination_high", "destination_low"):
        assert fields[key] == plain[key]
        assert fields6[key] == plain6[key]


@pytest.mark.parametrize("kind", [0, 8, 13, 14])
def test_a_quoted_query_has_its_identifier_as_ports(engine: Engine, kind: int) -> None:
    fields = quoted(engine, error4(ipv4(1, icmp(kind, b"", 0xBEEF))))
    assert (fields["protocol"], fields["number"], ports(fields)) == (2, 1, (0xBEEF, 0xBEEF))
    assert fields["kind"] == 3


@pytest.mark.parametrize("kind", [128, 129])
def test_a_quoted_icmpv6_echo_has_its_identifier_as_ports(engine: Engine, kind: int) -> None:
    fields = quoted(engine, error6(ipv6(58, icmp(kind, b"", 0xBEEF))))
    assert (fields["protocol"], fields["number"], ports(fields)) == (2, 58, (0xBEEF, 0xBEEF))
    assert fields["kind"] == 1


@pytest.mark.parametrize("options", [4, 40])
def test_quoted_ipv4_options_are_skipped(engine: Engine, options: int) -> None:
    fields = quoted(engine, error4(ipv4(17, udp(), bytes([1] * options))[: 28 + options]))
    assert fields["embedded_transport"] == BEFORE4 + 20 + options
    assert ports(fields) == (4000, 53)


def test_quoted_extension_headers_are_skipped(engine: Engine) -> None:
    quote = ipv6(DESTINATION_OPTIONS, extension(17, udp(), 24))
    fields = quoted(engine, error6(quote[: 40 + 24 + 8]))
    assert fields["embedded_transport"] == BEFORE6 + 40 + 24
    assert (fields["number"], ports(fields)) == (17, (4000, 53))


def test_a_quoted_first_fragment_is_looked_into_but_is_not_the_error(engine: Engine) -> None:
    fields = quoted(engine, error4(ipv4(17, udp(), field=0x2000)))
    assert ports(fields) == (4000, 53)
    assert (fields["fragment"], fields["more_fragments"]) == (PACKET.WHOLE, 0)
    assert fields["identification"] == 0xABCD
    quote = ipv6(FRAGMENT, fragment_header(17, udp(), 0, 1))
    fields = quoted(engine, error6(quote))
    assert ports(fields) == (4000, 53)
    assert fields["embedded_transport"] == BEFORE6 + 48
    assert (fields["fragment"], fields["more_fragments"]) == (PACKET.WHOLE, 0)
    assert (fields["fragment_header"], fields["identification"]) == (0, 0)


@pytest.mark.parametrize("length", [0, 1, 20, 65535])
def test_lengths_inside_a_quotation_say_nothing(engine: Engine, length: int) -> None:
    quote = bytearray(ipv4(17, udp()))
    quote[2:4] = length.to_bytes(2, "big")
    assert ports(quoted(engine, error4(bytes(quote)))) == (4000, 53)
    quote = bytearray(ipv6(17, udp()))
    quote[4:6] = length.to_bytes(2, "big")
    assert ports(quoted(engine, error6(bytes(quote)))) == (4000, 53)


def test_a_quotation_cut_at_any_byte_needs_8_bytes_of_transport(engine: Engine) -> None:
    whole, chain = ipv4(17, udp()), ipv6(DESTINATION_OPTIONS, extension(17, udp(), 16))
    for size in range(len(whole) + 1):
        assert (inspect(engine, error4(whole[:size]))[0] == 0) == (size >= 28)
    for size in range(len(chain) + 1):
        assert (inspect(engine, error6(chain[:size]))[0] == 0) == (size >= 40 + 16 + 8)


def test_errors_behind_options_and_extension_headers(engine: Engine) -> None:
    fields = quoted(engine, ipv4(1, icmp(11, ipv4(17, udp())), bytes([1] * 8)))
    assert (fields["transport"], fields["embedded"]) == (28, 36)
    message = icmp(2, ipv6(17, udp()))
    fields = quoted(engine, ipv6(DESTINATION_OPTIONS, extension(58, message, 16)))
    assert (fields["transport"], fields["embedded"]) == (56, 64)
