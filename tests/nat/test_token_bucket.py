"""The token bucket: exact over any time, and patient with clocks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples


def bucket(engine: Engine, rate: int, burst: int) -> Any:
    return engine.modules["nat.error_responses.token_bucket"].TokenBucket(rate, burst)


def taken(tokens: Any, times: Any) -> int:
    return sum(tokens.take(now) for now in times)


def test_a_burst_is_there_from_the_start_and_no_more(engine: Engine) -> None:
    tokens = bucket(engine, 10, 5)
    assert [tokens.take(0) for _ in range(7)] == [True] * 5 + [False] * 2


def test_a_token_comes_exactly_when_its_time_has_come(engine: Engine) -> None:
    tokens = bucket(engine, 10, 1)
    assert tokens.take(1000)
    assert [tokens.take(now) for now in (1000, 1099, 1100, 1199, 1200)] == [0, 0, 1, 0, 1]


@pytest.mark.parametrize("rate", [1, 3, 7, 999])
def test_the_rate_does_not_drift(engine: Engine, rate: int) -> None:
    """Asked at every millisecond of 20 seconds, it gives the burst and the rate, to the token."""
    assert taken(bucket(engine, rate, 4), range(20_001)) == 4 + 20 * rate


@pytest.mark.parametrize("later", [10_000, 2**40, 2**63])
def test_an_idle_bucket_is_full_and_holds_no_more_than_the_burst(
    engine: Engine, later: int
) -> None:
    tokens = bucket(engine, 1_000_000, 3)
    assert taken(tokens, [0] * 10) == 3
    assert taken(tokens, [later] * 10) == 3


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing(engine: Engine) -> None:
    tokens = bucket(engine, 1, 2)
    assert tokens.take(5000)
    assert tokens.take(1000)
    assert not tokens.take(1000)
    assert not tokens.take(5999)
    assert tokens.take(6000)


@examples(60)
@given(
    rate=st.integers(1, 5000),
    burst=st.integers(1, 50),
    steps=st.lists(st.integers(0, 3000), max_size=60),
)
def test_it_gives_what_fractions_give(
    engine: Engine, rate: int, burst: int, steps: list[int]
) -> None:
    tokens, level, now = bucket(engine, rate, burst), burst * 1000, 0
    for step in steps:
        now += step
        level = min(level + step * rate, burst * 1000)
        assert tokens.take(now) == (level >= 1000)
        level -= 1000 if level >= 1000 else 0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1), (1_000_001, 1)])
def test_numbers_out_of_range_are_refused(engine: Engine, rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 1,000,000"):
        bucket(engine, rate, burst)
