"""Text for people: columns and human units. Programs are given JSON instead."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

# Of a long table only so many rows set the widths: printing starts before the last row is known.
SAMPLE = 256


class Column(NamedTuple):
    """A column's heading, and whether its cells are numbers."""

    heading: str
    number: bool = False


def columns(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table: headings, then rows, numbers to the right."""
    remaining = iter(rows)
    sample = list(islice(remaining, SAMPLE))
    headings = [column.heading for column in columns]
    widths = [max(map(len, cells)) for cells in zip(headings, *sample, strict=True)]
    for row in chain([headings], sample, remaining):
        cells = (
            cell.rjust(width) if column.number else cell.ljust(width)
            for column, cell, width in zip(columns, row, widths, strict=True)
        )
        yield " ".join(cells).rstrip()


def duration(seconds: int) -> str:
    """At most four characters up to 999 days: 59s, 59m, 47h, 999d."""
    for size, unit, enough in ((1, "s", 120), (60, "m", 120 * 60), (3600, "h", 48 * 3600)):
        if seconds < enough:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def amount(count: int) -> str:
    """A number of bytes in at most five characters: 999, 9.9k, 999k, 1.2M (powers of 1000)."""
    if count < 1000:
        return str(count)
    size = float(count)
    for unit in "kMGTPE":
        size /= 1000
        if size < 9.95:
            return f"{size:.1f}{unit}"
        if size < 999.5:
            return f"{size:.0f}{unit}"
    return f"{size:.0f}{unit}"


def number(value: float | None) -> str:
    """1.23, 12.3, 123, 12,345; "-" for None."""
    if value is None:
        return "-"
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def endpoint(address: str | None, port: int | None) -> str:
    """ADDRESS:PORT, with `*` for what is any."""
    shown = "*" if address is None else f"[{address}]" if ":" in address else address
    return f"{shown}:{'*' if port is None else port}"
