"""The notation of forwards: what each text means, how it is written back, how mistakes are told."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratsnake.nat.settings.static_forward import ALL_PROTOCOLS, FORWARDABLE, Forward
from ratsnake.nat.settings.static_forward_text import parse_forward, parse_one_to_one
from ratsnake.wire import packet_fields
from support.properties import examples

V4 = IPv4Address("192.168.1.10")
V6 = IPv6Address("2001:db8:1::5")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tcp:8080=192.168.1.10:80", (("tcp",), None, 8080, 8080, V4, 80)),
        (
            "tcp:203.0.113.1:8080=192.168.1.10",
            (("tcp",), IPv4Address("203.0.113.1"), 8080, 8080, V4, 8080),
        ),
        (
            "tcp+udp:5000-5010=192.168.1.10:6000-6010",
            (("tcp", "udp"), None, 5000, 5010, V4, 6000),
        ),
        (
            "sctp+dccp+udplite:1-65535=192.168.1.10",
            (("udplite", "dccp", "sctp"), None, 1, 65535, V4, 1),
        ),
        (
            "tcp:[2001:db8::1]:443=[2001:db8:1::5]:444",
            (("tcp",), IPv6Address("2001:db8::1"), 443, 443, V6, 444),
        ),
        (
            "tcp:22=192.168.1.10@198.51.100.0/24,203.0.113.7",
            (
                *(("tcp",), None, 22, 22, V4, 22),
                (IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.7/32")),
            ),
        ),
        (
            "tcp:22=[2001:db8:1::5]@2001:db8:2::/48",
            (("tcp",), None, 22, 22, V6, 22, (IPv6Network("2001:db8:2::/48"),)),
        ),
    ],
)
def test_a_text_says_all_of_a_forward_and_is_written_back(
    text: str, meant: tuple[Any, ...]
) -> None:
    forward = parse_forward(text)
    assert forward == Forward(*meant)
    assert parse_forward(str(forward)) == forward
    assert forward.key == "forward"


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("udp+tcp:05000-5010=192.168.1.10:6000", "tcp+udp:5000-5010=192.168.1.10:6000-6010"),
        ("tcp:80-80=192.168.1.10:80", "tcp:80=192.168.1.10"),
        ("tcp:80=192.168.1.10@0.0.0.0/0", "tcp:80=192.168.1.10@0.0.0.0/0"),
        ("tcp:[2001:db8:0::1]:443=[2001:db8:1::5]:443", "tcp:[2001:db8::1]:443=[2001:db8:1::5]"),
    ],
)
def test_a_forward_is_written_in_its_shortest_form(text: str, shortest: str) -> None:
    assert str(parse_forward(text)) == shortest


@st.composite
def forwards(draw: st.DrawFn) -> Forward:
    address, network = draw(
        st.sampled_from(((IPv4Address, IPv4Network), (IPv6Address, IPv6Network)))
    )
    width = 32 if address is IPv4Address else 128
    addresses = st.integers(1 << width - 8, (1 << width) - 1).map(address)
    first, internal_port = draw(st.integers(1, 65535)), draw(st.integers(1, 65535))
    length = draw(st.integers(0, 65535 - max(first, internal_port)))
    prefixes = st.tuples(st.integers(1 << width - 8, (1 << width) - 1), st.integers(0, width))
    remotes = draw(st.lists(prefixes, max_size=3))
    return Forward(
        tuple(name for name in FORWARDABLE if draw(st.booleans())) or ("tcp",),
        draw(st.none() | addresses),
        first,
        first + length,
        draw(addresses),
        internal_port,
        tuple(network((value, bits), strict=False) for value, bits in remotes),
    )


@examples(200)
@given(forward=forwards())
def test_what_is_written_is_read_back(forward: Forward) -> None:
    assert parse_forward(str(forward)) == forward


@examples(300)
@given(text=st.text("tcpudp+:=@[]/,.-%0123456789 x", max_size=30))
def test_any_text_is_a_forward_or_a_mistake(text: str) -> None:
    for parse in (parse_forward, parse_one_to_one):
        try:
            assert parse(str(parse(text))) == parse(text)
        except ValueError as error:
            assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be PROTOCOL:PORT=ADDRESS[:PORT], such as tcp:8080=192.168.1.10:80"),
        ("8080=192.168.1.10", "must be PROTOCOL:PORT=ADDRESS[:PORT]"),
        ("tcp:8080", "must be PROTOCOL:PORT=ADDRESS[:PORT]"),
        ("tpc:22=192.168.1.10", "no such protocol 'tpc'; did you mean tcp?"),
        ("UDP:22=192.168.1.10", "no such protocol 'UDP'; did you mean udp?"),
        ("icmp:22=192.168.1.10", "'icmp'; right is tcp, udp, udplite, dccp, sctp"),
        ("tcp+:22=192.168.1.10", "no such protocol ''"),
        ("tcp+tcp:22=192.168.1.10", "each protocol once, such as tcp+udp"),
        ("tcp:0=192.168.1.10", "0 is not a port; ports go from 1 to 65535"),
        ("tcp:22=192.168.1.10:0", "0 is not a port"),
        ("tcp:65536=192.168.1.10", "65536 is not a port"),
        ("tcp:22=192.168.1.10:", "there is an empty part"),
        ("tcp:ssh=192.168.1.10", "'ssh' is not a port or a range"),
        ("tcp:203.0.113.1=192.168.1.10", "'203.0.113.1' is not a port or a range"),
        ("tcp:9-8=192.168.1.10", "the range runs backwards; right is 8-9"),
        ("tcp:80,81=192.168.1.10", "'80,81': a forward has one port or one range"),
        ("tcp:80-85=192.168.1.10:80-86", "80-85 is 6 and 80-86 is 7 ports; both must be as many"),
        ("tcp:80-85=192.168.1.10:80-80", "80-85 is 6 and 80-80 is 1 ports"),
        ("tcp:80=192.168.1.10:80-86", "80 is 1 and 80-86 is 7 ports"),
        (
            "tcp:80-85=192.168.1.10:65531",
            "6 ports from 65531 on go beyond 65535; the highest first port is 65530",
        ),
        ("tcp:80=192.168.1", "'192.168.1' is not an address, such as 192.168.1.10 or"),
        ("tcp:80=[192.168.1.10]", "'[192.168.1.10]' is not an address"),
        ("tcp:80=2001:db8:1::5", "must be of the form 192.168.1.10:80 or [2001:db8:1::5]:80"),
        ("tcp:2001:db8::1:80=[2001:db8:1::5]", "must be of the form 8080 or 203.0.113.1:8080 or"),
        ("tcp:80=[::ffff:192.168.1.10]", "is an IPv4 address; write 192.168.1.10"),
        ("tcp:80=[fe80::1%eth0]", "fe80::1%eth0 is valid on one link only"),
        ("tcp:80=[2001:db8:1::5]@fe80::1%eth0", "fe80::1%eth0 is valid on one link only"),
        ("tcp:203.0.113.1:80=[2001:db8:1::5]", "203.0.113.1 is IPv4 and 2001:db8:1::5 is IPv6"),
        ("tcp:80=192.168.1.10@2001:db8::/32", "2001:db8:: is IPv6 and 192.168.1.10 is IPv4"),
        ("tcp:80=192.168.1.10@", "'' is not a remote's address or prefix"),
        ("tcp:80=192.168.1.10@198.51.100.0/33", "is not a remote's address or prefix"),
        (
            "tcp:80=192.168.1.10@198.51.100.7/24",
            "198.51.100.7/24 has bits set beyond the prefix length; did you mean 198.51.100.0/24?",
        ),
        ("tcp:80=[2001:db8:1::5]@2001:db8::1/32", "did you mean 2001:db8::/32?"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_forward(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("external", "internal"), [("203.0.113.5", "192.168.1.5"), ("2001:db8::5", "2001:db8:1::5")]
)
def test_a_one_to_one_address_has_everything(external: str, internal: str) -> None:
    forward = parse_one_to_one(f"{external}={internal}")
    assert forward == Forward(
        ALL_PROTOCOLS, ip_address(external), 0, 65535, ip_address(internal), 0
    )
    assert forward.one_to_one and forward.key == "one-to-one"
    assert forward.protocol_rows == (0, 1, 2, 3, 4, 5, 6)
    assert str(forward) == f"{external}={internal}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("203.0.113.5", "must be EXTERNAL=INTERNAL, such as 203.0.113.5=192.168.1.5"),
        ("203.0.113.5=host", "'host' is not an address, such as 203.0.113.5 or 2001:db8::5"),
        ("203.0.113.5=192.168.1.5:80", "'192.168.1.5:80' is not an address"),
        ("203.0.113.5=2001:db8:1::5", "203.0.113.5 is IPv4 and 2001:db8:1::5 is IPv6"),
        ("2001:db8::5=::ffff:192.168.1.5", "is an IPv4 address; write 192.168.1.5"),
    ],
)
def test_a_mistake_in_a_one_to_one_address_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_one_to_one(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), None, 80, 80, V4, 80), "each protocol once"),
        ((("tcp",), None, 80, 70000, V4, 80), "70000 is not a port"),
        ((("tcp",), None, 81, 80, V4, 80), "the range 81-80 runs backwards; right is 80-81"),
        ((ALL_PROTOCOLS, None, 0, 65535, V4, 0), "all ports from 0 and all remotes"),
        ((ALL_PROTOCOLS, V4, 1, 65535, V4, 0), "all ports from 0 and all remotes"),
        (
            (ALL_PROTOCOLS, V4, 0, 65535, V4, 0, (ip_network("192.0.2.0/24"),)),
            "all ports from 0 and all remotes",
        ),
    ],
)
def test_a_forward_made_by_hand_is_checked_too(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forward(*arguments)


def test_protocols_have_the_rows_of_the_packet_record() -> None:
    assert {name: packet_fields.__dict__[name.upper()] for name in ALL_PROTOCOLS} == {
        name: row for row, name in enumerate(ALL_PROTOCOLS)
    }
