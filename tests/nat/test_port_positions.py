"""Positions of ports against sorted lists: ports without gaps, even ones first where parity
matters."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

NONE32 = 0xFFFFFFFF
Ranges = tuple[tuple[int, int], ...]
# As on MAP-E lines: evenly spaced, of one size; then sets of which neither is true.
EVEN_SPACED = tuple((4096 * n + 0x340, 4096 * n + 0x34F) for n in range(1, 16))
SETS: tuple[Ranges, ...] = (
    ((1024, 65535),),
    ((1, 65535),),
    ((7, 7),),
    ((8, 8),),
    EVEN_SPACED,
    ((1, 1), (3, 3), (5, 5), (1024, 1030), (65535, 65535)),
    ((2, 2), (4, 4), (6, 9), (10000, 20000), (20002, 20002)),
    ((63, 64), (127, 128), (60000, 60001)),
    (),
)


def made(engine: Engine, *sets: Ranges, parity: bool = False) -> Any:
    positions = engine.modules["nat.allocation.port_positions"].Positions
    return positions(sets, [parity] * len(sets))


def halves(ranges: Ranges, parity: bool) -> list[list[int]]:
    ports = [port for first, last in ranges for port in range(first, last + 1)]
    if not parity:
        return [ports]
    return [[port for port in ports if port % 2 == half] for half in (0, 1)]


def check(engine: Engine, ranges: Ranges, parity: bool, asked: list[int]) -> None:
    # Between others, so that it must not look into theirs.
    positions = made(engine, EVEN_SPACED, ranges, SETS[5], parity=parity)
    parts = halves(ranges, parity)
    ordered = [port for part in parts for port in part]
    assert positions.size(1) == len(ordered)
    for port in asked:
        expected = ordered.index(port) if port in ordered else NONE32
        assert positions.position_of(1, port) == expected
        begin = 0
        for half, part in enumerate(parts):
            smaller = [other for other in part if other < port]
            assert positions.begin(1, half, port) == begin + len(smaller)
            assert positions.begin(1, half, 65536) == begin + len(part)
            begin += len(part)
        above = min((other for other in ordered if other >= port), default=NONE32)
        assert positions.from_port(1, port) == above
    for position in {0, 1, len(ordered) // 2, len(ordered) - 1, *range(0, len(ordered), 997)}:
        if 0 <= position < len(ordered):
            assert positions.port_at(1, position) == ordered[position]


def edges(ranges: Ranges) -> list[int]:
    near = {end + by for ends in ranges for end in ends for by in (-1, 0, 1)}
    return sorted(port for port in near | {0, 1, 1023, 1024, 65535} if 0 <= port <= 65535)


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("ranges", SETS)
def test_positions_are_those_in_a_sorted_list(engine: Engine, ranges: Ranges, parity: bool) -> None:
    check(engine, ranges, parity, edges(ranges))


def apart(ends: list[int]) -> Ranges:
    """Ranges that do not touch, from ends in any order."""
    ordered = sorted(set(ends))
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    return tuple((first + 1, last - 1) for first, last in pairs if last - first > 2)


@examples(100)
@given(
    ends=st.lists(st.integers(0, 300), max_size=24),
    parity=st.booleans(),
    asked=st.lists(st.integers(0, 320), max_size=20),
)
def test_any_set_has_its_positions(
    engine: Engine, ends: list[int], parity: bool, asked: list[int]
) -> None:
    ranges = apart(ends)
    check(engine, ranges, parity, asked + edges(ranges))


@pytest.mark.parametrize("parity", [False, True])
def test_every_port_has_a_position_of_its_own(engine: Engine, parity: bool) -> None:
    for ranges in (EVEN_SPACED, ((1024, 3071), (4000, 4000))):
        positions = made(engine, ranges, parity=parity)
        ports = [positions.port_at(0, position) for position in range(positions.size(0))]
        assert ports == [port for part in halves(ranges, parity) for port in part]
        assert [positions.position_of(0, port) for port in ports] == list(range(len(ports)))
