"""Every fault of form is found, and named for what it is."""

import pytest

from support.flavours import Engine, load
from support.layers import ipv4, ipv6, tcp, udp
from support.malformed import MALFORMED

FAULTS = load("interpreted").modules["wire.header_faults"]


def fault(engine: Engine, packet: bytes) -> str:
    """The name of a packet's fault, or "" if it is well-formed."""
    number, _ = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    return FAULTS.MEANINGS[number][0] if number else ""


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_packet_has_the_fault_of_its_name(engine: Engine, name: str) -> None:
    packet, expected = MALFORMED[name]
    assert fault(engine, packet) == expected


def test_every_fault_of_parsing_is_among_the_malformed_packets() -> None:
    """The offload header is checked in front of the parser, the checksums of errors behind it."""
    reached = {name for _, name in MALFORMED.values()} | {"offload", "icmp-checksum"}
    assert reached == {name for name, _ in FAULTS.MEANINGS.values()}


def test_every_fault_has_a_number_a_name_and_a_meaning_of_its_own() -> None:
    assert sorted(FAULTS.MEANINGS) == list(range(1, FAULTS.FAULTS))
    for parts in zip(*FAULTS.MEANINGS.values(), strict=True):
        assert len(set(parts)) == len(FAULTS.MEANINGS)


@pytest.mark.parametrize("layer", [(6, tcp()), (17, udp())], ids=["tcp", "udp"])
def test_a_packet_cut_at_any_byte_is_truncated(engine: Engine, layer: tuple[int, bytes]) -> None:
    for packet in (ipv4(*layer), ipv6(*layer)):
        for size in range(1, len(packet)):
            assert fault(engine, packet[:size]) == "ip-truncated"


def test_addresses_that_only_look_mapped_are_addresses(engine: Engine) -> None:
    for address in ("::192.0.2.1", "64:ff9b::192.0.2.1", "::fffe:192.0.2.1", "1::ffff:192.0.2.1"):
        assert fault(engine, ipv6(17, udp(), source=address)) == ""
        assert fault(engine, ipv6(17, udp(), destination=address)) == ""


def test_well_formed_packets_of_unusual_shape_have_no_fault(engine: Engine) -> None:
    for options in (bytes([1] * 4), bytes([1] * 40)):
        assert fault(engine, ipv4(17, udp(), options)) == ""
    assert fault(engine, ipv4(17, udp(), field=0x4000)) == ""
    assert fault(engine, ipv4(17, udp(bytes(65535 - 28)))) == ""
    assert fault(engine, ipv6(17, udp(bytes(65535 - 8)))) == ""
    # A UDP length below the IP payload's leaves room for UDP options (RFC 9868).
    assert fault(engine, ipv4(17, udp() + bytes(4))) == ""
    assert fault(engine, ipv6(17, udp() + bytes(4))) == ""
