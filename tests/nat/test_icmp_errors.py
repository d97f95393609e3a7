"""ICMP errors the NAT sends: their form, their checksums, and when none may be sent."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6, in6_chksum

from support import twin
from support.flavours import Engine
from support.oracle import is_right
from support.packets import echo, ip, tcp, udp
from support.properties import examples

# What each reply says: type and code of ICMP, type and code of ICMPv6.
CODES = {
    "PORT_UNREACHABLE": ((3, 3), (1, 4)),
    "HOST_UNREACHABLE": ((3, 1), (1, 3)),
    "PROHIBITED": ((3, 13), (1, 1)),
    "NO_ROUTE": ((3, 0), (1, 0)),
    "TIME_EXCEEDED": ((11, 0), (3, 0)),
}
REPLIES = twin.numbers("nat.error_responses.icmp_errors")
REMOTE, EXTERNAL = "198.51.100.1", "203.0.113.1"
REMOTE6, EXTERNAL6 = "2001:db8:2::1", "2001:db8:1::1"
SIZE = 1280
UNTOUCHED = 0xAA


def halves(address: str) -> tuple[int, int]:
    """The address in two halves, an IPv4 one as IPv4-mapped."""
    parsed = ip_address(address)
    number = int(parsed) | (0xFFFF << 32 if parsed.version == 4 else 0)
    return number >> 64, number & (1 << 64) - 1


def error_about(
    engine: Engine,
    packet: bytes | bytearray,
    transport: int,
    source: str = "",
    reply: str = "PORT_UNREACHABLE",
    is_error: bool = False,
    is_later_fragment: bool = False,
) -> bytes:
    """The error, b"" if there is none; nothing behind it is written."""
    out = bytearray([UNTOUCHED]) * (SIZE + 8)
    source = source or (EXTERNAL if packet[0] >> 4 == 4 else EXTERNAL6)
    size = engine.modules["nat.error_responses.icmp_errors"].error_about(
        bytearray(packet),
        len(packet),
        transport,
        is_error,
        is_later_fragment,
        REPLIES[reply],
        *halves(source),
        out,
    )
    assert set(out[size:]) == {UNTOUCHED}
    return bytes(out[:size])


def ip6(
    source: str = REMOTE6, destination: str = EXTERNAL6, payload: bytes = bytes(20)
) -> bytearray:
    header = b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes((6, 9))
    addresses = ip_address(source).packed + ip_address(destination).packed
    return bytearray(header + addresses + payload)


@pytest.mark.parametrize("reply", CODES)
def test_an_ipv4_error_says_what_its_reply_stands_for(engine: Engine, reply: str) -> None:
    packet = tcp((REMOTE, 4000), (EXTERNAL, 10000))
    error = error_about(engine, packet, 20, reply=reply)
    outer = IP(error)
    assert (outer[ICMP].type, outer[ICMP].code) == CODES[reply][0]
    assert (outer.src, outer.dst) == (EXTERNAL, REMOTE)
    assert (outer.id, outer.ttl, outer.tos, outer.flags, outer.frag) == (0, 64, 0xC0, "DF", 0)
    assert (outer.len, outer.proto) == (len(error), 1)
    assert error[24:28] == bytes(4)
    assert error[28:] == packet[:28]
    assert is_right(error)


@pytest.mark.parametrize("reply", CODES)
def test_an_ipv6_error_says_what_its_reply_stands_for(engine: Engine, reply: str) -> None:
    packet = ip6()
    error = error_about(engine, packet, 40, reply=reply)
    outer = IPv6(error)
    assert (error[40], error[41]) == CODES[reply][1]
    assert (outer.src, outer.dst) == (EXTERNAL6, REMOTE6)
    assert (outer.tc, outer.fl, outer.nh, outer.hlim) == (0, 0, 58, 64)
    assert outer.plen == len(error) - 40
    assert error[44:48] == bytes(4)
    assert error[48:] == packet
    assert in6_chksum(58, outer, error[40:]) == 0


def test_no_reply_is_without_a_test() -> None:
    kinds = {name for name, number in REPLIES.items() if number >> 24 in (3, 11)}
    assert kinds == set(CODES)


def test_an_ipv4_error_quotes_the_header_with_its_options_and_8_octets(engine: Engine) -> None:
    packet = ip(REMOTE, EXTERNAL, 17, bytes(100), options=b"\x01" * 40)
    error = error_about(engine, packet, 60)
    assert error[28:] == packet[:68]
    assert is_right(error)


@pytest.mark.parametrize("payload", [0, 1, 5, 1000, 1191, 1192, 1193, 1400, 60000])
def test_an_ipv6_error_quotes_what_the_minimum_mtu_allows(engine: Engine, payload: int) -> None:
    packet = ip6(payload=bytes(k % 251 for k in range(payload)))
    error = error_about(engine, packet, 40)
    assert len(error) == min(1280, 48 + len(packet))
    assert error[48:] == packet[:1232]
    assert in6_chksum(58, IPv6(error), error[40:]) == 0


def test_an_error_is_hardly_larger_than_what_it_is_about(engine: Engine) -> None:
    for packet in (
        tcp((REMOTE, 1), (EXTERNAL, 2)),
        udp((REMOTE, 1), (EXTERNAL, 2), b""),
        udp((REMOTE, 1), (EXTERNAL, 2), bytes(1400)),
    ):
        assert len(error_about(engine, packet, 20)) == 56
    for payload in (8, 20, 1400):
        packet = ip6(payload=bytes(payload))
        assert len(error_about(engine, packet, 40)) <= len(packet) + 48


def test_the_start_of_a_packet_is_enough(engine: Engine) -> None:
    """Of what was kept of a packet, its length field tells more than is there."""
    whole = tcp((REMOTE, 4000), (EXTERNAL, 10000), "S", bytes(500))
    assert error_about(engine, whole[:128], 20) == error_about(engine, whole, 20)
    assert error_about(engine, whole[:25], 20)[28:] == whole[:25]
    start = ip6(payload=bytes(500))[:128]
    assert error_about(engine, start, 40)[48:] == start


def test_an_echo_request_is_answered_with_an_error(engine: Engine) -> None:
    packet = echo(REMOTE, EXTERNAL, 7)
    assert error_about(engine, packet, 20, reply="TIME_EXCEEDED")[28:] == packet[:28]


@pytest.mark.parametrize("packet", [tcp((REMOTE, 1), (EXTERNAL, 2)), ip6()], ids=("4", "6"))
@pytest.mark.parametrize("about", ["is_error", "is_later_fragment"])
def test_no_error_is_about_an_error_or_a_later_fragment(
    engine: Engine, packet: bytearray, about: str
) -> None:
    transport = 20 if packet[0] >> 4 == 4 else 40
    assert error_about(engine, packet, transport)
    assert error_about(engine, packet, transport, **{about: True}) == b""


@pytest.mark.parametrize(
    ("source", "answered"),
    [
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("1.0.0.1", True),
        ("126.255.255.255", True),
        ("127.0.0.1", False),
        ("128.0.0.1", True),
        ("223.255.255.254", True),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
    ],
)
def test_no_error_goes_to_an_ipv4_source_that_is_not_one_host(
    engine: Engine, source: str, answered: bool
) -> None:
    assert bool(error_about(engine, tcp((source, 1), (EXTERNAL, 2)), 20)) == answered


@pytest.mark.parametrize(
    ("source", "answered"),
    [
        ("::", False),
        ("::1", False),
        ("::ffff:198.51.100.1", False),
        ("0:0:0:1::1", True),
        ("fe80::1", True),
        ("fe00::1", True),
        ("ff02::1", False),
        ("ff0e::1", False),
    ],
)
def test_no_error_goes_to_an_ipv6_source_that_is_not_one_host(
    engine: Engine, source: str, answered: bool
) -> None:
    assert bool(error_about(engine, ip6(source), 40)) == answered


@pytest.mark.parametrize("destination", ["224.0.0.1", "239.1.2.3", "255.255.255.255"])
def test_no_error_is_about_an_ipv4_packet_to_many(engine: Engine, destination: str) -> None:
    assert error_about(engine, udp((REMOTE, 1), (destination, 2)), 20) == b""
    assert error_about(engine, udp((REMOTE, 1), ("223.0.0.1", 2)), 20)


def test_no_error_is_about_an_ipv6_packet_to_many(engine: Engine) -> None:
    assert error_about(engine, ip6(destination="ff02::1"), 40) == b""
    assert error_about(engine, ip6(destination="fe00::1"), 40)


@examples(150)
@given(payload=st.binary(min_size=8, max_size=60), last=st.integers(1, 254))
def test_checksums_are_right_whatever_is_quoted(engine: Engine, payload: bytes, last: int) -> None:
    packet = ip(f"198.51.100.{last}", EXTERNAL, 17, payload)
    assert is_right(error_about(engine, packet, 20, f"192.0.2.{last}"))
    error = error_about(engine, ip6(f"2001:db8::{last:x}", payload=payload), 40)
    assert in6_chksum(58, IPv6(error), error[40:]) == 0
