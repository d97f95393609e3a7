"""MAP-E rules: the RFC's examples, all lengths of EA bits, and what does not fit."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratsnake.portset import PortSet
from ratsnake.portset.map_rule import TUNNEL_MSS, TUNNEL_MTU, MapRule
from support.properties import examples

RULE = MapRule(IPv6Network("2001:db8::/40"), IPv4Network("192.0.2.0/24"), ea_len=16)


def rule(ipv4: str, ea_len: int, ipv6: str = "2001:db8::/40") -> MapRule:
    return MapRule(IPv6Network(ipv6), IPv4Network(ipv4), ea_len)


def test_rfc_7597_appendix_a_example_1() -> None:
    edge = RULE.customer_edge(IPv6Network("2001:db8:12:3400::/56"))
    assert edge.ipv4 == IPv4Network("192.0.2.18/32")
    assert edge.psid == 0x34
    assert edge.address == edge.address_rfc7597 == IPv6Address("2001:db8:12:3400:0:c000:212:34")
    assert str(edge.ports).startswith("1232-1235,2256-2259,")
    assert str(edge.ports).endswith(",63696-63699,64720-64723")


def test_rfc_7597_appendix_a_example_4() -> None:
    """No EA bits: the address is the rule's own, and not shared."""
    line = IPv6Network("2001:db8:12:3400::/56")
    edge = MapRule(line, IPv4Network("192.0.2.18/32"), ea_len=0).customer_edge(line)
    assert edge.ipv4 == IPv4Network("192.0.2.18/32")
    assert edge.psid is None
    assert edge.ports == PortSet.parse("1-65535")
    assert edge.address == IPv6Address("2001:db8:12:3400:0:c000:212:0")


def test_draft_03_stands_an_octet_to_the_left() -> None:
    edge = RULE.customer_edge(IPv6Network("2001:db8:12:3400::/56"))
    assert edge.address_draft03 == IPv6Address("2001:db8:12:3400:c0:2:1200:3400")


@pytest.mark.parametrize("line", ["2001:db8:12:3456::/64", "2001:db8:12:3456:a:b:c:d/128"])
def test_only_the_end_user_prefix_counts(line: str) -> None:
    edge = RULE.customer_edge(IPv6Network(line))
    assert edge.prefix == IPv6Network("2001:db8:12:3400::/56")
    assert edge == RULE.customer_edge(edge.prefix)


@pytest.mark.parametrize(
    ("ipv4", "ea_len", "given", "psid"),
    [
        ("192.0.0.0/16", 8, "192.0.18.0/24", None),  # fewer EA bits than the suffix has
        ("192.0.2.0/24", 8, "192.0.2.18/32", None),  # as many
        ("192.0.2.0/24", 9, "192.0.2.18/32", 0),  # one more: two share
        ("192.0.2.18/32", 10, "192.0.2.18/32", 0x48),  # nothing but PSID: 0x1234's first ten
    ],
)
def test_ea_bits_and_suffix(ipv4: str, ea_len: int, given: str, psid: int | None) -> None:
    edge = rule(ipv4, ea_len).customer_edge(IPv6Network("2001:db8:12:3400::/56"))
    assert edge.ipv4 == IPv4Network(given)
    assert edge.psid == psid
    if psid is None:
        assert edge.ports == PortSet.parse("1-65535")
        assert int(edge.address) & 0xFFFF == 0  # RFC 7597 section 6


@given(data=st.data())
@examples(300)
def test_the_prefix_can_be_put_together_again(data: st.DataObject) -> None:
    """Rule prefix, IPv4 suffix and PSID are all of an end-user prefix, in this order."""
    length = data.draw(st.integers(8, 64), "rule IPv6 length")
    ea_len = data.draw(st.integers(0, min(64 - length, 32 + 16)), "EA length")
    suffix_len = data.draw(st.integers(max(0, ea_len - 16), 32), "IPv4 suffix")
    psid_len = max(0, ea_len - suffix_len)
    offset = data.draw(st.integers(0, 16 - psid_len), "offset")
    six = data.draw(st.integers(0, (1 << length) - 1), "rule IPv6 prefix")
    four = data.draw(st.integers(0, (1 << (32 - suffix_len)) - 1), "rule IPv4 prefix")
    one = MapRule(
        IPv6Network((six << (128 - length), length)),
        IPv4Network((four << suffix_len, 32 - suffix_len)),
        ea_len,
        offset,
    )
    ea_bits = data.draw(st.integers(0, (1 << ea_len) - 1), "EA bits")
    below = 128 - length - ea_len
    line = IPv6Network(((six << ea_len | ea_bits) << below, length + ea_len))
    edge = one.customer_edge(line)
    taken = min(ea_len, suffix_len)
    suffix = (int(edge.ipv4.network_address) & ((1 << suffix_len) - 1)) >> (suffix_len - taken)
    assert suffix << psid_len | (edge.psid or 0) == ea_bits
    assert edge.ipv4.subnet_of(one.ipv4)
    assert edge.prefix == line
    assert edge.address in line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "2001:db8:12::/48",
            "2001:db8:12::/48 is too short: 2001:db8::/40 and 16 EA bits need a prefix of /56",
        ),
        ("2001:db8::/32", "too short"),
        ("2001:db8:100::/56", "2001:db8:100::/56 is not in the rule's 2001:db8::/40"),
    ],
)
def test_a_prefix_that_does_not_fit(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RULE.customer_edge(IPv6Network(line))


@pytest.mark.parametrize(
    ("ipv6", "ipv4", "ea_len", "words"),
    [
        ("2001:db8::/48", "192.0.2.0/24", 17, "make a prefix of 65 bits; it may have 64"),
        ("2001:db8::/40", "192.0.2.0/24", 19, "offset of 6 and a PSID of 11 bits take 17 bits"),
        ("2001:db8::/32", "192.0.2.0/24", 25, "a PSID length of 17 bits"),
    ],
)
def test_a_rule_that_does_not_fit(ipv6: str, ipv4: str, ea_len: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rule(ipv4, ea_len, ipv6)


def test_what_the_tunnel_leaves_of_a_packet() -> None:
    assert (TUNNEL_MTU, TUNNEL_MSS) == (1460, 1420)
