"""What `--ports` takes: ranges, a provider's PSID, or the line's IPv6 prefix."""

from .map_rule import CustomerEdge
from .notation import near, read_end_user_prefix, read_number
from .port_set import PortSet
from .providers import PROVIDERS, identify
from .psid_format import PsidFormat
from .rule_text import read_rule

MAP_E = "map-e"
RIGHT = "right are ports (5000-5999,7000), PROVIDER:PSID (v6plus:33) or map-e:IPV6-PREFIX"


def read_ports(text: str) -> PortSet:
    """The ports `text` stands for.

    `5000-5999,7000` (ports and ranges), `PROVIDER:PSID` (a provider of the table),
    `map-e:IPV6-PREFIX` (a line of such a provider) or `map-e:IPV6-PREFIX,RULE` (any line, with
    a rule as in rule_text.py).  Raises ValueError with one line that names the bad part and
    says what is right.
    """
    text = text.strip()
    if not text[:1].isalpha():
        return PortSet.parse(text)
    kind, _, value = text.partition(":")
    if kind == MAP_E:
        return _line(value).ports
    if kind in PROVIDERS:
        if not value:
            raise ValueError(f"{kind} needs your line's PSID: {kind}:PSID")
        psid_format = PROVIDERS[kind].psid_format
        return psid_format.ports(read_psid(value, psid_format))
    raise ValueError(f"there is no {kind!r}; {near(kind, (*PROVIDERS, MAP_E), RIGHT)}")


def read_psid(text: str, psid_format: PsidFormat) -> int:
    """A PSID, decimal or 0x and hexadecimal; raises ValueError for one the format has not."""
    psid = read_number(text)
    if psid not in psid_format.psids:
        raise ValueError(
            f"{text} is no PSID of {psid_format.psid_len} bits;"
            f" those go from 0 to {psid_format.psids[-1]}"
        )
    return psid


def _line(text: str) -> CustomerEdge:
    prefix, _, rule = text.partition(",")
    if not prefix:
        raise ValueError("map-e needs your line's prefix: map-e:IPV6-PREFIX")
    line = read_end_user_prefix(prefix)
    return read_rule(rule).customer_edge(line) if rule else identify(line)[1]
