"""The notation of static forwards: reading it.  `str` of a Forward writes it.

    PROTOCOLS:[EXTERNAL:]PORTS=INTERNAL[:PORTS][@REMOTES]

    tcp:8080=192.168.1.10:80                   port 8080 of the first external address
    tcp:203.0.113.1:8080=192.168.1.10          of this external address; inside the same port
    tcp+udp:5000-5010=192.168.1.10:6000-6010   ranges of one length, port by port
    tcp+udp:5000-5010=192.168.1.10:6000        the same
    tcp:[2001:db8::1]:443=[2001:db8:1::5]:443  IPv6 addresses stand in brackets
    tcp:22=192.168.1.10@198.51.100.0/24,203.0.113.7    only for these remotes, without brackets

PROTOCOLS are among tcp, udp, udplite, dccp and sctp.  A one-to-one address has a notation of its
own, EXTERNAL=INTERNAL without brackets: `203.0.113.5=192.168.1.5`.  All its protocols and ports
are the internal host's, both ways (RFC 3022 section 2.1, Basic NAT).
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from ratsnake.portset import PortSet

from .interval_sweep import Address, Network
from .static_forward import ALL_PROTOCOLS, LAST_PORT, PROTOCOL_ROWS, Forward

_ADDRESS = r"(?P<address>\[[^\]]*\]|[^:\[\]]*)"
_PORTS = r"(?P<ports>[^:\[\]]*)"
_OUTSIDE = re.compile(f"(?:{_ADDRESS}:)?{_PORTS}")
_INSIDE = re.compile(f"{_ADDRESS}(?::{_PORTS})?")


def parse_forward(text: str) -> Forward:
    """Read PROTOCOLS:[EXTERNAL:]PORTS=INTERNAL[:PORTS][@REMOTES].

    Raises ValueError with one line that names what is wrong and says what is right.
    """
    left, equals, right = text.partition("=")
    names, colon, outside = left.partition(":")
    if not equals or not colon:
        raise ValueError("must be PROTOCOL:PORT=ADDRESS[:PORT], such as tcp:8080=192.168.1.10:80")
    inside, at, remotes = right.partition("@")
    out = _match(_OUTSIDE, outside, "8080 or 203.0.113.1:8080 or [2001:db8::1]:8080")
    into = _match(_INSIDE, inside, "192.168.1.10:80 or [2001:db8:1::5]:80")
    first, last = _ports(out["ports"])
    # Without ports inside they are those outside; a single one is where the range begins.
    internal_ports = out["ports"] if into["ports"] is None else into["ports"]
    internal_first, internal_last = _ports(internal_ports)
    if "-" in internal_ports and internal_last - internal_first != last - first:
        raise ValueError(
            f"{out['ports']} is {last - first + 1} and {internal_ports} is "
            f"{internal_last - internal_first + 1} ports; both must be as many"
        )
    return Forward(
        protocols=tuple(sorted(names.split("+"), key=lambda name: PROTOCOL_ROWS.get(name, 0))),
        external=None if out["address"] is None else _address(out["address"]),
        first_port=first,
        last_port=last,
        internal=_address(into["address"]),
        internal_port=internal_first,
        remotes=tuple(map(_remote, remotes.split(","))) if at else (),
    )


def parse_one_to_one(text: str) -> Forward:
    """Read EXTERNAL=INTERNAL.  Raises ValueError as parse_forward does."""
    external, equals, internal = text.partition("=")
    if not equals:
        raise ValueError("must be EXTERNAL=INTERNAL, such as 203.0.113.5=192.168.1.5")
    ends = []
    for end in (external, internal):
        try:
            ends.append(IPv6Address(end) if ":" in end else IPv4Address(end))
        except ValueError:
            raise ValueError(
                f"{end!r} is not an address, such as 203.0.113.5 or 2001:db8::5"
            ) from None
    return Forward(ALL_PROTOCOLS, ends[0], 0, LAST_PORT, ends[1], 0)


def _match(form: re.Pattern[str], text: str, examples: str) -> re.Match[str]:
    match = form.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} must be of the form {examples}")
    return match


def _ports(text: str) -> tuple[int, int]:
    if "," in text:
        raise ValueError(f"{text!r}: a forward has one port or one range; give a forward for each")
    return PortSet.parse(text).ranges[0]


def _address(text: str) -> Address:
    try:
        return IPv6Address(text[1:-1]) if text.startswith("[") else IPv4Address(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address, such as 192.168.1.10 or [2001:db8:1::5]"
        ) from None


def _remote(text: str) -> Network:
    network, interface = (
        (IPv6Network, IPv6Interface) if ":" in text else (IPv4Network, IPv4Interface)
    )
    try:
        return network(text)
    except ValueError:
        try:
            meant = interface(text).network
        except ValueError:
            raise ValueError(
                f"{text!r} is not a remote's address or prefix, such as 198.51.100.0/24"
            ) from None
    raise ValueError(f"{text} has bits set beyond the prefix length; did you mean {meant}?")
