"""The table of providers: its own consistency, and lines known from elsewhere.

The prefixes here are the providers' own, because the table is; none is a customer's.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network
from itertools import pairwise

import pytest

from ratsnake.portset.providers import END_USER_LEN, PROVIDERS, SOURCES, identify, known_rules


@pytest.mark.parametrize(
    ("line", "provider", "ipv4", "psid", "address", "relay"),
    [
        # A test bench for home routers, with the addresses it expects of them.
        (
            "240b:251:220:1000::/56",
            "v6plus",
            "14.11.2.32",
            0x10,
            "240b:251:220:1000:e:b02:2000:1000",
            "2404:9200:225:100::64",
        ),
        (
            "240b:10:220:2000::/56",
            "v6plus",
            "106.72.2.32",
            0x20,
            "240b:10:220:2000:6a:4802:2000:2000",
            "2404:9200:225:100::64",
        ),
        (
            "2404:7a80:0:1000::/56",
            "biglobe",
            "133.200.0.0",
            0x10,
            "2404:7a80:0:1000:85:c800:0:1000",
            "2001:260:700:1::1:275",
        ),
        (
            "2404:7a82:800:1000::/56",
            "biglobe",
            "125.198.140.0",
            0x10,
            "2404:7a82:800:1000:7d:c68c:0:1000",
            "2001:260:700:1::1:275",
        ),
        (
            "2404:7a82:2000:1000::/56",
            "biglobe",
            "133.203.160.0",
            0x10,
            "2404:7a82:2000:1000:85:cba0:0:1000",
            "2001:260:700:1::1:275",
        ),
        (
            "2404:7a86:0:1000::/56",
            "biglobe",
            "133.204.128.0",
            0x10,
            "2404:7a86:0:1000:85:cc80:0:1000",
            "2001:260:700:1::1:276",
        ),
        # By the bits: 2400:4151:8000::/36 -> 153.187.0.0/18, EA bits 0x1234:56.. of the line.
        (
            "2400:4151:8123:4500::/56",
            "ocn",
            "153.187.4.141",
            0x05,
            "2400:4151:8123:4500:99:bb04:8d00:500",
            "2001:380:a120::9",
        ),
        (
            "240d:f:1abc:de00::/56",
            "nuro",
            "219.104.154.188",
            0xDE,
            "240d:f:1abc:de00:db:689a:bc00:de00",
            "2001:3b8:200:ff9::1",
        ),
    ],
)
def test_lines(line: str, provider: str, ipv4: str, psid: int, address: str, relay: str) -> None:
    known, edge = identify(IPv6Network(line))
    assert known.provider.name == provider
    assert edge.ipv4 == IPv4Network(ipv4)
    assert edge.psid == psid
    assert edge.address == IPv6Address(address)
    assert known.rule.relay == IPv6Address(relay)


@pytest.mark.parametrize(
    ("provider", "count"), [("v6plus", 240), ("biglobe", 240), ("nuro", 240), ("ocn", 1008)]
)
def test_number_of_ports(provider: str, count: int) -> None:
    psid_format = PROVIDERS[provider].psid_format
    assert {len(psid_format.ports(psid)) for psid in psid_format.psids} == {count}


def test_every_provider_has_rules() -> None:
    assert {known.provider.name for known in known_rules()} == set(PROVIDERS)


def test_the_lengths_of_every_rule_fit_its_provider() -> None:
    for known in known_rules():
        assert known.rule.end_user_len == END_USER_LEN
        assert known.rule.psid_len == known.provider.psid_format.psid_len, known.rule
        assert known.rule.offset == known.provider.psid_format.offset


@pytest.mark.parametrize("side", ["ipv6", "ipv4"])
def test_no_prefix_is_in_two_rules(side: str) -> None:
    prefixes = sorted(getattr(known.rule, side) for known in known_rules())
    for one, other in pairwise(prefixes):
        assert not one.overlaps(other), (one, other)


def test_two_sources_confirm_a_rule() -> None:
    confirmed = {len(known.sources): known.confirmed for known in known_rules()}
    assert confirmed == {1: False, 2: True}
    assert {source for known in known_rules() for source in known.sources} == set(SOURCES.values())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2001:db8::/56", "2001:db8::/56 is under no known rule of v6plus, ocn, biglobe, nuro"),
        ("240b:10:1234::/48", "too short: 240b:10::/31 and 25 EA bits need a prefix of /56"),
        ("2400::/16", "too short"),
        ("240d:f:f000::/56", "no known rule"),  # its source calls it a guess
    ],
)
def test_no_rule(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        identify(IPv6Network(line))
