"""docs/status.md names every field of what --json prints, and every key of top."""

import re
from pathlib import Path

import pytest

from ratsnake.cli.top_screen import KEYS
from ratsnake.daemon.views.row_request import FILTER_FLAGS
from ratsnake.nat.views.row_tuples import MappingRow, SessionRow
from support.player import STATUS

PAGE = (Path(__file__).parents[2] / "docs" / "status.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"### {title}\n")[2].partition("\n##")[0]


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("mappings", MappingRow._fields),
        ("sessions", SessionRow._fields),
        ("status", (*STATUS, *STATUS["counters"], *STATUS["rates"], *STATUS["usage"])),
    ],
)
def test_every_field_is_named(title: str, fields: tuple[str, ...]) -> None:
    assert set(fields) <= named(section(title))


def test_every_filter_is_named() -> None:
    for flag in FILTER_FLAGS:
        assert f"`{flag.name} {flag.metavar}`" in PAGE


def test_every_key_of_top_is_named() -> None:
    keys = re.findall(r"(?:^|  )(\w+) ", KEYS)
    listed = PAGE.partition("| key |")[2]
    for key in keys:
        assert f"`{key}`" in listed or f"| {key} |" in listed
