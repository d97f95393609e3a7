"""Rules written by hand."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network

import pytest

from ratsnake.portset.map_rule import MapRule
from ratsnake.portset.rule_text import EXAMPLE, read_rule

SIX, FOUR = IPv6Network("2001:db8::/40"), IPv4Network("192.0.2.0/24")
PREFIXES = "2001:db8::/40,192.0.2.0/24"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (EXAMPLE, MapRule(SIX, FOUR, 16, offset=6)),
        (f"{PREFIXES},ea=0x10,offset=4", MapRule(SIX, FOUR, 16, offset=4)),
        (
            f"{PREFIXES}, draft03, br=2001:db8:ffff::1, ea=16",
            MapRule(SIX, FOUR, 16, relay=IPv6Address("2001:db8:ffff::1"), draft03=True),
        ),
        ("2001:db8::/40,192.0.2.1,ea=8", MapRule(SIX, IPv4Network("192.0.2.1/32"), 8)),
    ],
)
def test_reads(text: str, rule: MapRule) -> None:
    assert read_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a rule is IPV6-PREFIX,IPV4-PREFIX,ea=BITS"),
        (PREFIXES, "for example 2001:db8::/40,192.0.2.0/24,ea=16"),
        (f"{PREFIXES},offset=4", "ea=BITS is missing"),
        (f"{PREFIXES},ea=sixteen", "'sixteen' is not a number"),
        (f"{PREFIXES},ea=-1", "'-1' is not a number"),
        (f"{PREFIXES},ea=16,ea=16", "'ea=16' says again"),
        (f"{PREFIXES},ea=16,draft03,draft03", "'draft03' says again"),
        (f"{PREFIXES},ea=16,draft3", r"'draft3' is not part of a rule; did you mean draft03\?"),
        (f"{PREFIXES},ea=16,ofset=4", r"did you mean offset\?"),
        (f"{PREFIXES},ea=16,zzz", "'zzz' is not part of a rule; it is IPV6-PREFIX"),
        (f"{PREFIXES},ea=16,br=192.0.2.1", "'192.0.2.1' is not an IPv6 address"),
        ("2001:db8::1/40,192.0.2.0/24,ea=16", "bits beyond its length; .* 2001:db8::/40"),
        ("2001:db8::/40,192.0.2.1/24,ea=16", "bits beyond its length; .* 192.0.2.0/24"),
        ("192.0.2.0/24,2001:db8::/40,ea=16", "'192.0.2.0/24' is not an IPv6 prefix"),
        ("2001:db8::/40,192.0.2/24,ea=16", "'192.0.2/24' is not an IPv4 prefix"),
        (f"{PREFIXES},ea=30", "make a prefix of 70 bits"),
    ],
)
def test_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_rule(text)
    assert "\n" not in str(caught.value)
