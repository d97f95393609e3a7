"""Ports in use toward a remote and by an endpoint against sets: full words and groups too."""

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine, load
from support.properties import examples

NONE32 = 0xFFFFFFFF
WORDS = tuple(0x9E3779B97F4A7C15 * n % (1 << 64) for n in range(1, 9))
SIZE = 3 * 4096 + 100
# Runs of positions that are taken or given back as a whole: words and groups fill and empty.
ENDS = st.sampled_from(
    [0, 1, 63, 64, 65, 128, 4032, 4095, 4096, 4097, 8192, 12287, 12288, SIZE - 1, SIZE]
)
RUNS = st.lists(st.tuples(ENDS, ENDS, st.booleans()), max_size=6)
EDGES = (0, 1, 63, 64, 100, 4095, 4096, 8191, 8192, 12288, SIZE - 1)
POOL, ENDPOINT = 3, 7
REMOTE = (1, 2, 443)


def made(engine: Engine, capacity: int = 4096, levels: Collection[int] = (1,)) -> Any:
    modules = engine.modules
    counters = modules["nat.allocation.counter_table"].CounterTable(
        capacity, modules["nat.tables.hash_secret"].Secret(WORDS)
    )
    positions = modules["nat.allocation.port_positions"].Positions(
        (((1, SIZE),),) * (POOL + 1), (False,) * (POOL + 1)
    )
    generator = modules["nat.tables.random_generator"].Generator(1, 2)
    pools = modules["nat.allocation.port_pools"].PortPools(
        positions, (levels,) * (POOL + 1), 1, generator
    )
    return modules["nat.allocation.port_overloading"].PortConflicts(counters, pools)


def next_of(taken: set[int], start: int, begin: int, end: int) -> int:
    round_from = (*range(start, end), *range(begin, start))
    return next((position for position in round_from if position not in taken), NONE32)


def change(ports: Any, taken: set[int], runs: list[tuple[int, int, bool]]) -> None:
    """Take or give back runs of what is looked at."""
    for first, end, takes in runs:
        for position in range(first, end):
            if takes and position not in taken:
                ports.enter(position)
                taken.add(position)
            elif not takes and position in taken:
                ports.leave(position)
                taken.remove(position)


@examples(25)
@given(toward=RUNS, by=RUNS, window=st.tuples(ENDS, ENDS), start=ENDS)
def test_the_next_free_port_is_in_neither_set(
    engine: Engine,
    toward: list[tuple[int, int, bool]],
    by: list[tuple[int, int, bool]],
    window: tuple[int, int],
    start: int,
) -> None:
    ports = made(engine)
    remote: set[int] = set()
    ports.look(POOL, *REMOTE, 0)
    change(ports, remote, toward)
    # The endpoint has its ports toward another remote.
    ports.look(POOL, 9, 9, 9, ENDPOINT)
    own: set[int] = set()
    change(ports, own, by)
    begin, end = min(window), max(window)
    if begin == end:
        begin, end = 0, SIZE
    start = min(max(start, begin), end - 1)
    for endpoint, taken in ((0, remote), (ENDPOINT, remote | own)):
        ports.look(POOL, *REMOTE, endpoint)
        assert ports.next_free(start, begin, end) == next_of(taken, start, begin, end)
        assert [ports.is_free(at) for at in EDGES] == [at not in taken for at in EDGES]


def test_sets_of_other_remotes_pools_and_endpoints_are_apart(engine: Engine) -> None:
    ports = made(engine)
    ports.look(POOL, *REMOTE, ENDPOINT)
    ports.enter(64)
    for pool, remote, endpoint, free in (
        (POOL, REMOTE, 0, False),
        (POOL, (9, 9, 9), ENDPOINT, False),
        (POOL, (9, 9, 9), 0, True),
        (POOL, (9, 9, 9), ENDPOINT + 1, True),
        (POOL, (1, 2, 444), 0, True),
        (POOL + 1, REMOTE, ENDPOINT, True),
    ):
        ports.look(pool, *remote, endpoint)
        assert ports.is_free(64) == free


@pytest.mark.parametrize("size", [1, 64, 65, 4096, SIZE])
def test_what_was_taken_and_given_back_leaves_nothing(size: int) -> None:
    """On the source, where the counter table's index can be seen."""
    ports = made(load("interpreted"))
    ports.look(POOL, *REMOTE, ENDPOINT)
    for position in range(size):
        ports.enter(position)
    assert ports.next_free(0, 0, size) == NONE32
    for position in range(size):
        ports.leave(position)
    assert ports.next_free(0, 0, size) == 0
    assert not any(ports.counters.index.slots)


@pytest.mark.parametrize("spread", [True, False])
def test_mappings_need_no_more_rows_than_there_is_room_for(spread: bool) -> None:
    """Each toward a remote of its own, by an endpoint of its own; or all alike."""
    engine = load("interpreted")
    needed = engine.modules["nat.allocation.port_overloading"].rows_needed
    ports = made(engine, needed(SIZE))
    for position in range(SIZE):
        ports.look(POOL, 1, position if spread else 0, 443, 1 + position if spread else 1)
        ports.enter(position)
    assert sum(map(bool, ports.counters.index.slots)) <= needed(SIZE)


@pytest.mark.parametrize("endpoint", [0, ENDPOINT])
def test_the_last_free_port_takes_as_few_looks_as_the_first(endpoint: int) -> None:
    """On the source, where calls can be counted."""
    ports = made(load("interpreted"), 1 << 17)
    ports.look(POOL, *REMOTE, endpoint)
    get, looks = ports.counters.get, []
    ports.counters.get = lambda *key: looks.append(key) or get(*key)
    for position in range(65000):
        if position != 40000:
            ports.enter(position)
    assert ports.next_free(40001, 0, 65000) == 40000
    ports.enter(40000)
    assert ports.next_free(40001, 0, 65000) == NONE32
    assert len(looks) < 40
