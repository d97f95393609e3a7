"""The answer to `flush` over the control socket: which flows, how far it is, wrong requests."""

from typing import Any

import pytest

from ratsnake.daemon.control.control_protocol import PAGE
from ratsnake.daemon.views.flush_response import PAGES_A_ROW, Flusher
from ratsnake.nat.views.row_filter import RowFilter
from support.bench import INSIDE, OTHER, R1, R2, Bench
from support.flavours import load


class FakeNat:
    """A table of so many pages, of which each ends a mapping and two sessions."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.asked: list[tuple[int, int, int, int, bool]] = []

    def flush(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> tuple[int, int, int]:
        self.asked.append((start, count, began, now, by_remote))
        return 1, 2, start + 1 if start + 1 < self.pages else 0


class Clock:
    now = 4

    def __call__(self) -> int:
        self.now += 1
        return self.now


def test_pages_of_one_question_one_after_the_other(caplog: pytest.LogCaptureFixture) -> None:
    nat = FakeNat(3)
    with caplog.at_level("INFO"):
        pages = list(Flusher(nat, Clock()).answer({"command": "flush", "host": INSIDE}))
    assert pages == [[], [], [{"mappings": 3, "sessions": 6}]]
    assert nat.asked == [(start, PAGE, 5, 6 + start, False) for start in range(3)]
    assert caplog.messages == ["flush: mappings ended: 3, sessions: 6"]


def test_the_client_hears_how_far_it_has_come() -> None:
    answer = Flusher(FakeNat(2 * PAGES_A_ROW + 1), Clock()).answer(
        {"command": "flush", "all": True}
    )
    rows = [row for page in answer for row in page]
    assert [row["mappings"] for row in rows] == [
        PAGES_A_ROW,
        2 * PAGES_A_ROW,
        2 * PAGES_A_ROW + 1,
    ]


def test_it_begins_anew_where_another_nat_took_over() -> None:
    """What has ended there is gone, so nothing is ended twice."""
    nat = FakeNat(3)
    generation = 0
    answer = Flusher(nat, Clock(), lambda: generation).answer({"command": "flush", "all": True})
    next(answer)
    next(answer)
    generation = 1
    assert list(answer)[-1] == [{"mappings": 5, "sessions": 10}]
    assert [start for start, *_ in nat.asked] == [0, 1, 0, 1, 2]


def test_it_ends_no_more_when_the_client_leaves(caplog: pytest.LogCaptureFixture) -> None:
    nat = FakeNat(100)
    answer = Flusher(nat, Clock()).answer({"command": "flush", "all": True})
    next(answer)
    with caplog.at_level("INFO"):
        del answer
    assert len(nat.asked) == 1
    assert caplog.messages == ["flush: mappings ended: 1, sessions: 2"]


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ({"all": True}, []),
        ({"host": INSIDE}, [(OTHER, R2)]),
        ({"host": "*"}, []),
        ({"protocol": "tcp"}, [(INSIDE, R1), (INSIDE, R2), (OTHER, R2)]),
        ({"remote": R2}, [(INSIDE, R1)]),
        ({"remote": R2, "host": OTHER, "all": False}, [(INSIDE, R1), (INSIDE, R2)]),
    ],
)
def test_which_flows(request_: dict[str, Any], left: list[tuple[str, str]]) -> None:
    bench = Bench(load("compiled"), "full-cone")
    for host, remote in ((INSIDE, R1), (INSIDE, R2), (OTHER, R2)):
        bench.open("udp", (host, 4000), (remote, 53))
    (((ended),),) = Flusher(bench.nat, lambda: bench.now).answer({"command": "flush", **request_})
    assert ended["sessions"] == 3 - len(left)
    assert [(row.internal, row.remote) for row in bench.sessions()] == left


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "flush needs a filter .protocol, host, external, remote., or all"),
        ({"all": False}, "flush needs a filter"),
        ({"all": True, "host": INSIDE}, "flush takes all, or a filter, not both"),
        ({"all": "yes"}, "all must be true or false"),
        ({"host": "nobody"}, "host nobody: must be an IPv4 or IPv6 prefix"),
        ({"hots": INSIDE}, "flush takes no 'hots'; did you mean host.*; there are .*remote, all$"),
        ({"host": INSIDE, "limit": 5}, "flush takes no 'limit'"),
        ({"host": INSIDE, "start": 0}, "flush takes no 'start'"),
    ],
)
def test_a_wrong_request_ends_nothing(wrong: dict[str, Any], message: str) -> None:
    nat = FakeNat(1)
    with pytest.raises(ValueError, match=message):
        Flusher(nat, Clock()).answer({"command": "flush", **wrong})
    assert nat.asked == []
