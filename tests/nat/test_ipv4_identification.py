"""Identifications of IPv4 packets that leave (RFC 6864 section 5.3.1, RFC 7857 section 10)."""

import struct

import pytest

from support import judge
from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2
from support.dual import Dual, far
from support.families import (
    DONT_FRAGMENT,
    PORTLESS,
    PROTOCOLS,
    V4,
    addresses,
    answer,
    error,
    opening,
    packet,
    udp,
)
from support.flavours import Engine
from support.pieces import identification_of

ALL = 65536
MAY_FRAGMENT = 0
KEYS = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
HOST = (INSIDE, 4000)


def numbered(whole: bytearray, identification: int, field: int) -> bytearray:
    """A copy with that identification and those flags."""
    ends = addresses(whole)
    return packet(*ends, whole[9], whole[20:], field=field, identification=identification)


def leaving(bench: Dual, whole: bytearray) -> int:
    """The identification with which a packet leaves; its header's checksum must be right."""
    bench.passes(whole)
    assert judge.is_right(bench.packet)
    return identification_of(bench.packet)


@pytest.mark.parametrize("protocol", PROTOCOLS + PORTLESS)
def test_what_may_be_fragmented_is_numbered_anew(engine: Engine, protocol: str) -> None:
    """Two hosts count alike, and their packets have one source outside."""
    bench = Dual(engine)
    numbers = []
    for k in range(50):
        for host, remote in ((INSIDE, R1), (OTHER, R2)):
            sent = opening(protocol, (host, 4000), far(protocol, remote))
            numbers.append(leaving(bench, numbered(sent, k, MAY_FRAGMENT)))
            assert struct.unpack_from("!H", bench.packet, 6)[0] == MAY_FRAGMENT
    assert len(set(numbers)) == 100
    assert numbers != sorted(numbers)


@pytest.mark.parametrize("protocol", PROTOCOLS + PORTLESS)
def test_what_must_not_be_fragmented_keeps_its_number(engine: Engine, protocol: str) -> None:
    bench = Dual(engine)
    sent = opening(protocol, HOST, far(protocol, R1))
    for identification in (0, 1, 7, 0x8000, 0xFFFF):
        assert leaving(bench, numbered(sent, identification, DONT_FRAGMENT)) == identification
        assert struct.unpack_from("!H", bench.packet, 6)[0] == DONT_FRAGMENT


@pytest.mark.parametrize("field", [MAY_FRAGMENT, DONT_FRAGMENT])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_comes_in_keeps_its_number(engine: Engine, protocol: str, field: int) -> None:
    """Its source stays, and numbers it by itself."""
    bench = Dual(engine)
    external = bench.open(protocol, HOST, far(protocol, R1))
    for identification in (0, 5, 0xFFFF):
        reply = answer(protocol, far(protocol, R1), external)
        assert leaving(bench, numbered(reply, identification, field)) == identification


def test_hairpinned_packets_are_numbered_anew(engine: Engine) -> None:
    bench = Dual(engine, "full-cone")
    called = bench.open("udp", (V4.lan_router, 5000), (R1, 80))
    numbers = [
        leaving(bench, numbered(udp((host, 4000), called), k, MAY_FRAGMENT))
        for k in range(50)
        for host in (INSIDE, OTHER)
    ]
    assert len(set(numbers)) == 100


def test_errors_that_may_be_fragmented_are_numbered_anew(engine: Engine) -> None:
    """They leave from the external address like all else."""
    bench = Dual(engine)
    external = bench.open("udp", HOST, (R1, 80))
    bench.passes(udp((R1, 80), external))
    about = bytes(bench.packet)
    numbers = [
        leaving(bench, numbered(error(host, R1, about, 3, 3), k, MAY_FRAGMENT))
        for k in range(20)
        for host in (INSIDE, V4.lan_router)
    ]
    assert len(set(numbers)) == 40
    assert leaving(bench, error(INSIDE, R1, about, 3, 3)) == 7


def test_no_number_comes_again_before_all_others(engine: Engine) -> None:
    modules = engine.modules
    numbers = modules["nat.packets.ipv4_identification"].Identifications(
        modules["nat.tables.random_generator"].Generator(*KEYS)
    )
    first = [numbers.next() for _ in range(ALL)]
    assert sorted(first) == list(range(ALL))
    assert [numbers.next() for _ in range(ALL)] == first


def test_the_order_depends_on_the_secret_and_shows_no_count(engine: Engine) -> None:
    modules = engine.modules
    orders = []
    for keys in (KEYS, KEYS[::-1]):
        numbers = modules["nat.packets.ipv4_identification"].Identifications(
            modules["nat.tables.random_generator"].Generator(*keys)
        )
        orders.append([numbers.next() for _ in range(1000)])
    assert orders[0] != orders[1]
    for order in orders:
        steps = {(b - a) % ALL for a, b in zip(order, order[1:], strict=False)}
        assert len(steps) > 900


def test_packets_of_a_whole_nat_have_no_number_twice(engine: Engine) -> None:
    bench = Dual(engine)
    sent = [numbered(udp((INSIDE, port), (R1, 80)), 1, MAY_FRAGMENT) for port in (1, 2, 3)]
    numbers = set()
    for k in range(3000):
        bench.passes(sent[k % 3])
        numbers.add(identification_of(bench.packet))
    assert len(numbers) == 3000
    assert bench.seen().source[0] == EXTERNAL
