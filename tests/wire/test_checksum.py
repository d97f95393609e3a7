"""The incremental checksum against a full one, and the bytes of big-endian fields."""

import random
import struct

import pytest

from support.flavours import Engine, load
from support.packets import checksum

EDGES = (0, 1, 2, 0x7FFF, 0x8000, 0xFF00, 0x00FF, 0xFFFE, 0xFFFF)


@pytest.fixture
def engine() -> Engine:
    """checksum.py and byte_order.py are the interpreted twins; the compiled ones are inlined into
    the engine, whose packets test_header_rewrite.py checks."""
    return load("interpreted")


def words(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}H", *values)


def test_one_changed_word_gives_the_checksum_of_a_full_computation(engine: Engine) -> None:
    wire = engine.modules["wire.checksum"]
    for old in EDGES:
        for new in EDGES:
            for rest in EDGES[1:]:
                before, after = checksum(words(old, rest)), checksum(words(new, rest))
                adjusted = wire.adjust(before, wire.difference16(old, new))
                assert adjusted % 0xFFFF == after % 0xFFFF
                assert adjusted == after or {old, rest} & {0xFFFF} or {new, rest} & {0xFFFF}


def test_changed_addresses_give_the_checksum_of_a_full_computation(engine: Engine) -> None:
    wire = engine.modules["wire.checksum"]
    chance = random.Random(1)
    for _ in range(3000):
        old, new = chance.getrandbits(32), chance.getrandbits(32)
        rest = chance.getrandbits(16) | 1
        before = checksum(struct.pack("!IH", old, rest))
        after = checksum(struct.pack("!IH", new, rest))
        assert wire.adjust(before, wire.difference32(old, new)) == after


def test_the_complement_of_a_difference_undoes_it(engine: Engine) -> None:
    wire = engine.modules["wire.checksum"]
    chance = random.Random(2)
    for _ in range(3000):
        check, difference = chance.randrange(1, 0xFFFF), chance.randrange(1, 0xFFFF)
        there = wire.adjust(check, difference)
        assert wire.adjust(there, difference ^ 0xFFFF) == check


def test_two_differences_may_be_worked_in_at_once(engine: Engine) -> None:
    wire = engine.modules["wire.checksum"]
    for check in EDGES:
        for first in EDGES:
            for second in EDGES:
                once = wire.adjust(check, first + second)
                twice = wire.adjust(wire.adjust(check, first), second)
                assert once % 0xFFFF == twice % 0xFFFF
                assert 0 <= once <= 0xFFFF


def test_swap16_writes_the_field_and_tells_the_difference(engine: Engine) -> None:
    wire = engine.modules["wire.checksum"]
    field = bytearray(words(0x1234, 0xABCD, 0x5678))
    before = checksum(field)
    difference = wire.swap16(field, 2, 0x0F0E)
    assert field == words(0x1234, 0x0F0E, 0x5678)
    assert wire.adjust(before, difference) == checksum(field)


def test_fields_are_big_endian_and_keep_to_themselves(engine: Engine) -> None:
    octets = engine.modules["wire.byte_order"]
    field = bytearray(range(8))
    assert octets.be16(field, 1) == 0x0102
    assert octets.be32(field, 2) == 0x02030405
    assert octets.be64(field, 0) == 0x0001020304050607
    octets.put16(field, 1, 0xFFFE)
    octets.put32(field, 3, 0x89ABCDEF)
    assert field == bytes.fromhex("00fffe89abcdef07")
    octets.put64(field, 0, 0xF0E1D2C3B4A59687)
    assert field == bytes.fromhex("f0e1d2c3b4a59687")
