"""The notations of single values, which flags, files and requests have in common: what is wrong is
refused by ValueError, and what is right can be written and read again."""

from collections.abc import Callable, Iterator
from ipaddress import IPv6Network
from typing import Any

from ratsnake.daemon.configuration.listen_address import parse_listen
from ratsnake.daemon.configuration.value_parsers import (
    device_name,
    external,
    file_path,
    limit,
    prefix,
    sink,
    socket_mode,
    timeout,
    whole_number,
)
from ratsnake.daemon.views.endpoint_pattern import parse_endpoints
from ratsnake.nat.rules.behaviour import parse_behaviour
from ratsnake.nat.settings.nptv6 import parse_prefix_pair
from ratsnake.nat.settings.static_forward_text import parse_forward, parse_one_to_one
from ratsnake.portset import PortSet, read_ports
from ratsnake.portset.notation import read_end_user_prefix
from ratsnake.portset.providers import identify
from ratsnake.portset.rule_text import read_rule

LINES = ("2001:db8:12:3400::/56", "2001:db8::/40", "2400:4050::/32", "::/0", "2404:7a80::/64")


def _rule(text: str) -> None:
    """A rule, and what it makes of some lines."""
    rule = read_rule(text)
    for line in LINES:
        try:
            edge = rule.customer_edge(IPv6Network(line))
        except ValueError:
            continue
        assert len(edge.ports) > 0
        assert rule.ipv4.supernet_of(edge.ipv4)
        assert edge.address in edge.prefix


def _line(text: str) -> None:
    known, edge = identify(read_end_user_prefix(text))
    assert len(edge.ports) > 0 and edge.rule == known.rule


def _ports(text: str) -> None:
    ports = read_ports(text)
    assert PortSet.parse(str(ports)) == ports
    assert len(ports) == sum(1 for _ in ports)


def again(parse: Callable[[str], Any]) -> Callable[[str], None]:
    """Read, and what it is written as too."""

    def both(text: str) -> None:
        value = parse(text)
        assert parse(str(value)) == value

    return both


PARSERS: tuple[Callable[[str], Any], ...] = (
    *(_rule, _line, _ports, again(parse_forward), again(parse_one_to_one), parse_prefix_pair),
    *(again(parse_listen), parse_endpoints, parse_behaviour, external, again(prefix)),
    *(whole_number, timeout, limit, device_name, sink, file_path, socket_mode),
)


def run(octets: bytes) -> None:
    parse = PARSERS[int.from_bytes(octets[:1]) % len(PARSERS)]
    try:
        parse(octets[1:].decode(errors="surrogateescape"))
    except ValueError as error:
        assert str(error)


EXAMPLES = (
    ("2001:db8::/40,192.0.2.0/24,ea=16", "2001:db8::/40,192.0.2.0/24,ea=0x10,offset=4,br=::1"),
    ("2404:7a80:1234:5600::/56", "240b:10:1234:5600::", "2400:4050::1/56"),
    (
        "5000-5999,7000",
        "v6plus:33",
        "ocn:0x2",
        "map-e:2001:db8::/56,2001:db8::/40,192.0.2.0/24,ea=16",
    ),  # noqa: E501
    ("tcp:8080=192.168.1.10:80", "tcp+udp:[2001:db8::1]:5-9=[2001:db8:1::5]:60-64@2001:db8:2::/48"),
    ("203.0.113.5=192.168.1.5", "2001:db8::5=2001:db8:1::5"),
    ("fd01:203:405::/48=2001:db8:1::/48",),
    ("9469", "192.168.1.1:9469", "[::1]:9469"),
    ("192.168.1.0/24:53", "[2001:db8::]:53", "*:*", "2001:db8::/32"),
    ("full-cone", "eim/adf+preserve+parity", "adm/apdf+overload"),
    ("203.0.113.1", "203.0.113.1=5000-5999", "interface:wan0/ipv6"),
    ("192.168.1.0/24", "2001:db8::/32"),
    ("512",),
    ("udp=300",),
    ("host-sessions=2000",),
    ("ratsnake0",),
    ("journald", "/var/log/x"),
    ("/var/lib/ratsnake/state",),
    ("0660",),
)


def seeds() -> Iterator[bytes]:
    for number, texts in enumerate(EXAMPLES):
        for text in texts:
            yield bytes([number]) + text.encode()
