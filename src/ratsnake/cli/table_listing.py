"""The rows of a table: which are asked for, in what order, and how they are printed."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..daemon.configuration.flag_definition import Flag
from ..daemon.configuration.option_parsing import read_flags, running_socket_path
from ..daemon.configuration.value_parsers import whole_number
from ..daemon.control.control_client import ask_rows
from ..daemon.user_errors import near
from ..daemon.views.row_request import FILTER_FLAGS
from . import control_arguments
from .argument_table import add_flags, texts
from .progress import Progress
from .row_sorting import MOST_SORTED, Counted, Key, Order, Row
from .text_format import Column, columns


@dataclass(frozen=True)
class Table:
    """`cells` are a row's under the columns; `fields` are all that a row has; by `keys` rows can be
    sorted."""

    columns: Sequence[Column]
    cells: Callable[[Row], Sequence[str]]
    fields: Sequence[str]
    keys: Mapping[str, Key]

    def flags(self) -> tuple[Flag, ...]:
        return (
            Flag(
                "sort",
                "KEY",
                self._key,
                f"sort by {', '.join(self.keys)}; numbers from the largest down; without --limit"
                f" only the first {MOST_SORTED} rows are shown (default: the order of the table)",
            ),
            Flag("limit", "N", _limit, "show at most N rows"),
        )

    def _key(self, text: str) -> Key:
        if text in self.keys:
            return self.keys[text]
        raise ValueError(f"must be one of {', '.join(self.keys)}{near(text, self.keys)}")


def add_arguments(parser: argparse.ArgumentParser, table: Table) -> None:
    control_arguments.add_socket(parser)
    which = parser.add_argument_group("which rows")
    add_flags(which, (*FILTER_FLAGS, *table.flags()))
    which.add_argument("--reverse", action="store_true", help="with --sort: reverse the order")
    how = parser.add_argument_group("how").add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON, for programs")
    how.add_argument("--csv", action="store_true", help="print CSV with a heading")


def print_table(arguments: argparse.Namespace, table: Table) -> None:
    """Ask the running NAT and print its rows."""
    rows = _rows(arguments, table)
    if arguments.json:
        _print_json(rows)
    elif arguments.csv:
        _print_csv(table.fields, rows)
    else:
        for line in columns(table.columns, map(table.cells, rows)):
            print(line)


def _rows(arguments: argparse.Namespace, table: Table) -> Iterator[Row]:
    given = texts(arguments)
    read_flags(FILTER_FLAGS, given)  # a mistake is told here, whether a NAT runs or not
    values = read_flags(table.flags(), given)
    wanted = {flag.key: given[flag.key] for flag in FILTER_FLAGS if given[flag.key] is not None}
    rows = ask_rows(running_socket_path(given), arguments.command, wanted)
    limit: int | None = values["limit"]
    if values["sort"] is None:
        return islice(rows, limit)
    return _sorted(rows, Order(values["sort"], arguments.reverse), limit)


def _sorted(rows: Iterable[Row], order: Order, limit: int | None) -> Iterator[Row]:
    with Progress("reading", lambda count: f"{count} rows") as progress:
        counted = Counted(rows, lambda count: progress.update(count, None))
        first = order.first(MOST_SORTED if limit is None else limit, counted)
    if limit is None and counted.count > len(first):
        print(
            f"ratsnake: the first {len(first)} of {counted.count} rows; --limit says how many",
            file=sys.stderr,
        )
    return iter(first)


def _limit(text: str) -> int:
    limit = whole_number(text)
    if limit == 0:
        raise ValueError("must be at least 1")
    return limit


def _print_json(rows: Iterable[Row]) -> None:
    """A list with an object on each line, so that a huge table needs no memory."""
    before = "["
    for row in rows:
        print(before, json.dumps(row), sep="\n", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


def _print_csv(fields: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """What a row has not is empty; what a newer NAT has beside `fields` is left out."""
    writer = csv.DictWriter(sys.stdout, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
