"""Reading numbers and prefixes a user wrote, and guessing what a misspelt word meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

_NUMBER = re.compile(r"[0-9]{1,9}|0[xX][0-9a-fA-F]{1,8}", re.ASCII)


def read_number(text: str) -> int:
    """A whole number, decimal or hexadecimal with 0x; ValueError says so."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a number; right is a decimal one or 0x and hex digits")
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def read_ipv4_prefix(text: str) -> IPv4Network:
    """An IPv4 prefix such as 192.0.2.0/24; ValueError otherwise, also for bits beyond the length.

    An address without a length is a /32.
    """
    try:
        meant = IPv4Interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 prefix such as 192.0.2.0/24") from None
    if meant.ip != meant.network.network_address:
        raise ValueError(f"{text!r} has bits beyond its length; did you mean {meant.network}?")
    return meant.network


def read_ipv6_prefix(text: str) -> IPv6Network:
    """As `read_ipv4_prefix`, for an IPv6 prefix such as 2001:db8::/40."""
    try:
        meant = IPv6Interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 prefix such as 2001:db8::/40") from None
    if meant.ip != meant.network.network_address:
        raise ValueError(f"{text!r} has bits beyond its length; did you mean {meant.network}?")
    return meant.network


def read_end_user_prefix(text: str) -> IPv6Network:
    """The prefix of a customer's line, given as such or as any address of the line.

    An address has all 128 bits; of ADDRESS/LENGTH only LENGTH bits count.
    """
    try:
        return IPv6Interface(text).network
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IPv6 prefix or address; right is your line's,"
            " for example 2001:db8:12:3400::/56"
        ) from None


def near(text: str, known: Iterable[str], otherwise: str) -> str:
    """A question that offers the word of `known` closest to `text`; `otherwise` if none is."""
    close = get_close_matches(text.lower(), list(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise
