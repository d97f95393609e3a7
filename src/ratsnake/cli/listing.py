"""Printing the rows of a table as they come, for people or as JSON."""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .inquiry import rows
from .text import Column, columns

Row = dict[str, Any]


def print_rows(
    arguments: argparse.Namespace,
    headings: Sequence[Column],
    cells: Callable[[Row], Sequence[str]],
) -> None:
    """Ask the running NAT and print its rows; `cells` makes one of them text."""
    answer = rows(arguments)
    if arguments.json:
        _print_json(answer)
        return
    for line in columns(headings, map(cells, answer)):
        print(line)


def _print_json(answer: Iterable[Row]) -> None:
    """A list with an object on each line, so that a huge table needs no memory."""
    before = "["
    for row in answer:
        print(before, json.dumps(row), sep="\n", end="")
        before = ","
    print("[]" if before == "[" else "\n]")
