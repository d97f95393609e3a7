"""Rows for a control client: what a request may say, and how a table is read for it."""

from ipaddress import ip_network
from typing import Any, NamedTuple

import pytest

from ratsnake.daemon.control.control_protocol import PAGE
from ratsnake.daemon.user_errors import RunError
from ratsnake.daemon.views.endpoint_pattern import Endpoints, parse_endpoints
from ratsnake.daemon.views.row_pages import row_filter, row_pages
from ratsnake.daemon.views.row_request import RowRequest, read_request
from ratsnake.nat.views.row_filter import RowFilter


@pytest.mark.parametrize(
    ("text", "prefix", "port"),
    [
        ("192.168.1.0/24", "192.168.1.0/24", None),
        ("192.168.1.10", "192.168.1.10/32", None),
        ("192.168.1.10:53", "192.168.1.10/32", 53),
        ("192.168.1.0/24:65535", "192.168.1.0/24", 65535),
        ("192.168.1.10:*", "192.168.1.10/32", None),
        ("2001:db8::/32", "2001:db8::/32", None),
        ("2001:db8::1:53", "2001:db8::1:53/128", None),
        ("[2001:db8::1]", "2001:db8::1/128", None),
        ("[2001:db8::1]:53", "2001:db8::1/128", 53),
        ("[2001:db8::/32]:0", "2001:db8::/32", 0),
        ("*", None, None),
        ("*:*", None, None),
        ("*:53", None, 53),
    ],
)
def test_endpoints(text: str, prefix: str | None, port: int | None) -> None:
    assert parse_endpoints(text) == Endpoints(prefix and ip_network(prefix), port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be an IPv4 or IPv6 prefix"),
        ("router.example", "must be an IPv4 or IPv6 prefix"),
        ("192.168.1.10/24", "did you mean 192.168.1.0/24"),
        ("192.168.1.10:", "the port must be a number from 0 to 65535"),
        ("192.168.1.10:65536", "the port must be a number from 0 to 65535"),
        ("192.168.1.10:dns", "the port must be a number from 0 to 65535"),
        ("[2001:db8::1]:x", "the port must be"),
        ("[2001:db8::1]53", "must be an IPv4 or IPv6 prefix"),
        ("[]:53", "must be an IPv4 or IPv6 prefix"),
    ],
)
def test_what_no_endpoints_are(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_endpoints(text)


def test_a_request_says_which_rows() -> None:
    request = {
        "command": "sessions",
        "protocol": "udp",
        "host": "192.168.1.0/24",
        "external": "203.0.113.1:5000",
        "remote": "*:53",
        "start": 7,
        "limit": 100,
        "generation": 2,
    }
    assert read_request(request) == RowRequest(
        protocol=1,
        host=parse_endpoints("192.168.1.0/24"),
        external=parse_endpoints("203.0.113.1:5000"),
        remote=parse_endpoints("*:53"),
        start=7,
        limit=100,
        generation=2,
    )
    assert read_request({"command": "sessions"}) == RowRequest()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hots": "192.168.1.1"}, "mappings takes no 'hots'; did you mean host.*; there are"),
        ({"host": "nobody"}, "host nobody: must be an IPv4 or IPv6 prefix"),
        ({"host": 5}, r"host must be a text, PREFIX\[:PORT\]"),
        ({"protocol": "upd"}, "protocol upd: must be one of tcp, udp, .*did you mean udp"),
        ({"start": -1}, "start must be a whole number from 0 to 4294967295"),
        ({"limit": 1.5}, "limit must be a whole number"),
        ({"limit": True}, "limit must be a whole number"),
        ({"limit": None}, "limit must be a whole number"),
    ],
)
def test_what_a_request_may_not_say(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_request({"command": "mappings", **wrong})


class FakeRow(NamedTuple):
    n: int


class FakeTable:
    """Three pages, of which the second has nothing that is wanted."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int, int]] = []

    def read(
        self, start: int, count: int, now: int, wanted: RowFilter
    ) -> tuple[list[FakeRow], int]:
        self.reads.append((start, count, now))
        pages = {0: ([0, 1], 300), 300: ([], 601), 601: ([2], 0)}
        numbers, following = pages[start]
        return [FakeRow(number) for number in numbers], following


def pages(table: FakeTable, asked: RowRequest) -> tuple[list[list[dict[str, int]]], dict[str, Any]]:
    got = []
    reading = row_pages(table.read, lambda: 5, asked)
    while True:
        try:
            got.append(next(reading))
        except StopIteration as end:
            return got, end.value


def test_rows_come_page_by_page() -> None:
    table = FakeTable()
    assert pages(table, RowRequest()) == ([[{"n": 0}, {"n": 1}], [], [{"n": 2}]], {})
    assert table.reads == [(0, PAGE, 5), (300, PAGE, 5), (601, PAGE, 5)]


@pytest.mark.parametrize(
    ("limit", "reads", "following"),
    [(0, [], 0), (1, [0], 300), (2, [0], 300), (3, [0, 300, 601], None), (9, [0, 300, 601], None)],
)
def test_who_wants_a_few_is_told_where_to_go_on(
    limit: int, reads: list[int], following: int | None
) -> None:
    table = FakeTable()
    _, last = pages(table, RowRequest(limit=limit))
    assert [start for start, *_ in table.reads] == reads
    assert last == ({} if following is None else {"next": following, "generation": 0})


def test_who_reads_on_where_another_nat_took_over_is_told() -> None:
    table = FakeTable()
    generation = 4
    reading = row_pages(table.read, lambda: 5, RowRequest(limit=3), lambda: generation)
    assert next(reading) == [{"n": 0}, {"n": 1}]
    generation = 5
    with pytest.raises(RunError, match="the NAT was told other settings meanwhile"):
        next(reading)
    with pytest.raises(RunError, match="ask again"):
        next(row_pages(table.read, lambda: 5, RowRequest(start=300, generation=4), lambda: 5))
    on = row_pages(table.read, lambda: 5, RowRequest(start=300, generation=5), lambda: 5)
    assert list(on) == [[], [{"n": 2}]]


def test_reading_starts_where_it_is_told_to() -> None:
    table = FakeTable()
    assert pages(table, RowRequest(start=601)) == ([[{"n": 2}]], {})


def test_the_engines_filter_is_made_of_the_request() -> None:
    assert isinstance(row_filter(read_request({"command": "x", "host": "*:53"})), RowFilter)
