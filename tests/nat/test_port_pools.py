"""Port pools against sets: taking, giving back, and each way to find an unused port."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

NONE32 = 0xFFFFFFFF
PORTS = (1, 2, 63, 64, 127, 128, 5000, 5001, 65472, 65534, 65535)


def pools(engine: Engine, ports: tuple[int, ...] = PORTS, count: int = 2) -> Any:
    generator = engine.modules["nat.generator"].Generator(1, 2)
    return engine.modules["nat.ports"].PortPools(count, ports, generator)


def next_of(ports: set[int], start: int) -> int:
    """The first of `ports` from `start` upward, going round."""
    return min((port for port in ports if port >= start), default=min(ports, default=NONE32))


@examples(60)
@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from(PORTS)), max_size=60))
def test_pools_answer_like_sets_of_ports(engine: Engine, steps: list[tuple[bool, int]]) -> None:
    pool = pools(engine)
    users: Counter[int] = Counter()
    for taken, port in steps:
        if taken:
            pool.take(1, port)
            users[port] += 1
        elif users[port]:
            pool.give(1, port)
            users[port] -= 1
        unused = {port for port in PORTS if not users[port]}
        assert pool.unused_ports(1) == len(unused)
        assert pool.users_of(1, port) == users[port]
        for start in (0, 64, 5001, 65535):
            assert pool.next_unused(1, start) == next_of(unused, start)
        random = pool.random_unused(1)
        assert random in unused if unused else random == NONE32
    assert pool.unused_ports(0) == len(PORTS)


def test_only_permitted_ports_are_there(engine: Engine) -> None:
    pool = pools(engine)
    assert [port for port in range(65536) if pool.has(port)] == list(PORTS)


def test_the_next_port_goes_round_over_the_permitted(engine: Engine) -> None:
    pool = pools(engine)
    assert [pool.next_port(port) for port in PORTS] == [*PORTS[1:], PORTS[0]]
    assert pools(engine, (7,)).next_port(7) == 7


@pytest.mark.parametrize("last", [1, 64, 65535])
def test_the_last_unused_port_is_found_in_every_way(engine: Engine, last: int) -> None:
    pool = pools(engine)
    for port in PORTS:
        if port != last:
            pool.take(0, port)
    assert pool.random_unused(0) == last
    assert {pool.next_unused(0, start) for start in range(0, 65536, 61)} == {last}
    pool.take(0, last)
    assert pool.random_unused(0) == pool.next_unused(0, 0) == NONE32
    pool.give(0, last)
    assert pool.random_unused(0) == last


def test_random_ports_are_roughly_uniform_over_the_unused_and_over_all(engine: Engine) -> None:
    """Chi squared of 7 and 10 degrees of freedom: below 24.3 and 29.6 in 999 of 1000 cases."""
    pool = pools(engine)
    for port in (1, 64, 65535):
        pool.take(0, port)
    unused = Counter(pool.random_unused(0) for _ in range(1600))
    assert set(unused) == set(PORTS) - {1, 64, 65535}
    assert sum((n - 200) ** 2 / 200 for n in unused.values()) < 24.3
    every = Counter(pool.random_port(0) for _ in range(2200))
    assert set(every) == set(PORTS)
    assert sum((n - 200) ** 2 / 200 for n in every.values()) < 29.6


def test_all_ports_can_be_taken_one_by_one_at_random(engine: Engine) -> None:
    pool = pools(engine, tuple(range(1024, 1024 + 500)))
    taken = []
    for _ in range(500):
        taken.append(pool.random_unused(0))
        pool.take(0, taken[-1])
    assert sorted(taken) == list(range(1024, 1524))
    assert pool.random_unused(0) == NONE32
