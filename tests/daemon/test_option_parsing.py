"""What each flag accepts, and how a mistake is told: with the flag, the value and what is right."""

import grp
import re
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest

from ratsnake.daemon.configuration.flag_table import NAT_FLAGS, PROTOCOLS, RUN_FLAGS
from ratsnake.daemon.configuration.option_parsing import (
    StateOptions,
    deterministic,
    nat_options,
    read_flags,
    run_options,
)
from ratsnake.daemon.control.peer_credentials import Access
from ratsnake.daemon.user_errors import UsageError
from ratsnake.nat.rules.behaviour import PRESETS, Filtering, Mapping, Sharing
from ratsnake.nat.settings.setting_types import (
    Limits,
    NoResources,
    Pooling,
    Timeouts,
    UnsolicitedSyn,
)
from ratsnake.nat.settings.validated_settings import Settings

Texts = dict[str, Any]
EXTERNAL: Texts = {"external": ["203.0.113.1"]}
LAN: Texts = {"internal": ["192.168.1.0/24"]}
DEFAULT = PRESETS["port-restricted-cone"].behaviour
DAEMON = grp.getgrnam("daemon").gr_gid


def settings(**texts: Any) -> Settings:
    """The settings these flags make, beside an external address."""
    given = {key.replace("_", "-"): value for key, value in texts.items()}
    return nat_options({**EXTERNAL, **given}).settings


def test_defaults() -> None:
    options = run_options(EXTERNAL)
    made = options.nat.settings
    assert made == Settings(externals=made.externals)
    assert made.addresses == (IPv4Address("203.0.113.1"),)
    assert str(made.externals[0].ports) == "1024-65535"
    assert ip_network("100.64.0.0/10") in made.internal
    assert made.tcp == made.udp == made.icmp == made.udplite == made.dccp == made.sctp == DEFAULT
    assert (made.timeouts.tcp_established, made.timeouts.tcp_opening) == (7440, 240)
    assert options.nat.types == dict.fromkeys(PROTOCOLS, "port-restricted-cone")
    assert (options.device, options.lans) == ("ratsnake", ())
    assert options.control is None
    assert options.socket_path.endswith("/ratsnake.sock")


def test_a_protocols_own_type_beats_the_general_one() -> None:
    options = nat_options({**EXTERNAL, "nat": "full-cone", "tcp": "symmetric", "sctp": "eim/adf"})
    assert options.types == {
        **dict.fromkeys(PROTOCOLS, "full-cone"),
        **{"tcp": "symmetric", "sctp": "eim/adf"},
    }
    assert options.settings.tcp == PRESETS["symmetric"].behaviour
    assert options.settings.udp == PRESETS["full-cone"].behaviour
    assert options.settings.sctp == PRESETS["restricted-cone"].behaviour
    assert options.settings.other != PRESETS["full-cone"].behaviour


@pytest.mark.parametrize("key", [*PROTOCOLS, "other"])
def test_every_protocol_may_have_any_type(key: str) -> None:
    behaviour = getattr(settings(**{key: "apdm/adf+overload+sticky+parity"}), key)
    assert (behaviour.mapping, behaviour.filtering) == (Mapping.APDM, Filtering.ADF)
    assert behaviour.sharing is Sharing.OVERLOAD
    assert behaviour.sticky and behaviour.parity


def test_several_external_addresses_each_with_ports_of_its_own() -> None:
    made = settings(
        external=["203.0.113.1", "203.0.113.2=7000", "2001:db8::1", "2001:db8::2=v6plus:33"],
        internal=["192.168.1.0/24", "2001:db8:1::/64"],
        ports="5000-5999",
    )
    assert [str(address) for address in made.addresses] == [
        *("203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2")
    ]
    own = [str(external.ports) for external in made.externals]
    assert own[:3] == ["5000-5999", "7000", "5000-5999"]
    assert own[3].startswith("4624-4639,8720-8735,") and len(made.externals[3].ports or ()) == 240


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("5000-5999,7000", 1001),
        ("v6plus:0x21", 240),
        ("ocn:5", 1008),
        ("map-e:2001:db8:12:3400::/56,2001:db8::/40,192.0.2.0/24,ea=16", 252),
    ],
)
def test_ports_of_every_kind(text: str, ports: int) -> None:
    assert len(settings(ports=text).externals[0].ports or ()) == ports


def test_repeated_flags() -> None:
    made = settings(
        internal=["192.168.1.0/24", "2001:db8:1::/64"],
        timeout=["udp=30", "tcp-established=300", "rest=0", "udp=40"],
        limit=["host-sessions=2000", "host-rate=5", "host-rate=0"],
        no_nat=["198.51.100.0/24", "2001:db8:2::/48"],
        external=["203.0.113.1", "2001:db8::1"],
    )
    assert [str(prefix) for prefix in made.internal] == ["192.168.1.0/24", "2001:db8:1::/64"]
    assert made.timeouts == Timeouts(udp=40, tcp_established=300, rest=0)
    assert made.limits == Limits(host_sessions=2000, host_rate=0)
    assert [str(prefix) for prefix in made.no_nat] == ["198.51.100.0/24", "2001:db8:2::/48"]


def test_words_numbers_and_switches() -> None:
    made = settings(
        **{"pooling": "arbitrary", "unsolicited-syn": "drop", "no-resources": "unreachable"},
        mtu="1460",
        decrement_ttl="yes",
        inbound_refresh="no",
    )
    assert not made.inbound_refresh
    assert made.pooling is Pooling.ARBITRARY
    assert made.unsolicited_syn is UnsolicitedSyn.DROP
    assert made.no_resources is NoResources.UNREACHABLE
    assert (made.mtu, made.decrement_ttl) == (1460, True)
    made = settings(port_block="512", blocks_per_host="2", decrement_ttl="no")
    assert (made.port_block, made.blocks_per_host, made.decrement_ttl) == (512, 2, False)


def test_forwards_and_addresses_of_one_host() -> None:
    made = settings(
        forward=["tcp:8080=192.168.1.10:80", "udp:203.0.113.1:5000-5001=192.168.1.10@198.51.100.1"],
        one_to_one=["203.0.113.5=192.168.1.5", "203.0.113.6=192.168.1.6"],
    )
    assert [rule.one_to_one for rule in made.forwards] == [False, False, True, True]
    # Their addresses need not be said twice, and serve nobody else.
    assert [(str(one.address), one.ports is None) for one in made.externals] == [
        *(("203.0.113.1", False), ("203.0.113.5", True), ("203.0.113.6", True))
    ]


def test_prefixes_exchanged_without_state() -> None:
    pair = settings(nptv6="fd01:203:405::/48=2001:db8:1::/48").nptv6
    assert tuple(map(str, pair or ())) == ("fd01:203:405::/48", "2001:db8:1::/48")
    assert settings().nptv6 is None


def test_deterministic_ports_and_who_has_them_agree() -> None:
    texts = {**EXTERNAL, **LAN, "port-block": "250"}
    made = nat_options({**texts, "deterministic": "yes"}).settings
    assert (made.deterministic, made.port_block) == (True, 250)
    assert deterministic(texts).size == 250
    del texts["port-block"]
    assert deterministic(texts).size == 64512 // 256
    assert deterministic({**texts, "ports": "1024-2047"}).size == 4


@pytest.mark.parametrize("seconds", ["300", "0000000000300", "0" * 5000 + "300"])
def test_leading_zeros_change_no_number(seconds: str) -> None:
    assert settings(timeout=[f"udp={seconds}"]).timeouts.udp == 300
    assert settings(limit=[f"mappings={seconds}"]).limits.mappings == 300
    assert settings(port_block=seconds).port_block == 300


@pytest.mark.parametrize(
    ("texts", "access"),
    [
        ({}, Access(0o600)),
        ({"control-mode": "660"}, Access(0o660)),
        ({"control-group": "daemon"}, Access(0o660, DAEMON)),
        ({"control-group": "daemon", "control-mode": "0600"}, Access(0o600, DAEMON)),
    ],
)
def test_a_control_group_is_let_in_unless_the_mode_says_otherwise(
    texts: Texts, access: Access
) -> None:
    assert run_options({**EXTERNAL, **texts}).access == access


@pytest.mark.parametrize("mode", ["0440", "0777", "1660", "rw", "", "060"])
def test_a_mode_that_cannot_be_a_sockets(mode: str) -> None:
    with pytest.raises(UsageError, match=f"--control-mode {mode}: must be an octal mode that lets"):
        run_options({**EXTERNAL, "control-mode": mode})


def test_a_user_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="--user nobdy: there is no user 'nobdy' here"):
        run_options({**EXTERNAL, "user": "nobdy"})


def test_a_file_of_flows_and_how_often_it_is_written() -> None:
    assert run_options(EXTERNAL).state is None
    given = {**EXTERNAL, "file": "state"}
    assert run_options(given).state == StateOptions(Path("state"), 60)
    assert run_options({**given, "period": "1"}).state == StateOptions(Path("state"), 1)
    for period in ("0", "86401", "999999999999"):
        with pytest.raises(UsageError, match=f"--state-period {period}: must be 1..86400 seconds"):
            run_options({**given, "period": period})
    for path in ("", "/var/lib/", "a\0b"):
        with pytest.raises(UsageError, match="must be the path of a file, such as"):
            run_options({**EXTERNAL, "file": path})


def test_the_socket_follows_the_device_unless_given() -> None:
    assert run_options({**EXTERNAL, "device": "tun7"}).socket_path.endswith("/tun7.sock")
    assert run_options({**EXTERNAL, "device": "tun7", "control": "/x"}).socket_path == "/x"


# The flags given; then of the message the flag it begins with, the value, and what is right.
Mistake = tuple[Texts, str, str, str]
ADDRESSES: list[Mistake] = [
    ({"external": None}, "external", "ADDR", "is needed"),
    ({"external": []}, "external", "address", "such as 203.0.113.1"),
    ({"external": ["host"]}, "external", "host", "must be an IPv4 or IPv6 address"),
    ({"external": [""]}, "external", "", "must be an IPv4 or IPv6 address"),
    ({"external": ["203.0.113.1/24"]}, "external", "203.0.113.1/24", "must be an IPv4 or IPv6"),
    ({"external": ["203.0.113.256"]}, "external", "203.0.113.256", "such as 203.0.113.1"),
    ({"external": ["203.0.113.1="]}, "external", "203.0.113.1=", "for example 7000 or 5000-5999"),
    ({"external": ["interface:"]}, "external", "interface:", "has 0 characters"),
    ({"external": ["interface:a b"]}, "external", "interface:a b", "interface names cannot have"),
    ({"external": ["interface:eth0/v6"]}, "external", "eth0/v6", "or interface:IFACE/ipv6"),
    ({"external": ["interface:eth0/ipv6"]}, "external", "eth0/ipv6", "give --internal theirs"),
    ({"external": ["interface:a", "interface:a"]}, "external", "interface:a", "right is once"),
    (
        {"external": ["interface:a=7000"], "port-block": "9"},
        *("port-block", "9", "1 ports of interface:a"),
    ),
    (
        {"external": ["interface:a"], "deterministic": "yes", "internal": ["192.168.1.0/24"]},
        "external",
        "interface:a",
        "right is an address",
    ),
    ({"external": ["203.0.113.1=0"]}, "external", "203.0.113.1=0", "ports go from 1 to 65535"),
    ({"external": ["203.0.113.1=9-5"]}, "external", "9-5", "right is 5-9"),
    ({"external": ["203.0.113.1=ocn:64"]}, "external", "=ocn:64", "those go from 0 to 63"),
    ({"external": ["224.0.0.1"]}, "external", "224.0.0.1", "a host can have"),
    ({"external": ["169.254.1.1"]}, "external", "169.254.1.1", "a host can have"),
    ({"external": ["fe80::1"]}, "external", "fe80::1", "a host can have"),
    ({"external": ["::ffff:203.0.113.1"]}, "external", "::ffff:", "203.0.113.1"),
    ({"external": ["2001:db8::1"]}, "external", "2001:db8::1", "give --internal theirs"),
    ({"internal": ["2001:db8::/64"]}, "external", "203.0.113.1", "give --internal theirs"),
    ({"external": ["2001:db8::1%eth0"]}, "external", "2001:db8::1%eth0", "zone|address"),
    ({"external": ["10.0.0.1"]}, "external", "10.0.0.1", "Give --internal the prefix of the LAN"),
    ({"external": ["203.0.113.1", "203.0.113.1"]}, "external", "203.0.113.1", "right is once"),
    (
        {"external": ["203.0.113.1", "203.0.113.1=5000"]},
        *("external", "203.0.113.1", "right is once"),
    ),
    (
        {"external": [f"198.51.{n >> 8}.{n & 255}" for n in range(1025)]},
        *("external", "1025", "at most 1024"),
    ),
    ({"internal": ["192.168.1.1/24"]}, "internal", "192.168.1.1/24", "mean 192.168.1.0/24?"),
    ({"internal": ["2001:db8::1/64"]}, "internal", "2001:db8::1/64", "mean 2001:db8::/64?"),
    ({"internal": ["lan"]}, "internal", "lan", "must be an IPv4 or IPv6 prefix"),
    ({"internal": [""]}, "internal", "", "must be an IPv4 or IPv6 prefix"),
    ({"internal": ["192.168.1.0/33"]}, "internal", "/33", "such as 192.168.1.0/24"),
    ({"internal": []}, "internal", "prefix", "such as 192.168.0.0/16"),
    ({"internal": ["0.0.0.0/0"]}, "external", "203.0.113.1", "Give --internal the prefix"),
    (
        {"internal-except": ["203.0.113.0/24"]},
        *("internal-except", "203.0.113.0/24", "lies in none of the internal prefixes"),
    ),
    (
        {"internal": ["10.0.0.0/8"], "internal-except": ["10.0.0.0/9", "10.128.0.0/9"]},
        *("internal-except", "leaves nothing inside", "right are parts of internal"),
    ),
    (
        {"internal-except": ["192.168.1.10"], "forward": ["tcp:80=192.168.1.10"]},
        *("forward", "192.168.1.10", "is not inside"),
    ),
    ({"no-nat": ["198.51.100.1/24"]}, "no-nat", "198.51.100.1/24", "mean 198.51.100.0/24?"),
    ({"no-nat": ["vpn"]}, "no-nat", "vpn", "must be an IPv4 or IPv6 prefix"),
    ({"nptv6": "fd01::/48"}, "nptv6", "fd01::/48", "not INTERNAL=EXTERNAL, such as"),
    ({"nptv6": "fd01::1/48=2001:db8::/48"}, "nptv6", "fd01::1/48", "fd01::/48 has none"),
    ({"nptv6": "fd01::/65=2001:db8::/65"}, "nptv6", "fd01::/65", "longer than /64"),
    ({"nptv6": "fd01::/48=fd01::/56"}, "nptv6", "fd01::/48=fd01::/56", "must be disjoint"),
    (
        {
            "nptv6": "fd01::/48=2001:db8::/48",
            "external": ["2001:db8::1"],
            "internal": ["fd00::/64"],
        },
        *("nptv6", "2001:db8::1", "by prefix or by port, not both"),
    ),
    ({"nptv6": "10.0.0.0/8=2001:db8::/48"}, "nptv6", "10.0.0.0/8", "such as fd01:203:405::/48"),
]
PORTS: list[Mistake] = [
    ({"ports": "5-x"}, "ports", "5-x", "for example 7000 or 5000-5999"),
    ({"ports": ""}, "ports", "", "for example 7000 or 5000-5999"),
    ({"ports": "5000,"}, "ports", "5000,", "for example 7000 or 5000-5999"),
    ({"ports": "0-5"}, "ports", "0-5", "ports go from 1 to 65535"),
    ({"ports": "65536"}, "ports", "65536", "ports go from 1 to 65535"),
    ({"ports": "6000-5000"}, "ports", "6000-5000", "right is 5000-6000"),
    ({"ports": "\u0665"}, "ports", "\u0665", "for example 7000"),
    ({"ports": "v6plsu:3"}, "ports", "v6plsu", "mean v6plus?"),
    ({"ports": "acme:3"}, "ports", "acme", r"right are ports \(5000-5999,7000\), PROVIDER:PSID"),
    ({"ports": "v6plus"}, "ports", "v6plus", "v6plus:PSID"),
    ({"ports": "v6plus:256"}, "ports", "256", "those go from 0 to 255"),
    ({"ports": "v6plus:0x100"}, "ports", "0x100", "those go from 0 to 255"),
    ({"ports": "ocn:64"}, "ports", "64", "those go from 0 to 63"),
    ({"ports": "ocn:-1"}, "ports", "-1", "right is a decimal one or 0x"),
    ({"ports": "ocn:five"}, "ports", "five", "right is a decimal one or 0x"),
    ({"ports": "map-e:"}, "ports", "map-e:", "map-e:IPV6-PREFIX"),
    ({"ports": "map-e:198.51.100.1"}, "ports", "198.51.100.1", "for example 2001:db8:12:3400::/56"),
    ({"ports": "map-e:2001:db8::/56"}, "ports", "2001:db8::/56", "is it the line's own prefix"),
    ({"ports": "map-e:240b:10::/32"}, "ports", "240b:10::/32", "/56 or longer"),
    (
        {"ports": "map-e:2001:db8::/56,2001:db8::/40,192.0.2.0/24"},
        *("ports", "2001:db8::/40,192.0.2.0/24", r"a rule is .*ea=BITS"),
    ),
    (
        {"ports": "map-e:2001:db8:100::/56,2001:db8::/40,192.0.2.0/24,ea=33"},
        *("ports", "ea=33", "64|16"),
    ),
    ({"port-block": "x"}, "port-block", "x", "must be a whole number, such as 512"),
    ({"port-block": "-1"}, "port-block", "-1", "must be a whole number, such as 512"),
    ({"port-block": "1.5"}, "port-block", "1.5", "must be a whole number, such as 512"),
    ({"port-block": "64513"}, "port-block", "64513", "64512 ports of 203.0.113.1"),
    ({"port-block": "9" * 5000}, "port-block", "9+", "64512 ports of 203.0.113.1"),
    (
        {"port-block": "11", "external": ["203.0.113.1", "203.0.113.2=5000-5009"]},
        *("port-block", "11", "10 ports of 203.0.113.2"),
    ),
    (
        {"port-block": "64", "pooling": "arbitrary"},
        *("port-block", "arbitrary pooling", "leave --pooling out"),
    ),
    (
        {"port-block": "64", "blocks-per-host": "0"},
        *("blocks-per-host", "0", "at least one|from 1"),
    ),
    ({"blocks-per-host": "few"}, "blocks-per-host", "few", "must be a whole number"),
]
DETERMINISTIC: list[Mistake] = [
    ({"deterministic": "maybe"}, "deterministic", "maybe", "must be yes or no"),
    ({"deterministic": "yes"}, "internal", "22,085,632 addresses", "Give --internal a smaller"),
    (
        {"deterministic": "yes", "internal": ["192.168.0.0/16"]},
        *("internal", "65,536", "a smaller prefix or more external addresses"),
    ),
    (
        {"deterministic": "yes", **LAN, "port-block": "253"},
        *("port-block", "253", r"Right is 1\.\.252"),
    ),
    (
        {"deterministic": "yes", **LAN, "ports": "5000-5254"},
        *("internal", "256 addresses .* 255 ports", "a smaller prefix or more external"),
    ),
    (
        {"deterministic": "yes", "internal": ["192.168.1.0/24", "fd00::/64"]},
        *("deterministic", "IPv6", "right are IPv4 prefixes only"),
    ),
    (
        {"deterministic": "yes", **LAN, "external": ["2001:db8::1"]},
        *("deterministic", "IPv4 external address", "is needed"),
    ),
    (
        {"deterministic": "yes", **LAN, "pooling": "arbitrary"},
        *("deterministic", "arbitrary pooling", "leave --pooling out"),
    ),
    (
        {"deterministic": "yes", "internal": ["192.168.1.0/24", "192.168.1.0/25"]},
        *("internal", "192.168.1.0/25", "overlap|twice|once|other"),
    ),
]
TYPES: list[Mistake] = [
    ({"nat": "restrictd-cone"}, "nat", "restrictd-cone", "mean restricted-cone?"),
    ({"tcp": "xyz"}, "tcp", "xyz", "right is a type of `ratsnake types` or MAPPING/FILTERING"),
    ({"udp": ""}, "udp", "", "right is a type of `ratsnake types`"),
    ({"icmp": "eim/xyz"}, "icmp", "xyz", "it is one of eif, adf, apdf"),
    ({"icmp": "xyz/eif"}, "icmp", "xyz", "it is one of eim, adm, apdm"),
    ({"sctp": "eim/"}, "sctp", "eim/", "it is one of eif, adf, apdf"),
    ({"nat": "eim/adf+shared"}, "nat", "shared", "the words are exclusive, overload, distinct"),
    ({"nat": "eim/adf+sticky+sticky"}, "nat", "sticky", "stands twice"),
    ({"nat": "adm/adf+overload+distinct"}, "nat", "overload and distinct", "right is one of them"),
    ({"nat": "adm/adf+random+preserve"}, "nat", "random and preserve", "right is one of them"),
    ({"dccp": "eim/adf+overload"}, "dccp", "eim/adf+overload", "needs exclusive ports"),
    ({"udplite": "apdm/eif+distinct"}, "udplite", "apdm/eif", "needs exclusive ports"),
    ({"nat": "adm/adf+distinct+sticky"}, "nat", "sticky contradicts distinct", "forbids to use it"),
    ({"other": "cone"}, "other", "cone", "mean .*-cone?"),
]
FORWARDS: list[Mistake] = [
    ({"forward": ["8080"]}, "forward", "8080", "such as tcp:8080=192.168.1.10:80"),
    ({"forward": ["tpc:80=192.168.1.10"]}, "forward", "tpc", "mean tcp?"),
    ({"forward": ["icmp:80=192.168.1.10"]}, "forward", "icmp", "tcp, udp, udplite, dccp, sctp"),
    ({"forward": ["tcp:0=192.168.1.10"]}, "forward", "0", "ports go from 1 to 65535"),
    ({"forward": ["tcp:9-5=192.168.1.10"]}, "forward", "9-5", "right is 5-9"),
    ({"forward": ["tcp:80=host"]}, "forward", "host", "such as 192.168.1.10"),
    ({"forward": ["tcp:80-81=192.168.1.10:80-82"]}, "forward", "80-82", "both must be as many"),
    ({"forward": ["tcp:80=203.0.113.9"]}, "forward", "203.0.113.9", "right is an address in"),
    (
        {"forward": ["tcp:198.51.100.1:80=192.168.1.10"]},
        *("forward", "198.51.100.1", "right is 203.0.113.1"),
    ),
    (
        {"forward": ["tcp:80=[2001:db8:1::5]"]},
        *("forward", "2001:db8:1::5", "no external IPv6 address"),
    ),
    (
        {"forward": ["tcp:80-90=192.168.1.10", "tcp+udp:85=192.168.1.11"]},
        *("forward", "tcp:80-90=.* and tcp.udp:85=", "other external ports or remotes"),
    ),
    (
        {"forward": ["tcp:80=192.168.1.10@198.51.100.0/24", "tcp:80=192.168.1.11@198.51.100.7"]},
        *("forward", "198.51.100.7", "remotes that do not meet"),
    ),
    (
        {"forward": ["tcp:80=192.168.1.10"], "ports": "v6plus:33"},
        *("forward", "port 80", "which are 4624-4639,"),
    ),
    (
        {"forward": ["tcp:4999-5000=192.168.1.10"], "external": ["203.0.113.1=5000-5999"]},
        *("forward", "port 4999", "which are 5000-5999"),
    ),
    (
        {
            "forward": ["tcp:203.0.113.2:5000=192.168.1.10"],
            "external": ["203.0.113.1=5000-5999", "203.0.113.2=6000-6999"],
        },
        *("forward", "port 5000", "which are 6000-6999"),
    ),
    ({"one-to-one": ["203.0.113.5"]}, "one-to-one", "203.0.113.5", "must be EXTERNAL=INTERNAL"),
    ({"one-to-one": ["203.0.113.5=host"]}, "one-to-one", "host", "such as 203.0.113.5"),
    ({"one-to-one": ["203.0.113.5=fd00::5"]}, "one-to-one", "fd00::5", "of one family"),
    (
        {"one-to-one": ["203.0.113.5=198.51.100.5"]},
        *("one-to-one", "198.51.100.5", "right is an address in"),
    ),
    (
        {"one-to-one": ["203.0.113.1=192.168.1.5"]},
        *("one-to-one", "203.0.113.1", "leave it out of --external"),
    ),
    (
        {"one-to-one": ["203.0.113.5=192.168.1.5", "203.0.113.5=192.168.1.6"]},
        *("one-to-one", "203.0.113.5", "serves one internal host only|stands twice; right is once"),
    ),
    (
        {"one-to-one": ["203.0.113.5=192.168.1.5"], "forward": ["tcp:203.0.113.5:80=192.168.1.6"]},
        *("one-to-one", "203.0.113.5:80", "serves one internal host only"),
    ),
    ({"one-to-one": ["10.0.0.5=192.168.1.5"]}, "one-to-one", "10.0.0.5", "inside"),
    ({"one-to-one": ["224.0.0.5=192.168.1.5"]}, "one-to-one", "224.0.0.5", "host can have"),
]
WORDS: list[Mistake] = [
    ({"pooling": "pared"}, "pooling", "pared", "must be one of paired, arbitrary; .* paired?"),
    ({"pooling": "PAIRED"}, "pooling", "PAIRED", "must be one of paired, arbitrary"),
    ({"unsolicited-syn": "reset"}, "unsolicited-syn", "reset", "must be one of icmp, drop"),
    ({"no-resources": ""}, "no-resources", "", "must be one of prohibited, unreachable, drop"),
    ({"inbound-refresh": "on"}, "inbound-refresh", "on", "must be yes or no"),
    ({"decrement-ttl": "1"}, "decrement-ttl", "1", "must be yes or no"),
    ({"mtu": "big"}, "mtu", "big", "must be a whole number"),
    ({"mtu": "575"}, "mtu", "575", r"576\.\.65535 bytes"),
    ({"mtu": "65536"}, "mtu", "65536", r"576\.\.65535 bytes"),
    ({"mtu": "9" * 5000}, "mtu", "9+", r"576\.\.65535 bytes"),
    ({"device": "a/b"}, "device", "a/b", "interface names"),
    ({"device": "x" * 16}, "device", "x{16}", "16 characters"),
    ({"device": ".."}, "device", r"\.\.", "kernel"),
    ({"device": "tun%d"}, "device", "tun%d", "interface names"),
    ({"device": ""}, "device", "", "0 characters"),
    ({"lan": [""]}, "lan", "", "0 characters"),
    ({"lan": ["eth 0"]}, "lan", "eth 0", "interface names"),
    ({"lan": ["br0", "wg0", "br0"]}, "lan", "br0", "is given twice; once is enough"),
    ({"lan": ["br0", "nat0"], "device": "nat0"}, "lan", "nat0", "the NAT's own device; name the L"),
    ({"lan": ["br0"], "wan": "ratsnake"}, "wan", "ratsnake", "own device; name the WAN's"),
    ({"lan": ["br0", "wg0"], "wan": "wg0"}, "wan", "wg0", "is the LAN's interface too; they must"),
]
NUMBERS: list[Mistake] = [
    ({"timeout": ["udp"]}, "timeout", "udp", "must be CLASS=SECONDS in whole seconds"),
    ({"timeout": [""]}, "timeout", "", "must be CLASS=SECONDS in whole seconds"),
    ({"timeout": ["udp=1.5"]}, "timeout", "udp=1.5", "such as udp=300"),
    ({"timeout": ["udp=-5"]}, "timeout", "udp=-5", "such as udp=300"),
    (
        {"timeout": ["udp=5s"]},
        "timeout",
        "udp=5s",
        "must be in whole seconds, without a unit: udp=5",
    ),
    ({"timeout": ["udp=\u0665"]}, "timeout", "udp=\u0665", "such as udp=300"),
    ({"timeout": ["upd=5"]}, "timeout", "upd", "mean udp?"),
    ({"timeout": ["tcp_established=5"]}, "timeout", "tcp_established", "mean tcp-established?"),
    (
        {"timeout": ["zzz=5"]},
        *("timeout", "zzz", "tcp-established, tcp-opening, tcp-closing, udp, icmp, other, rest"),
    ),
    ({"timeout": ["udp=0"]}, "timeout udp", "0", "from 1 to 604800"),
    ({"timeout": ["udp=000"]}, "timeout udp", "0", "from 1 to 604800"),
    ({"timeout": ["tcp-closing=604801"]}, "timeout tcp-closing", "604801", "from 1 to 604800"),
    ({"timeout": ["rest=604801"]}, "timeout rest", "604801", "from 0 to 604800"),
    ({"timeout": ["udp=" + "9" * 5000]}, "timeout udp", "9+", "from 1 to 604800"),
    ({"limit": ["mappings"]}, "limit", "mappings", "must be NAME=NUMBER, such as host-sessions"),
    ({"limit": ["mappings=many"]}, "limit", "mappings=many", "must be NAME=NUMBER"),
    ({"limit": ["host_sessions=5"]}, "limit", "host_sessions", "mean host-sessions?"),
    ({"limit": ["zzz=5"]}, "limit", "zzz", "there are mappings, sessions, inbound-sessions"),
    ({"limit": ["mappings=0"]}, "limit mappings", "0", "from 1 to 16000000"),
    ({"limit": ["sessions=16000001"]}, "limit sessions", "16000001", "from 1 to 16000000"),
    (
        {"limit": ["unanswered-sessions=1025"]},
        "limit unanswered-sessions",
        "1025",
        "from 1 to 1024",
    ),
    ({"limit": ["fragments=3"]}, "limit fragments", "3", "from 4 to 16000000"),
    ({"limit": ["icmp-errors=16777217"]}, "limit icmp-errors", "16777217", "from 0 to 1000000"),
    ({"limit": ["host-rate=" + "9" * 5000]}, "limit host-rate", "9+", "from 0 to 1000000"),
]
MISTAKES = (*ADDRESSES, *PORTS, *DETERMINISTIC, *TYPES, *FORWARDS, *WORDS, *NUMBERS)


def says(message: str, text: str) -> bool:
    """Whether the text, or what it stands for as a regular expression, is in the message."""
    return text in message or re.search(text, message) is not None


@pytest.mark.parametrize(
    ("texts", "flag", "value", "right"),
    MISTAKES,
    ids=[f"{flag}-{number}" for number, (_, flag, _, _) in enumerate(MISTAKES)],
)
def test_a_mistake_is_told_with_flag_value_and_what_is_right(
    texts: Texts, flag: str, value: str, right: str
) -> None:
    with pytest.raises(UsageError) as failure:
        run_options({**EXTERNAL, **texts})
    message = str(failure.value)
    assert re.match(f"--{flag}[ :]", message), message
    assert says(message, value) and says(message, right), message
    assert "\n" not in message and len(message) < 1000


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "--external ADDR.* is needed"),
        ({**EXTERNAL, "internal": ["192.168.0.0/16"]}, "--internal: 65,536 addresses"),
        ({**EXTERNAL, **LAN, "port-block": "253"}, "--port-block: 253 .* Right is 1..252"),
        ({"external": ["2001:db8::1"], **LAN}, "--deterministic: at least one IPv4 external"),
    ],
)
def test_who_asks_for_deterministic_ports_is_told_his_mistakes(texts: Texts, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        deterministic(texts)


def test_a_forward_of_a_low_port_needs_no_word_about_ports() -> None:
    """The default set spares the ports below 1024 for the programs of the router itself."""
    assert settings(forward=["tcp:80=192.168.1.10"]).forwards
    assert settings(forward=["tcp:80=192.168.1.10"], ports="1-65535").forwards


def test_overlapping_forwards_are_right_where_their_remotes_do_not_meet() -> None:
    rules = ["tcp:80=192.168.1.10@198.51.100.0/25", "tcp:80=192.168.1.11@198.51.100.128/25"]
    assert len(settings(forward=rules).forwards) == 2


def test_every_default_is_accepted_by_its_own_flag() -> None:
    read_flags(RUN_FLAGS, EXTERNAL)


def test_flags_have_keys_of_their_own_and_help() -> None:
    keys = [flag.key for flag in RUN_FLAGS]
    assert len(set(keys)) == len(keys)
    names = [flag.name for flag in RUN_FLAGS]
    assert len(set(names)) == len(names)
    assert all(flag.help and flag.name == f"--{flag.flag or flag.key}" for flag in RUN_FLAGS)
    assert all((flag.metavar == "") == flag.switch for flag in RUN_FLAGS)


def flag(key: str) -> Any:
    return next(flag for flag in NAT_FLAGS if flag.key == key)


def test_the_help_names_every_timeout_class_and_default() -> None:
    for text in (
        *("tcp-established (7440)", "tcp-opening (240)", "tcp-closing (240)", "udp (300)"),
        *("icmp (60)", "other (600)", "rest (120)", "fragments (15)"),
    ):
        assert text in flag("timeout").help


def test_the_help_names_every_limit_and_default() -> None:
    for text in (
        *("mappings (262144)", "sessions (262144)", "inbound-sessions (65536)"),
        *("unanswered-sessions (1024)", "host-mappings (0)", "host-sessions (0)", "host-rate (0)"),
        *("fragments (1024)", "icmp-errors (100)"),
    ):
        assert text in flag("limit").help


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("nat", "port-restricted-cone"),
        ("ports", "1024-65535"),
        ("pooling", "paired"),
        ("blocks-per-host", "4"),
        ("unsolicited-syn", "icmp"),
        ("no-resources", "prohibited"),
        ("device", "ratsnake"),
    ],
)
def test_a_default_is_told_as_it_is(key: str, default: str) -> None:
    (found,) = (flag for flag in RUN_FLAGS if flag.key == key)
    assert found.default == default
    assert f"(default: {default})" in found.help


def test_an_ipv6_address_alone_will_do_with_an_ipv6_inside() -> None:
    made = settings(external=["2001:db8::1"], internal=["2001:db8:1::/64"])
    assert made.addresses == (IPv6Address("2001:db8::1"),)
    with pytest.raises(UsageError, match="--external: 2001:db8::1 serves IPv6 hosts, but no"):
        settings(external=["2001:db8::1"])
