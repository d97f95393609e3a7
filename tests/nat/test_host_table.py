"""The host table against plain Python: who is there, what each has, and how fast it may open."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine, load
from support.properties import examples

WORDS = tuple(0x9E3779B97F4A7C15 * n % (1 << 64) for n in range(1, 9))
SECOND = 1000
NEVER_BEFORE = 1 << 60  # ms: a clock that may start anywhere


def table(engine: Engine, capacity: int = 8) -> Any:
    return engine.modules["nat.tables.host_table"].HostTable(
        capacity, engine.modules["nat.tables.hash_secret"].Secret(WORDS)
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["mapping", "session"]), st.booleans(), st.integers(0, 5)),
    max_size=120,
)


@examples(100)
@given(steps=STEPS)
def test_hosts_are_there_while_they_have_something(
    engine: Engine, steps: list[tuple[str, bool, int]]
) -> None:
    hosts = table(engine, 6)
    has: dict[str, Counter[int]] = {"mapping": Counter(), "session": Counter()}
    for what, more, who in steps:
        of = (who, 1) if what == "mapping" else ()
        if more:
            getattr(hosts, f"join_{what}")(hosts.enter(0, who), *of)
            has[what][who] += 1
        elif has[what][who]:
            getattr(hosts, f"leave_{what}")(hosts.find(0, who), *of[1:])
            has[what][who] -= 1
        rows = {who: hosts.find(0, who) for who in range(6)}
        for known, row in rows.items():
            mappings, sessions = has["mapping"][known], has["session"][known]
            assert (row != 0) == bool(mappings or sessions)
            if row:
                assert (hosts.mappings_of(row), hosts.sessions_of(row)) == (mappings, sessions)
        live = {row for row in range(1, hosts.fresh) if hosts.is_live(row)}
        assert live == {row for row in rows.values() if row}
        assert len(live) == sum(row != 0 for row in rows.values())


def test_hosts_differ_in_both_halves_of_their_address(engine: Engine) -> None:
    hosts = table(engine)
    keys = [(0, 7), (7, 0), (0, 8), (8, 0), ((1 << 64) - 1, (1 << 64) - 1)]
    rows = [hosts.enter(*key) for key in keys]
    assert len(set(rows)) == len(keys)
    assert [hosts.enter(*key) for key in keys] == [hosts.find(*key) for key in keys] == rows
    assert hosts.find(7, 7) == 0


def test_settling_forgets_only_a_host_that_has_nothing(engine: Engine) -> None:
    hosts = table(engine)
    row = hosts.enter(0, 1)
    hosts.settle(row)
    assert hosts.find(0, 1) == 0
    assert not hosts.is_live(row)
    for what, of in (("mapping", (0, 1)), ("session", ())):
        row = hosts.enter(0, 1)
        getattr(hosts, f"join_{what}")(row, *of)
        hosts.settle(row)
        assert hosts.find(0, 1) == row
        getattr(hosts, f"leave_{what}")(row, *of[1:])
        assert hosts.find(0, 1) == 0


def test_a_host_keeps_its_external_address_while_it_has_mappings(engine: Engine) -> None:
    hosts = table(engine)
    row = hosts.enter(0, 1)
    for external in (3, 2):
        hosts.join_mapping(row, external, 1)
        assert hosts.external_of(row) == 3
    hosts.leave_mapping(row, 1)
    hosts.join_session(row)
    assert hosts.external_of(row) == 3
    hosts.leave_mapping(row, 1)
    hosts.join_mapping(row, 2, 1)
    assert hosts.external_of(row) == 2


def test_a_full_table_has_room_again_for_each_host_that_left(engine: Engine) -> None:
    hosts = table(engine, 8)
    for turn in range(20):
        rows = [hosts.enter(turn, who) for who in range(8)]
        assert sorted(rows) == list(range(1, 9))
        for row in rows:
            hosts.join_mapping(row, 0, 1)
        for row in rows:
            assert (hosts.mappings_of(row), hosts.sessions_of(row)) == (1, 0)
            hosts.leave_mapping(row, 1)
    assert hosts.fresh == hosts.capacity + 1


def test_hosts_with_the_same_tag_are_told_apart() -> None:
    """On the source, whose tags can be chosen."""
    hosts = table(load("interpreted"))
    hosts.tag_of = lambda high, low: 5
    keys = [(high, low) for high in (0, 1) for low in (7, 8, 9)]
    rows = [hosts.enter(*key) for key in keys]
    assert len(set(rows)) == len(keys)
    assert [hosts.find(*key) for key in keys] == rows
    hosts.settle(rows[2])
    assert [hosts.find(*key) for key in keys] == [*rows[:2], 0, *rows[3:]]


def test_a_burst_then_the_rate(engine: Engine) -> None:
    hosts = table(engine)
    row = hosts.enter(0, 1)
    now = NEVER_BEFORE
    assert [hosts.take_token(row, now, 4, 3) for _ in range(5)] == [True] * 3 + [False] * 2
    assert not hosts.take_token(row, now + 249, 4, 3)
    assert hosts.take_token(row, now + 250, 4, 3)
    assert not hosts.take_token(row, now + 499, 4, 3)
    assert hosts.take_token(row, now + 500, 4, 3)


def test_a_bucket_never_holds_more_than_the_burst(engine: Engine) -> None:
    hosts = table(engine)
    row = hosts.enter(0, 1)
    for now in (0, 3600 * SECOND, NEVER_BEFORE):
        assert [hosts.take_token(row, now, 4, 3) for _ in range(4)] == [True] * 3 + [False]


def test_a_rate_of_nought_is_no_limit(engine: Engine) -> None:
    hosts = table(engine)
    row = hosts.enter(0, 1)
    assert all(hosts.take_token(row, 0, 0, 1) for _ in range(100))


def test_each_host_has_a_bucket_of_its_own_and_a_new_one_a_full_one(engine: Engine) -> None:
    hosts = table(engine)
    first, other = hosts.enter(0, 1), hosts.enter(0, 2)
    assert hosts.take_token(first, 0, 1, 1)
    assert not hosts.take_token(first, 0, 1, 1)
    assert hosts.take_token(other, 0, 1, 1)
    hosts.settle(first)
    assert hosts.enter(0, 3) == first
    assert hosts.take_token(first, 0, 1, 1)


@pytest.mark.parametrize("rate", [1, 7, 999, 1000, 1001, 100_000, (1 << 32) - 1])
@pytest.mark.parametrize("burst", [1, 2, 50, 4_294_967])
def test_extremes_of_rate_and_burst(engine: Engine, rate: int, burst: int) -> None:
    """What was spent comes back after that many thousandths at `rate` a millisecond, no sooner."""
    hosts = table(engine)
    row = hosts.enter(0, 1)
    spent = min(burst, 200)
    assert all(hosts.take_token(row, 5, rate, burst) for _ in range(spent))
    if spent == burst:
        assert not hosts.take_token(row, 5, rate, burst)
        due = 5 + -(-1000 // rate)
        if due > 6:
            assert not hosts.take_token(row, due - 1, rate, burst)
        assert hosts.take_token(row, due, rate, burst)


@examples(100)
@given(
    waits=st.lists(st.integers(0, 900), max_size=60),
    rate=st.integers(1, 20),
    burst=st.integers(1, 5),
)
def test_a_bucket_is_exact_however_often_it_is_asked(
    engine: Engine, waits: list[int], rate: int, burst: int
) -> None:
    """The model: thousandths of a session in a bucket, no fraction ever lost."""
    hosts = table(engine)
    row = hosts.enter(0, 1)
    tokens, now = burst * 1000, 0
    for wait in waits:
        now += wait
        tokens = min(burst * 1000, tokens + wait * rate)
        expected = tokens >= 1000
        assert hosts.take_token(row, now, rate, burst) == expected
        tokens -= 1000 * expected
