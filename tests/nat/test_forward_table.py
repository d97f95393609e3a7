"""Compiled forwards against a list of them that is searched from its start."""

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratsnake.nat.settings.interval_sweep import Address, number
from ratsnake.nat.settings.static_forward import ALL_PROTOCOLS, Forward, resolve
from ratsnake.nat.settings.static_forward_text import parse_forward, parse_one_to_one
from support.flavours import Engine
from support.properties import examples

EXTERNALS = tuple(map(ip_address, ("203.0.113.1", "203.0.113.2", "2001:db8::1")))
HOST = "192.168.1.10"
NOBODY, SOMEBODY = "198.51.100.1", "192.0.2.1"
TCP, UDP, ICMP, OTHER = 0, 1, 2, 6
M64 = (1 << 64) - 1


def read(text: str) -> Forward:
    return parse_forward(text) if text[0].isalpha() else parse_one_to_one(text)


class Rules:
    """Forwards by their texts, with addresses as text."""

    def __init__(self, engine: Engine, texts: Sequence[str]) -> None:
        self.forwards = [resolve(read(text), EXTERNALS) for text in texts]
        self.engine: Any = engine.modules["nat.settings.forward_table"].Forwards(
            self.forwards, EXTERNALS
        )

    def inbound(self, protocol: int, external: int, port: int, remote: str = NOBODY) -> int:
        value = number(ip_address(remote))
        return int(self.engine.inbound(protocol, external, port, value >> 64, value & M64))

    def outbound(self, protocol: int, host: str, port: int, remote: str = NOBODY) -> int:
        value, inside = number(ip_address(remote)), number(ip_address(host))
        place = (inside >> 64, inside & M64, port)
        return int(self.engine.outbound(protocol, *place, value >> 64, value & M64))

    def internal(self, row: int) -> int:
        return int(self.engine.internal_high(row)) << 64 | int(self.engine.internal_low(row))


def fits(forward: Forward, protocol: int, remote: Address) -> bool:
    return ALL_PROTOCOLS[protocol] in forward.protocols and (
        not forward.remotes or any(remote in prefix for prefix in forward.remotes)
    )


def test_no_forwards_answer_none(engine: Engine) -> None:
    rules = Rules(engine, ())
    assert rules.engine.count == 0
    assert rules.inbound(TCP, 0, 0) == rules.outbound(TCP, HOST, 0) == 0
    assert not rules.engine.claims(TCP, 0, 80)
    assert list(rules.engine.reserved()) == []


def test_a_range_leads_port_by_port_and_back(engine: Engine) -> None:
    rules = Rules(engine, ["udp:1=192.168.1.9", "tcp:203.0.113.2:5000-5010=192.168.1.10:6000"])
    for port in range(4998, 5013):
        row = 2 if 5000 <= port <= 5010 else 0
        assert rules.inbound(TCP, 1, port) == rules.outbound(TCP, HOST, port + 1000) == row
        assert rules.engine.claims(TCP, 1, port) == bool(row)
        if row:
            assert rules.engine.internal_port(row, port) == port + 1000
            assert rules.engine.external_port(row, port + 1000) == port
    assert rules.inbound(UDP, 1, 5000) == rules.inbound(TCP, 0, 5000) == 0
    assert rules.outbound(UDP, HOST, 6000) == rules.outbound(TCP, "192.168.1.9", 6000) == 0
    assert rules.engine.external_of(2) == 1
    assert rules.internal(2) == number(ip_address(HOST))
    assert rules.engine.count == 2


@pytest.mark.parametrize("first", [1, 40000, 65535])
def test_ports_at_both_ends(engine: Engine, first: int) -> None:
    """Forwards to lower ports, to higher ones, and beside one whose range is as far to the end."""
    last_inside = 1 + 65535 - first
    rules = Rules(engine, [f"tcp:{first}-65535={HOST}:1", f"udp:1-{last_inside}={HOST}:{first}"])
    assert [rules.inbound(TCP, 0, port) for port in (first - 1, first, 65535)] == [0, 1, 1]
    assert [rules.inbound(UDP, 0, port) for port in (0, 1, last_inside)] == [0, 2, 2]
    assert [rules.outbound(TCP, HOST, port) for port in (0, 1, last_inside)] == [0, 1, 1]
    assert [rules.outbound(UDP, HOST, port) for port in (first - 1, first, 65535)] == [0, 2, 2]
    assert rules.engine.internal_port(1, 65535) == last_inside
    assert rules.engine.external_port(2, 65535) == last_inside


def test_remotes_choose_among_forwards_of_one_port(engine: Engine) -> None:
    rules = Rules(
        engine,
        [
            "tcp:22=192.168.1.10@198.51.100.0/24,203.0.113.7",
            "tcp:22=192.168.1.11@198.51.101.0/24",
            "tcp:20-30=192.168.1.12@192.0.2.0/24",
        ],
    )
    answers = {
        "198.51.99.255": 0,
        "198.51.100.0": 1,
        "198.51.100.255": 1,
        "198.51.101.0": 2,
        "198.51.102.0": 0,
        "203.0.113.6": 0,
        "203.0.113.7": 1,
        "203.0.113.8": 0,
        "192.0.2.0": 3,
    }
    assert {remote: rules.inbound(TCP, 0, 22, remote) for remote in answers} == answers
    assert rules.inbound(TCP, 0, 21, SOMEBODY) == rules.inbound(TCP, 0, 30, SOMEBODY) == 3
    assert rules.inbound(TCP, 0, 21, "198.51.100.1") == 0
    assert rules.engine.claims(TCP, 0, 22) and rules.engine.claims(TCP, 0, 23)
    assert rules.outbound(TCP, "192.168.1.10", 22, "203.0.113.7") == 1
    assert rules.outbound(TCP, "192.168.1.10", 22, "203.0.113.8") == 0


def test_of_two_ways_out_the_first_that_is_open_to_the_remote_is_taken(engine: Engine) -> None:
    texts = ["tcp:8080=192.168.1.10:80@192.0.2.0/24", "tcp:81=192.168.1.10:80"]
    rules = Rules(engine, [*texts, "tcp:82=192.168.1.10:80"])
    assert rules.outbound(TCP, HOST, 80, SOMEBODY) == 1
    assert rules.outbound(TCP, HOST, 80, NOBODY) == 2
    rules = Rules(engine, ["tcp:82=192.168.1.10:80", *texts])
    assert rules.outbound(TCP, HOST, 80, SOMEBODY) == 1
    assert rules.engine.external_port(1, 80) == 82


def test_a_one_to_one_address_has_all_protocols_and_ports(engine: Engine) -> None:
    rules = Rules(engine, ["tcp:80=192.168.1.10", "203.0.113.2=192.168.1.10"])
    for protocol in range(len(ALL_PROTOCOLS)):
        for port in (0, 1, 47, 80, 65535):
            assert rules.inbound(protocol, 1, port) == 2
            assert rules.outbound(protocol, HOST, port) == (
                1 if (protocol, port) == (TCP, 80) else 2
            )
            assert rules.engine.internal_port(2, port) == port
            assert rules.engine.external_port(2, port) == port
            assert rules.engine.claims(protocol, 1, port)
    assert rules.outbound(OTHER, "192.168.1.11", 47) == rules.inbound(ICMP, 0, 7) == 0


def test_families_do_not_meet(engine: Engine) -> None:
    """An IPv4 address is not the IPv6 address with the same low half."""
    rules = Rules(engine, ["tcp:80=[2001:db8:1::5]", "tcp:80=192.168.1.10"])
    assert rules.inbound(TCP, 2, 80, "2001:db8::99") == 1
    assert rules.inbound(TCP, 0, 80, SOMEBODY) == 2
    assert rules.outbound(TCP, "2001:db8:1::5", 80, "2001:db8::99") == 1
    assert rules.outbound(TCP, "::ffff:c0a8:10a", 80, SOMEBODY) == 2
    assert rules.outbound(TCP, "2001:db8::ffff:c0a8:10a", 80, "2001:db8::99") == 0
    assert rules.internal(1) == int(ip_address("2001:db8:1::5"))
    assert rules.engine.external_of(1) == 2


def test_remote_prefixes_reach_to_the_end_of_the_addresses(engine: Engine) -> None:
    everybody = Rules(engine, ["tcp:80=192.168.1.10@0.0.0.0/0", "tcp:80=[2001:db8:1::5]@::/0"])
    assert everybody.inbound(TCP, 0, 80, "255.255.255.255") == 1
    assert everybody.inbound(TCP, 2, 80, "ffff:" * 7 + "ffff") == 2
    top = Rules(engine, ["tcp:80=[2001:db8:1::5]@ffff::/16"])
    assert top.inbound(TCP, 2, 80, "ffff:" * 7 + "ffff") == 1
    assert top.inbound(TCP, 2, 80, "fffe:" + "ffff:" * 6 + "ffff") == 0


def test_what_pools_must_leave_alone(engine: Engine) -> None:
    rules = Rules(
        engine,
        [
            "tcp+udp:5000-5010=192.168.1.10",
            "tcp:22=192.168.1.10@198.51.100.0/24",
            "tcp:20-22=192.168.1.11@192.0.2.0/24",
            "203.0.113.2=192.168.1.10",
            "dccp:65535=[2001:db8:1::5]",
        ],
    )
    reserved = list(rules.engine.reserved())
    ports = [
        (protocol, external, port)
        for protocol, external, first, last in reserved
        for port in range(first, last + 1)
    ]
    assert len(set(ports)) == len(ports)
    assert {port for protocol, external, port in ports if (protocol, external) == (TCP, 0)} == {
        *(20, 21, 22),
        *range(5000, 5011),
    }
    assert (UDP, 0, 5000, 5010) in reserved
    assert [span for span in reserved if span[1] == 1] == [
        (protocol, 1, 0, 65535) for protocol in range(len(ALL_PROTOCOLS))
    ]
    assert reserved[-1] == (4, 2, 65535, 65535)


PORTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 65533, 65534, 65535)
REMOTES = ("192.0.2.0", "192.0.2.127", "192.0.2.128", "198.51.100.7", "198.51.100.8")
REMOTES_V6 = ("2001:db8:2::", "2001:db8:2::1", "2001:db8:3::", "2001:db8:2:ffff::")
HOSTS, HOSTS_V6 = ("192.168.1.10", "192.168.1.11"), ("2001:db8:1::5",)
PREFIXES = ("192.0.2.0/25", "192.0.2.128/25", "192.0.2.0/24", "198.51.100.7", "0.0.0.0/0")
PREFIXES_V6 = ("2001:db8:2::/64", "2001:db8:2::1", "2001:db8:2::/48", "2001:db8:2::/47", "::/0")


@st.composite
def texts(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(("203.0.113.2=192.168.1.10", "2001:db8::1=2001:db8:1::5")))
    v6 = draw(st.booleans())
    protocols = draw(st.sampled_from(("tcp", "udp", "tcp+udp", "sctp")))
    external = "" if v6 else draw(st.sampled_from(("", "203.0.113.2:")))
    first, inside = draw(st.integers(1, 5)), draw(st.sampled_from((1, 2, 4, 65532)))
    last = first + draw(st.integers(0, 3))
    host = "[2001:db8:1::5]" if v6 else draw(st.sampled_from(HOSTS))
    remotes = draw(st.lists(st.sampled_from(PREFIXES_V6 if v6 else PREFIXES), max_size=2))
    at = "@" if remotes else ""
    return f"{protocols}:{external}{first}-{last}={host}:{inside}{at}{','.join(remotes)}"


@examples(80)
@given(given_texts=st.lists(texts(), max_size=6))
def test_forwards_answer_like_a_list(engine: Engine, given_texts: list[str]) -> None:
    """Whether or not they overlap: the first that fits is the answer."""
    rules = Rules(engine, given_texts)
    numbered = list(enumerate(rules.forwards, 1))
    claimed = set()
    for protocol in range(len(ALL_PROTOCOLS)):
        for port in PORTS:
            for external, address in enumerate(EXTERNALS):
                open_to = [
                    (row, forward)
                    for row, forward in numbered
                    if forward.external == address
                    and forward.first_port <= port <= forward.last_port
                ]
                claims = any(ALL_PROTOCOLS[protocol] in f.protocols for _, f in open_to)
                assert rules.engine.claims(protocol, external, port) == claims
                claimed |= {(protocol, external, port)} if claims else set()
                for remote in REMOTES if isinstance(address, IPv4Address) else REMOTES_V6:
                    who = ip_address(remote)
                    expected = [row for row, f in open_to if fits(f, protocol, who)]
                    answer = rules.inbound(protocol, external, port, remote)
                    assert answer == min(expected, default=0)
            for host in (*HOSTS, *HOSTS_V6):
                from_it = [
                    (row, forward)
                    for row, forward in numbered
                    if str(forward.internal) == host
                    and forward.internal_port <= port <= forward.last_internal_port
                ]
                for remote in REMOTES_V6 if host in HOSTS_V6 else REMOTES:
                    who = ip_address(remote)
                    expected = [row for row, f in from_it if fits(f, protocol, who)]
                    answer = rules.outbound(protocol, host, port, remote)
                    assert answer == min(expected, default=0)
    assert claimed == {
        (protocol, external, port)
        for protocol, external, first, last in rules.engine.reserved()
        for port in PORTS
        if first <= port <= last
    }


def test_a_thousand_forwards_are_told_apart(engine: Engine) -> None:
    """Ports of their own, one port for a remote each, and hosts one to one, side by side."""
    apart = [f"tcp:{port}=192.168.{port >> 8}.{port & 255}:80" for port in range(1000, 1400)]
    shared = [f"udp:53=192.168.1.{n}@198.51.100.{n}" for n in range(1, 201)]
    rules = Rules(engine, [*apart, *shared, "203.0.113.2=192.168.1.1"])
    for row, port in enumerate(range(1000, 1400), 1):
        assert rules.inbound(TCP, 0, port) == row
        assert rules.outbound(TCP, f"192.168.{port >> 8}.{port & 255}", 80) == row
    for n in range(1, 201):
        assert rules.inbound(UDP, 0, 53, f"198.51.100.{n}") == 400 + n
        assert rules.outbound(UDP, f"192.168.1.{n}", 53, f"198.51.100.{n}") == 400 + n
    assert rules.inbound(UDP, 0, 53, "198.51.100.201") == rules.inbound(TCP, 0, 1400) == 0
    assert rules.inbound(ICMP, 1, 1) == rules.outbound(ICMP, "192.168.1.1", 1) == 601
