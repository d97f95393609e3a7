"""The notation of endpoints that somebody asks for: a prefix, and a port beside it or not."""

import re
from typing import NamedTuple

from ...nat.settings.address_realm import Network
from ...portset import LAST_PORT
from ..configuration.value_parsers import prefix, whole_number

ANY = "*"
# In brackets, or without a colon of its own, an address may have a port behind it.
BRACKETED = re.compile(r"\[(?P<prefix>[^]]*)\](?::(?P<port>.*))?")
PLAIN = re.compile(r"(?P<prefix>[^:]*)(?::(?P<port>[^:]*))?")


class Endpoints(NamedTuple):
    """All endpoints of a prefix (None: of every address) with a port (None: with any)."""

    prefix: Network | None
    port: int | None


def parse_endpoints(text: str) -> Endpoints:
    """PREFIX, PREFIX:PORT or [PREFIX]:PORT, with `*` for any; raises ValueError."""
    found = BRACKETED.fullmatch(text) or PLAIN.fullmatch(text)
    if found is None:  # an IPv6 prefix that stands by itself
        return Endpoints(prefix(text), None)
    return Endpoints(_prefix(found["prefix"]), _port(found["port"]))


def _prefix(text: str) -> Network | None:
    return None if text == ANY else prefix(text)


def _port(text: str | None) -> int | None:
    if text is None or text == ANY:
        return None
    try:
        port = whole_number(text)
    except ValueError:
        port = LAST_PORT + 1
    if port > LAST_PORT:
        raise ValueError(f"the port must be a number from 0 to {LAST_PORT}, or *")
    return port
