"""A MAP-E rule written by hand: `2001:db8::/40,192.0.2.0/24,ea=16,offset=6,br=ADDR,draft03`."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

from .map_rule import MapRule
from .notation import near, read_ipv4_prefix, read_ipv6_prefix, read_number

SYNTAX = "IPV6-PREFIX,IPV4-PREFIX,ea=BITS[,offset=BITS][,br=ADDRESS][,draft03]"
EXAMPLE = "2001:db8::/40,192.0.2.0/24,ea=16"


def _relay(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 address such as 2001:db8:ffff::1") from None


#: What may follow the prefixes: its name, the MapRule field it sets, and how its value is read.
FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ea": ("ea_len", read_number),
    "offset": ("offset", read_number),
    "br": ("relay", _relay),
}
DRAFT03 = "draft03"


def read_rule(text: str) -> MapRule:
    """The rule `text` describes in SYNTAX, which is for one line of text and in this order.

    An offset not given is 6.  Raises ValueError with one line that names the bad part and says
    what is right.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) < 3:
        raise ValueError(f"a rule is {SYNTAX}, for example {EXAMPLE}")
    values: dict[str, Any] = {}
    for part in parts[2:]:
        key, value = _field(part)
        if key in values:
            raise ValueError(f"{part!r} says again what was said before")
        values[key] = value
    if "ea_len" not in values:
        raise ValueError(f"ea=BITS is missing; a rule is {SYNTAX}")
    return MapRule(read_ipv6_prefix(parts[0]), read_ipv4_prefix(parts[1]), **values)


def _field(part: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if part == DRAFT03:
        return DRAFT03, True
    if not equals or name not in FIELDS:
        known = (*FIELDS, DRAFT03)
        raise ValueError(f"{part!r} is not part of a rule; {near(name, known, f'it is {SYNTAX}')}")
    key, read = FIELDS[name]
    return key, read(value)
