"""The busiest hosts for clients: when the table is looked at, and what a second has moved."""

from collections.abc import Iterator
from typing import Any

import pytest

from ratsnake.daemon.views.busiest_hosts import (
    IDLE_SECONDS,
    LOOK_SECONDS,
    METERS,
    MOST,
    SHARE,
    Busiest,
    Page,
)
from ratsnake.nat.views.row_tuples import HostRow

ROW = {"host": "192.168.1.10", "sessions": 3}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeTraffic:
    """A table of three pages; to look at one takes `seconds`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds = 0.0
        self.looks = 0
        self.by: list[bool] = []

    def begin(self) -> None:
        self.looks += 1

    def look(self, start: int, count: int, now: int) -> int:
        self.clock.now += self.seconds
        return {0: 256, 256: 512, 512: 0}[start]

    def rank(self, by_sessions: bool) -> None:
        self.by.append(by_sessions)

    def busiest(self) -> list[HostRow]:
        return [HostRow("192.168.1.10", 3, 1000, 2000)] * 2


class FakeNat:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.made: list[FakeTraffic] = []
        self.most = 0

    def host_traffic(self, wanted: Any, most: int) -> Any:
        self.most = most
        self.made.append(FakeTraffic(self.clock))
        return self.made[-1]

    def look(self, traffic: Any, start: int, count: int, now: int) -> int:
        return int(traffic.look(start, count, now))

    def name(self, traffic: Any) -> None: ...


class Site:
    def __init__(self) -> None:
        self.clock = Clock()
        self.nat = FakeNat(self.clock)
        self.busiest = Busiest(self.nat, lambda: 5, self.clock)

    def ask(self, **request: Any) -> Iterator[Page]:
        return self.busiest.answer({"command": "hosts", **request})

    def rows(self, **request: Any) -> Page:
        *empty, rows = self.ask(**request)
        assert not any(empty)
        return rows


@pytest.fixture
def site() -> Site:
    return Site()


def test_rates_from_look_to_look(site: Site) -> None:
    assert site.rows() == [{**ROW, "bytes_out": None, "bytes_in": None}] * 2
    assert site.nat.most == MOST
    site.clock.now += 4
    assert site.rows(limit=1) == [{**ROW, "bytes_out": 250.0, "bytes_in": 500.0}]
    assert site.rows(by="sessions", limit=1000) == site.rows()
    assert site.nat.made[0].by == [False, False, True, False]


def test_a_look_is_made_in_pages(site: Site) -> None:
    assert [len(page) for page in site.ask()] == [0, 0, 2]


def test_no_look_is_made_too_often_however_often_it_is_asked_for(site: Site) -> None:
    for _ in range(5):
        site.rows()
    (traffic,) = site.nat.made
    assert traffic.looks == 1
    site.clock.now += LOOK_SECONDS
    site.rows()
    assert traffic.looks == 2
    traffic.seconds = 1.0
    site.clock.now += LOOK_SECONDS
    site.rows()
    site.clock.now += 3 * SHARE - 0.1
    site.rows()
    assert traffic.looks == 3
    site.clock.now += 0.1
    site.rows()
    assert traffic.looks == 4


def test_two_clients_share_a_look(site: Site) -> None:
    first, second = site.ask(), site.ask()
    assert next(first) == []
    assert next(second) == []
    assert [len(page) for page in first] == [0, 2]
    assert [len(page) for page in second] == [2]
    assert site.nat.made[0].looks == 1


def test_a_client_that_leaves_during_a_look_blocks_nobody(site: Site) -> None:
    site.rows()
    site.clock.now += 4
    leaving = site.ask()
    next(leaving)
    leaving.close()  # type: ignore[attr-defined]
    assert site.rows()[0]["bytes_out"] is None
    site.clock.now += 4
    assert site.rows()[0]["bytes_out"] == 250.0


def test_filters_are_apart_bounded_and_given_up(site: Site) -> None:
    for port in (*range(METERS), 0, 9):
        site.clock.now += 1
        site.rows(host=f"*:{port}")
    assert len(site.nat.made) == METERS + 1
    site.rows(host="*:0")
    assert len(site.nat.made) == METERS + 1
    site.rows(host="*:1")  # given up for the newest, having been asked for longest ago
    assert len(site.nat.made) == METERS + 2
    site.clock.now += IDLE_SECONDS
    site.busiest.forget_idle()
    site.rows(host="*:1")
    assert len(site.nat.made) == METERS + 2
    site.clock.now += IDLE_SECONDS + 0.1
    site.busiest.forget_idle()
    site.rows(host="*:1")
    assert len(site.nat.made) == METERS + 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"by": "age"}, 'by must be "bytes" or "sessions"'),
        ({"by": ["bytes"]}, 'by must be "bytes" or "sessions"'),
        ({"host": "nobody"}, "host nobody: must be an IPv4 or IPv6 prefix"),
        ({"limit": -1}, "limit must be a whole number"),
    ],
)
def test_wrong_requests(request_: dict[str, Any], message: str, site: Site) -> None:
    with pytest.raises(ValueError, match=message):
        site.ask(**request_)


def test_another_nat_is_looked_at_for_the_first_time(site: Site) -> None:
    site.rows()
    site.clock.now += 10
    assert site.rows()[0]["bytes_out"] == 100.0
    site.busiest.forget_all()
    assert site.rows()[0]["bytes_out"] is None
    assert len(site.nat.made) == 2
