"""Port pools against sets: taking, giving back, resting, and each way to find an unused port."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

NONE32 = 0xFFFFFFFF
M64 = (1 << 64) - 1
SIZE = 4096 + 512 + 64 + 3  # of everything that is counted together, more than one
# Positions at the edges of words, sections and groups.
EDGES = (0, 1, 63, 64, 511, 512, 4095, 4096, 4097, 4607, 4608, 4671, 4672, SIZE - 1)
BEFORE = 100
RINGS = 4


def pools(engine: Engine, size: int = SIZE, shared: bool = False) -> Any:
    """Pool 0 has BEFORE ports, pool 1 `size`, pool 2 none."""
    modules = engine.modules
    ranges = (((100, 99 + BEFORE),), ((1, size),) if size else (), ())
    return modules["nat.allocation.port_pools"].PortPools(
        modules["nat.allocation.port_positions"].Positions(ranges, (False,) * 3),
        ({1} if shared else {0},) * 3,
        RINGS,
        modules["nat.tables.random_generator"].Generator(1, 2),
    )


def next_of(positions: Iterable[int], start: int) -> int:
    """The first from `start` upward, going round."""
    every = sorted(positions)
    return next((at for at in every if at >= start), every[0] if every else NONE32)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "give", "rest", "wait", "oldest", "wake"]),
        st.sampled_from(EDGES),
        st.integers(1, 50),
    ),
    max_size=80,
)
WINDOWS = st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES))


@examples(100)
@given(steps=STEPS, window=WINDOWS, filled=st.booleans())
def test_pools_answer_like_sets_of_ports(
    engine: Engine, steps: list[tuple[str, int, int]], window: tuple[int, int], filled: bool
) -> None:
    """`filled`: all ports but those of the steps are taken."""
    pool, now = pools(engine), 0
    used = set(range(SIZE)) - set(EDGES) if filled else set()
    for at in used:
        pool.take(1, at)
    resting: OrderedDict[int, int] = OrderedDict()
    begin, end = min(window), max(window) + 1
    for step, at, time in steps:
        if step == "take" and at not in resting and at not in used:
            pool.take(1, at)
            used.add(at)
        elif step in ("give", "rest") and at in used:
            used.remove(at)
            if step == "give":
                pool.give(1, at)
            else:
                resting[at] = now + 50
                pool.rest(1, at, 2, now + 50)
        elif step == "oldest":
            assert pool.wake_oldest(1, 2) == bool(resting)
            if resting:
                resting.popitem(last=False)
        elif step == "wake":
            pool.wake_port(1, 2, at, now)
            if resting.get(at, now + 1) <= now:
                del resting[at]
        elif step == "wait":
            now += time
            pool.wake(1, 2, now)
            for rested in [p for p, until in resting.items() if until <= now]:
                del resting[rested]
        unused = set(range(SIZE)) - used - set(resting)
        assert all(pool.is_unused(1, p) == (p in unused) for p in EDGES)
        assert all(pool.is_used(1, p) == (p in used) for p in EDGES)
        assert all(pool.rests(1, p) == (p in resting) for p in EDGES)
        assert (pool.used_ports(1), pool.unused_ports(1)) == (len(used), len(unused))
        assert pool.first_waking(1, 2) == next(iter(resting.values()), M64)
        fitting = {p for p in unused if begin <= p < end}
        for start in {begin, end - 1, min(max(64, begin), end - 1)}:
            assert pool.next_unused(1, start, begin, end) == next_of(fitting, start)
        random = pool.random_unused(1, begin, end)
        assert random in fitting if fitting else random == NONE32
    assert (pool.used_ports(0), pool.unused_ports(0)) == (0, BEFORE)
    assert pool.first_waking(1, 1) == M64


def test_a_pool_may_have_no_ports(engine: Engine) -> None:
    pool = pools(engine)
    assert (pool.unused_ports(2), pool.used_ports(2)) == (0, 0)


def test_all_65535_ports_may_be_taken(engine: Engine) -> None:
    pool = pools(engine, 65535)
    for at in range(65535):
        if at != 40_000:
            pool.take(1, at)
    assert pool.unused_ports(1) == 1
    assert pool.random_unused(1, 0, 65535) == 40_000
    assert pool.next_unused(1, 40_001, 0, 65535) == 40_000
    assert pool.random_unused(1, 0, 40_000) == pool.next_unused(1, 5, 0, 40_000) == NONE32
    pool.take(1, 40_000)
    assert pool.random_unused(1, 0, 65535) == pool.next_unused(1, 0, 0, 65535) == NONE32


@pytest.mark.parametrize("last", [0, 63, 4095, 4096, SIZE - 1])
def test_the_last_unused_port_is_found_in_every_way(engine: Engine, last: int) -> None:
    pool = pools(engine)
    for at in range(SIZE):
        if at != last:
            pool.take(1, at)
    assert pool.random_unused(1, 0, SIZE) == last
    assert pool.random_unused(1, last, last + 1) == last
    assert {pool.next_unused(1, start, 0, SIZE) for start in range(0, SIZE, 61)} == {last}
    pool.take(1, last)
    assert pool.random_unused(1, 0, SIZE) == pool.next_unused(1, 0, 0, SIZE) == NONE32
    pool.give(1, last)
    assert pool.random_unused(1, 0, SIZE) == last


def test_a_shared_port_is_used_until_its_last_mapping_ends(engine: Engine) -> None:
    pool = pools(engine, shared=True)
    for _ in range(3):
        pool.take(1, 7)
    for left in (2, 1, 0):
        pool.give(1, 7)
        assert (pool.used_ports(1), pool.is_used(1, 7)) == (int(left > 0), left > 0)
    assert pool.unused_ports(1) == SIZE


def test_a_port_that_rests_is_neither_used_nor_unused_until_its_time(engine: Engine) -> None:
    pool = pools(engine, 1)
    pool.take(1, 0)
    pool.rest(1, 0, 3, 2000)
    assert (pool.used_ports(1), pool.is_unused(1, 0), pool.is_used(1, 0)) == (0, False, False)
    assert pool.random_unused(1, 0, 1) == NONE32
    pool.wake(1, 3, 1999)
    assert not pool.is_unused(1, 0)
    pool.wake(1, 3, 2000)
    assert pool.is_unused(1, 0)
    assert pool.random_unused(1, 0, 1) == 0


def test_each_ring_has_its_own_resting_ports(engine: Engine) -> None:
    """What a flow cannot have it does not wake."""
    pool = pools(engine)
    for at, ring in ((5, 0), (6, 1), (7, 0)):
        pool.take(1, at)
        pool.rest(1, at, ring, 1000 + at)
    assert (pool.first_waking(1, 0), pool.first_waking(1, 1)) == (1005, 1006)
    pool.wake(1, 0, 5000)
    assert [pool.is_unused(1, at) for at in (5, 6, 7)] == [True, False, True]
    assert pool.wake_oldest(1, 1)
    assert pool.is_unused(1, 6)
    assert not pool.wake_oldest(1, 1)


def test_of_many_ports_whose_time_has_come_each_call_wakes_some(engine: Engine) -> None:
    """So that no packet waits for all; any that is asked for is awake."""
    pool = pools(engine)
    for at in range(100):
        pool.take(1, at)
        pool.rest(1, at, 0, 1000)
    left = []
    while pool.unused_ports(1) < SIZE:
        pool.wake(1, 0, 1000)
        left.append(SIZE - pool.unused_ports(1))
        pool.wake_port(1, 0, 99, 1000)
        assert pool.is_unused(1, 99)
    assert left == [68, 35, 3, 0]


def test_random_ports_are_uniform_over_the_unused(engine: Engine) -> None:
    """Chi squared of 19 degrees of freedom: below 43.8 in 999 of 1000 cases.

    With few taken and with many, for these are drawn in two ways.
    """
    for filled in (False, True):
        pool = pools(engine)
        unused = {*range(60, 70), *range(4090, 4100)}
        for at in range(SIZE):
            if at not in unused and (filled or at in range(55, 75) or at in range(4085, 4105)):
                pool.take(1, at)
        found: Counter[int] = Counter()
        for _ in range(2000):
            found[pool.random_unused(1, 55, 75)] += 1
            found[pool.random_unused(1, 4085, 4105)] += 1
        assert set(found) == unused
        assert sum((n - 200) ** 2 / 200 for n in found.values()) < 43.8


def test_all_ports_can_be_taken_one_by_one_at_random(engine: Engine) -> None:
    pool = pools(engine)
    taken = []
    for _ in range(SIZE):
        taken.append(pool.random_unused(1, 0, SIZE))
        pool.take(1, taken[-1])
    assert sorted(taken) == list(range(SIZE))
    assert pool.random_unused(1, 0, SIZE) == NONE32
