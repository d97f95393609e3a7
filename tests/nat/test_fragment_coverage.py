"""Which octets have come, against a set of octets: overlaps, ends that contradict, and limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine, load
from support.properties import examples

REASONS = load("interpreted").modules["nat.rules.drop_reasons"]
TRANSLATED, OVERLAP, LIMIT = 0, REASONS.FRAGMENT_OVERLAP, REASONS.FRAGMENT_LIMIT
RANGES, PIECES = 32, 128
ROWS = 3


def coverage(engine: Engine) -> Any:
    return engine.modules["nat.packets.fragment_coverage"].Coverage(ROWS)


class Naive:
    """The octets that came, one by one."""

    def __init__(self) -> None:
        self.came: set[int] = set()
        self.length: int | None = None
        self.pieces = 0

    def ranges(self, came: set[int]) -> int:
        return sum(1 for octet in came if octet - 1 not in came)

    def add(self, start: int, end: int, last: bool) -> int:
        new = set(range(start, end))
        ends = {self.length, end if last else self.length} - {None}
        if new & self.came or len(ends) > 1 or any(max(self.came | new) >= e for e in ends if e):
            return OVERLAP
        if self.pieces == PIECES or self.ranges(self.came | new) > RANGES:
            return LIMIT
        self.came |= new
        self.pieces += 1
        self.length = end if last else self.length
        return TRANSLATED

    def complete(self) -> bool:
        return self.length is not None and len(self.came) == self.length


def piece(most: int) -> Any:
    return st.tuples(st.integers(0, most), st.integers(1, 5), st.integers(0, 9))


@examples(300)
@given(
    pieces=st.one_of(
        st.lists(piece(25), max_size=30), st.lists(piece(300), min_size=40, max_size=120)
    )
)
def test_coverage_answers_like_a_set_of_octets(
    engine: Engine, pieces: list[tuple[int, int, int]]
) -> None:
    """Beside each row lie others, which must neither change nor be read."""
    cover, naive = coverage(engine), Naive()
    for row in (0, 2):
        cover.add(row, 0, 7, True)
    for start, size, last in pieces:
        arguments = start, start + size, last == 0
        assert cover.add(1, *arguments) == naive.add(*arguments)
        assert cover.complete(1) == naive.complete()
    assert cover.complete(0) and cover.complete(2)


@examples(100)
@given(data=st.data())
def test_every_order_of_a_datagrams_pieces_completes_it_with_the_last(
    engine: Engine, data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, 65534), min_size=1, max_size=30))
    edges = [0, *sorted(cuts), 65535]
    pieces = data.draw(st.permutations(list(zip(edges, edges[1:], strict=False))))
    cover = coverage(engine)
    for count, (start, end) in enumerate(pieces):
        assert not cover.complete(1)
        assert cover.add(1, start, end, end == 65535) == TRANSLATED
        assert cover.complete(1) == (count == len(pieces) - 1)


@pytest.mark.parametrize(
    "start,end,last",
    [
        (800, 1600, False),
        (0, 8, False),
        (792, 808, False),
        (1592, 1608, False),
        (1000, 1008, False),
        (792, 1608, False),
        (2392, 2400, False),
        (3999, 4000, False),
        (3192, 3993, True),
        (4000, 4001, False),
        (4000, 4800, True),
        (1600, 1608, True),
        (3992, 4000, True),
    ],
    ids=[
        "exact-duplicate",
        "start-again",
        "over-its-start",
        "over-its-end",
        "within",
        "around",
        "before-the-third",
        "over-the-last",
        "last-again-from-before",
        "beyond-the-end",
        "another-end-beyond",
        "another-end-before",
        "last-twice",
    ],
)
def test_what_overlaps_or_contradicts_the_end_is_refused_and_changes_nothing(
    engine: Engine, start: int, end: int, last: bool
) -> None:
    cover = coverage(engine)
    for seen in ((0, 8, False), (800, 1600, False), (2392, 3192, False), (3992, 4000, True)):
        assert cover.add(1, *seen) == TRANSLATED
    assert cover.add(1, start, end, last) == OVERLAP
    for missing in ((8, 800), (1600, 2392), (3192, 3992)):
        assert not cover.complete(1)
        assert cover.add(1, *missing, False) == TRANSLATED
    assert cover.complete(1)


def test_a_last_fragment_that_ends_before_what_came_is_refused(engine: Engine) -> None:
    cover = coverage(engine)
    assert cover.add(1, 800, 1600, False) == TRANSLATED
    assert cover.add(1, 0, 8, True) == OVERLAP
    assert cover.add(1, 1600, 1601, True) == TRANSLATED


@pytest.mark.parametrize("backward", [False, True])
def test_fragments_side_by_side_need_one_range_but_are_128_at_most(
    engine: Engine, backward: bool
) -> None:
    cover = coverage(engine)
    starts = [8 * k for k in range(PIECES + 1)]
    if backward:
        starts.reverse()
    for start in starts[:PIECES]:
        assert cover.add(1, start, start + 8, False) == TRANSLATED
    assert cover.add(1, starts[PIECES], starts[PIECES] + 8, False) == LIMIT
    assert cover.add(1, starts[0], starts[0] + 8, False) == OVERLAP


def test_gaps_are_limited_and_filling_one_makes_room_for_another(engine: Engine) -> None:
    cover = coverage(engine)
    for k in range(RANGES):
        assert cover.add(1, 16 * k, 16 * k + 8, False) == TRANSLATED
    assert cover.add(1, 16 * RANGES, 16 * RANGES + 8, False) == LIMIT
    assert cover.add(1, 8, 16, False) == TRANSLATED
    assert cover.add(1, 16 * RANGES, 16 * RANGES + 8, False) == TRANSLATED
    assert cover.add(1, 16 * RANGES + 16, 16 * RANGES + 24, False) == LIMIT


def test_a_cleared_row_is_as_new(engine: Engine) -> None:
    cover = coverage(engine)
    for k in range(PIECES):
        cover.add(1, 8 * k, 8 * k + 8, k == PIECES - 1)
    assert cover.complete(1)
    cover.clear(1)
    assert not cover.complete(1)
    for k in range(RANGES):
        assert cover.add(1, 1600 * k, 1600 * k + 800, False) == TRANSLATED
