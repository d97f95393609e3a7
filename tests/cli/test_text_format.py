"""Text for people: units and columns."""

import pytest

from ratsnake.cli.text_format import Column, amount, columns, duration, endpoint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (86400 * 2, "2d")],
)
def test_duration(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9949, "9.9k"),
        (9951, "10k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (1_234_567_890, "1.2G"),
        (2**64, "18E"),
    ],
)
def test_amount(count: int, text: str) -> None:
    assert amount(count) == text


def test_endpoint() -> None:
    assert endpoint("192.0.2.1", 80) == "192.0.2.1:80"
    assert endpoint(None, None) == "*:*"
    assert endpoint("192.0.2.1", None) == "192.0.2.1:*"
    assert endpoint("2001:db8::1", 80) == "[2001:db8::1]:80"


def test_columns_numbers_to_the_right() -> None:
    rows = [("a", "1"), ("bcd", "10")]
    assert list(columns((Column("X"), Column("N", number=True)), rows)) == [
        "X    N",
        "a    1",
        "bcd 10",
    ]


def test_columns_start_before_the_last_row() -> None:
    def endless():
        while True:
            yield ("x",)

    lines = columns((Column("HEADING"),), endless())
    assert [next(lines) for _ in range(400)][0] == "HEADING"
