"""The providers whose MAP-E rules are publicly known, as a table.

No provider publishes them: they were gathered by the users of such lines.  Each row says who
has it (SOURCES); one with two sources that do not copy each other is confirmed.  Blocks that
their own source calls a guess are not here.
"""

from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from . import rules_biglobe, rules_ocn
from .map_rule import CustomerEdge, MapRule
from .psid_format import PsidFormat

END_USER_LEN = 56  # what each of them hands to a customer; so a row's EA bits follow from it

#: The letters that stand for a source in the rows.
SOURCES = {
    "B": "a test bench for home routers, which plays BIGLOBE's server",
    "C": "the MAP-E calculator ipv4.web.fc2.com/map-e.html, and programs with its table",
    "J": "the answer of JPNE's rule server, quoted in OpenWrt scripts",
    "L": "the address and prefix of a line in use, published by its user",
    "N": "the NURO scripts of site-u2023 and herrkartoffel for OpenWrt",
    "O": "the rule list of site-u2023's OpenWrt scripts for OCN",
}

_V6PLUS = """\
240b:10::/31          106.72.0.0/15     CJ
240b:12::/31          14.8.0.0/15       CJ
240b:250::/31         14.10.0.0/15      CJ
240b:252::/31         14.12.0.0/15      CJ
"""

_NURO = """\
240d:f::/36           219.104.128.0/20  LN
240d:f:1000::/36      219.104.144.0/20  N
240d:f:2000::/36      219.104.160.0/20  N
240d:f:3000::/36      219.104.176.0/20  N
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """A service with shared addresses; `areas` are pairs of a border relay and its rows."""

    name: str
    title: str
    psid_format: PsidFormat
    areas: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A row of the table, with the texts of its sources."""

    provider: Provider
    rule: MapRule
    sources: tuple[str, ...]

    @property
    def confirmed(self) -> bool:
        """Do two sources have it that do not copy each other?"""
        return len(self.sources) > 1


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider(
            "v6plus",
            "v6plus (JPNE)",
            PsidFormat(offset=4, psid_len=8),
            (("2404:9200:225:100::64", _V6PLUS),),
        ),
        Provider(
            "ocn",
            "OCN Virtual Connect",
            PsidFormat(offset=6, psid_len=6),
            (("2001:380:a120::9", rules_ocn.RULES),),
        ),
        Provider(
            "biglobe",
            "BIGLOBE IPv6 Option",
            PsidFormat(offset=4, psid_len=8),
            (
                ("2001:260:700:1::1:275", rules_biglobe.EAST),
                ("2001:260:700:1::1:276", rules_biglobe.WEST),
            ),
        ),
        Provider(
            "nuro",
            "NURO Hikari",
            PsidFormat(offset=4, psid_len=8),
            (("2001:3b8:200:ff9::1", _NURO),),
        ),
    )
}


@cache
def known_rules() -> tuple[KnownRule, ...]:
    """The whole table."""
    return tuple(
        _known_rule(provider, relay, *row.split())
        for provider in PROVIDERS.values()
        for relay, rows in provider.areas
        for row in rows.splitlines()
    )


def _known_rule(provider: Provider, relay: str, ipv6: str, ipv4: str, letters: str) -> KnownRule:
    prefix = IPv6Network(ipv6)
    rule = MapRule(
        prefix,
        IPv4Network(ipv4),
        ea_len=END_USER_LEN - prefix.prefixlen,
        offset=provider.psid_format.offset,
        relay=IPv6Address(relay),
        draft03=True,  # all of them, as routers that work there show
    )
    return KnownRule(provider, rule, tuple(SOURCES[letter] for letter in letters))


def identify(line: IPv6Network) -> tuple[KnownRule, CustomerEdge]:
    """The rule for a line with the prefix `line`, and what it gives.

    Raises ValueError if no rule of the table fits, or the prefix is too short for it.
    """
    for known in known_rules():
        if known.rule.ipv6.overlaps(line):
            return known, known.rule.customer_edge(line)
    raise ValueError(
        f"{line} is under no known rule of {', '.join(PROVIDERS)}:"
        " is it the line's own prefix, and the line not DS-Lite (transix, xpass)?"
    )
