"""NATs of every kind, with tables so small that inputs of a few hundred bytes fill them."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from ratsnake.nat.rules.behaviour import PRESETS, parse_behaviour
from ratsnake.nat.settings.nptv6 import parse_prefix_pair
from ratsnake.nat.settings.setting_types import (
    External,
    Limits,
    NoResources,
    Pooling,
    Timeouts,
    UnsolicitedSyn,
)
from ratsnake.nat.settings.static_forward_text import parse_forward, parse_one_to_one
from ratsnake.nat.settings.validated_settings import Settings
from ratsnake.portset import read_ports

EXTERNAL4, EXTERNAL6 = "203.0.113.1", "2001:db8:ffff::1"
HOSTS = ("192.168.1.10", "192.168.1.11", "192.168.1.12", "2001:db8:1::10", "2001:db8:1::11")
PREFIX_HOST = "fd01:203:405::10"
REMOTES = ("198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8:2::1", "2001:db8:2::2")
NO_NAT = "198.51.100.3"
STRANGE = (
    *(EXTERNAL4, EXTERNAL6, "203.0.113.2", "203.0.113.5", "192.0.2.2", PREFIX_HOST),
    *("127.0.0.1", "224.0.0.5", "255.255.255.255", "0.0.0.0", "169.254.1.1", "10.1.2.3"),
    *("::1", "::", "ff02::1", "fe80::1", "2001:db8:9::1", "2001:db8:9:c3b4::10"),
)
LIMITS = Limits(
    mappings=64,
    sessions=96,
    inbound_sessions=24,
    unanswered_sessions=8,
    fragments=32,
    icmp_errors=100,
)
PROTOCOLS = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp")


def settings(kind: str = "port-restricted-cone", ports: str = "1024-1055", **more: Any) -> Settings:
    behaviour = PRESETS[kind].behaviour if kind in PRESETS else parse_behaviour(kind)
    externals = (
        External(IPv4Address(EXTERNAL4), read_ports(ports)),
        External(IPv6Address(EXTERNAL6), read_ports(ports)),
    )
    chosen: dict[str, Any] = {
        "externals": externals,
        "internal": (ip_network("192.168.1.0/24"), ip_network("2001:db8:1::/64")),
        "limits": LIMITS,
        **dict.fromkeys(PROTOCOLS, behaviour),
    }
    return Settings(**{**chosen, **more})


def several(*addresses: str, ports: str = "1024-1029") -> tuple[External, ...]:
    return tuple(External(ip_address(address), read_ports(ports)) for address in addresses)


FORWARDS = (
    *("tcp+udp:8080=192.168.1.10:80", "udp+udplite+dccp+sctp:5000-5010=192.168.1.11:6000-6010"),
    *("tcp:22=192.168.1.12@198.51.100.0/24", "tcp+udp:[2001:db8:ffff::1]:443=[2001:db8:1::10]"),
)
CONFIGURATIONS = (
    settings("full-cone"),
    settings("port-restricted-cone", "1024-65535", decrement_ttl=True),
    settings(
        "symmetric",
        externals=several(EXTERNAL4, "203.0.113.2", EXTERNAL6),
        pooling=Pooling.ARBITRARY,
        unsolicited_syn=UnsolicitedSyn.DROP,
    ),
    settings("quasi-restricted-cone", "v6plus:33", mtu=1280),
    settings("quasi-symmetric", "1024-1027", no_resources=NoResources.UNREACHABLE),
    settings(
        "restricted-cone",
        externals=(
            *several(EXTERNAL4, EXTERNAL6, ports="22,443,1024-1029,5000-5010,8080"),
            External(ip_address("203.0.113.5"), None),
        ),
        forwards=(
            *map(parse_forward, FORWARDS),
            parse_one_to_one("203.0.113.5=192.168.1.12"),
        ),
    ),
    settings(
        "full-cone",
        externals=several(EXTERNAL4),
        internal=(ip_network("192.168.1.0/24"),),
        nptv6=parse_prefix_pair("fd01:203:405::/48=2001:db8:9::/48"),
    ),
    settings(
        "port-restricted-cone",
        limits=replace(LIMITS, host_mappings=3, host_sessions=4, host_rate=2, icmp_errors=2),
        timeouts=Timeouts(10, 4, 4, 5, 3, 6, 2, 5),
    ),
    settings(
        "port-restricted-cone",
        externals=(External(IPv4Address(EXTERNAL4), read_ports("1024-1055"), True),),
        internal=(ip_network("192.168.1.0/24"),),
        no_nat=(ip_network(NO_NAT),),
    ),
    settings("restricted-cone", "1024-1087", port_block=8, blocks_per_host=2),
    settings(
        "port-restricted-cone",
        externals=several(EXTERNAL4, ports="1024-2047"),
        internal=(ip_network("192.168.1.0/28"),),
        deterministic=True,
    ),
    settings("eim/eif+preserve+parity", inbound_refresh=False, mtu=576),
    settings("adm/apdf+overload+sticky", "1024-1027", decrement_ttl=True),
    settings("apdm/adf+distinct+sequential", "1024-1030"),
    settings(
        "eim/eif+preserve",
        "1024-1087",
        port_block=8,
        blocks_per_host=1,
        forwards=tuple(map(parse_forward, ("tcp:1026=192.168.1.10", "udp:1036=192.168.1.11"))),
    ),
)
