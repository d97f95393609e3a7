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
LOWEST, HIGHEST = 0, 65535
ANY, EVEN, ODD = 0, 1, 2
RANGES = ((1, 2), (63, 64), (127, 128), (5000, 5001), (65472, 65472), (65534, 65535))
PORTS = tuple(port for first, last in RANGES for port in range(first, last + 1))
OTHERS = ((100, 199),)
WINDOWS = st.sampled_from([(LOWEST, HIGHEST), (63, 5000), (64, 64), (128, 4999), (5001, 65535)])


def pools(engine: Engine, *ranges: Iterable[tuple[int, int]]) -> Any:
    """Pool 0 has the ranges given, or OTHERS; pool 1, if there is one, PORTS."""
    generator = engine.modules["nat.generator"].Generator(1, 2)
    made = engine.modules["nat.ports"].PortPools(ranges or (OTHERS, RANGES), generator)
    for pool in range(len(ranges or (OTHERS, RANGES))):
        made.prepare(pool)
    return made


def fits(port: int, first: int, last: int, parity: int) -> bool:
    return first <= port <= last and parity in (ANY, ODD if port % 2 else EVEN)


def next_of(ports: Iterable[int], start: int) -> int:
    """The first of `ports` from `start` upward, going round."""
    every = sorted(ports)
    return next((port for port in every if port >= start), every[0] if every else NONE32)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "give", "rest", "wait", "oldest"]),
        st.sampled_from(PORTS),
        st.integers(1, 50),
    ),
    max_size=80,
)


@examples(100)
@given(steps=STEPS, window=WINDOWS, parity=st.sampled_from([ANY, EVEN, ODD]))
def test_pools_answer_like_sets_of_ports(
    engine: Engine, steps: list[tuple[str, int, int]], window: tuple[int, int], parity: int
) -> None:
    pool, now = pools(engine), 0
    users: Counter[int] = Counter()
    resting: OrderedDict[int, int] = OrderedDict()
    for step, port, time in steps:
        if step == "take" and port not in resting:
            pool.take(1, port)
            users[port] += 1
        elif step in ("give", "rest") and users[port]:
            until = now + 50 if step == "rest" else 0
            pool.give(1, port, until)
            users[port] -= 1
            if until and not users[port]:
                resting[port] = until
        elif step == "oldest" and resting:
            pool.wake_oldest(1)
            resting.popitem(last=False)
        elif step == "wait":
            now += time
            pool.wake(1, now)
            for rested in [p for p, until in resting.items() if until <= now]:
                del resting[rested]
        unused = {port for port in PORTS if not users[port] and port not in resting}
        assert {port for port in PORTS if pool.is_unused(1, port)} == unused
        assert pool.used_ports(1) == len(+users)
        assert pool.users_of(1, port) == users[port]
        first, last = window
        fitting = {port for port in unused if fits(port, first, last, parity)}
        for start in {first, min(max(64, first), last), min(max(5001, first), last), last}:
            assert pool.next_unused(1, start, first, last, parity) == next_of(fitting, start)
        random = pool.random_unused(1)
        assert random in unused if unused else random == NONE32
    assert pool.used_ports(0) == 0
    assert pool.size(0) == 100


def test_only_permitted_ports_are_there(engine: Engine) -> None:
    pool = pools(engine)
    assert [port for port in range(65536) if pool.has(1, port)] == list(PORTS)
    assert [port for port in range(65536) if pool.has(0, port)] == list(range(100, 200))
    assert (pool.size(0), pool.size(1)) == (100, len(PORTS))


def test_a_pool_may_have_no_ports(engine: Engine) -> None:
    pool = pools(engine, (), RANGES)
    assert (pool.size(0), pool.used_ports(0)) == (0, 0)
    assert not any(pool.has(0, port) for port in range(65536))
    assert pool.random_unused(0) == NONE32
    assert pool.random_within(0, LOWEST, HIGHEST) == NONE32
    assert pool.next_unused(0, 7, LOWEST, HIGHEST, ANY) == NONE32
    assert pool.next_port(0, 7, LOWEST, HIGHEST, ANY) == NONE32


def test_a_pool_nobody_has_used_is_all_unused(engine: Engine) -> None:
    """Also before it is prepared, which is when its size is asked by who shows it."""
    generator = engine.modules["nat.generator"].Generator(1, 2)
    pool = engine.modules["nat.ports"].PortPools((RANGES,), generator)
    assert (pool.size(0), pool.used_ports(0), pool.users_of(0, 63)) == (len(PORTS), 0, 0)
    assert pool.has(0, 63) and pool.is_unused(0, 63)
    pool.take(0, 63)
    pool.prepare(0)
    assert (pool.used_ports(0), pool.users_of(0, 63)) == (1, 1)


def test_all_65536_ports_may_be_permitted_but_the_head_of_the_resting_is_none_of_them(
    engine: Engine,
) -> None:
    """Port 0 is nobody's external port (RFC 6335 section 6); an ICMP pool of protocol numbers has
    it, and never lets it rest."""
    pool = pools(engine, ((1, 65535),))
    assert pool.size(0) == 65535
    assert pool.next_port(0, 65535, LOWEST, HIGHEST, ANY) == 1


@pytest.mark.parametrize(
    ("window", "parity", "expected"),
    [
        ((LOWEST, HIGHEST), ANY, PORTS),
        ((LOWEST, HIGHEST), EVEN, (2, 64, 128, 5000, 65472, 65534)),
        ((LOWEST, HIGHEST), ODD, (1, 63, 127, 5001, 65535)),
        ((64, 5000), ANY, (64, 127, 128, 5000)),
        ((64, 5000), ODD, (127,)),
        ((65535, 65535), ANY, (65535,)),
        ((65535, 65535), EVEN, ()),
        ((129, 4999), ANY, ()),
    ],
)
def test_the_next_port_goes_round_over_the_permitted(
    engine: Engine, window: tuple[int, int], parity: int, expected: tuple[int, ...]
) -> None:
    pool = pools(engine)
    pool.take(1, 64)  # it does not matter who has a port
    following = [pool.next_port(1, port, *window, parity) for port in expected]
    assert following == [*expected[1:], *expected[:1]]
    assert pool.next_port(1, window[1], *window, parity) == (expected or (NONE32,))[0]


@pytest.mark.parametrize("last", [1, 64, 65535])
def test_the_last_unused_port_is_found_in_every_way(engine: Engine, last: int) -> None:
    pool = pools(engine)
    for port in PORTS:
        if port != last:
            pool.take(1, port)
    every = (LOWEST, HIGHEST, ANY)
    assert pool.random_unused(1) == last
    assert {pool.next_unused(1, start, *every) for start in range(0, 65536, 61)} == {last}
    pool.take(1, last)
    assert pool.random_unused(1) == pool.next_unused(1, 0, *every) == NONE32
    pool.give(1, last, 0)
    assert pool.random_unused(1) == last


def test_a_port_that_rests_is_neither_used_nor_unused_until_its_time(engine: Engine) -> None:
    pool = pools(engine, ((7, 7),))
    pool.take(0, 7)
    pool.take(0, 7)
    pool.give(0, 7, 1000)
    assert (pool.users_of(0, 7), pool.used_ports(0)) == (1, 1)  # another mapping has it still
    pool.give(0, 7, 2000)
    assert (pool.used_ports(0), pool.is_unused(0, 7), pool.random_unused(0)) == (0, False, NONE32)
    pool.wake(0, 1999)
    assert not pool.is_unused(0, 7)
    pool.wake(0, 2000)
    assert pool.is_unused(0, 7)
    assert pool.random_unused(0) == 7


def test_random_ports_are_roughly_uniform_over_the_unused_and_over_all(engine: Engine) -> None:
    """Chi squared of 7 and 10 degrees of freedom: below 24.3 and 29.6 in 999 of 1000 cases."""
    pool = pools(engine)
    for port in (1, 64, 65535):
        pool.take(1, port)
    unused = Counter(pool.random_unused(1) for _ in range(1600))
    assert set(unused) == set(PORTS) - {1, 64, 65535}
    assert sum((n - 200) ** 2 / 200 for n in unused.values()) < 24.3
    every = Counter(pool.random_within(1, LOWEST, HIGHEST) for _ in range(2200))
    assert set(every) == set(PORTS)
    assert sum((n - 200) ** 2 / 200 for n in every.values()) < 29.6


@pytest.mark.parametrize("window", [(63, 5000), (64, 64), (129, 4999), (5001, 65535), (2, 62)])
def test_a_random_port_is_within_its_window(engine: Engine, window: tuple[int, int]) -> None:
    pool = pools(engine)
    within = {port for port in PORTS if window[0] <= port <= window[1]}
    found = {pool.random_within(1, *window) for _ in range(200)}
    assert found == (within or {NONE32})


def test_all_ports_can_be_taken_one_by_one_at_random(engine: Engine) -> None:
    pool = pools(engine, ((1024, 1523),))
    taken = []
    for _ in range(500):
        taken.append(pool.random_unused(0))
        pool.take(0, taken[-1])
    assert sorted(taken) == list(range(1024, 1524))
    assert pool.random_unused(0) == NONE32
