"""`ratsnake sessions`: every 5-tuple, its state, its timer and its traffic."""

import argparse
from typing import Any

from . import inquiry
from .listing import print_rows
from .text import Column, amount, duration, endpoint

COLUMNS = (
    Column("PROTO"),
    Column("INTERNAL"),
    Column("PORT", number=True),  # the external one; its address would not fit 80 columns
    Column(""),  # which side opened the session
    Column("REMOTE"),
    Column("STATE"),
    Column("LEFT", number=True),
    Column("OUT", number=True),
    Column("IN", number=True),
)

ARROWS = {"inside": "->", "outside": "<-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    inquiry.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    print_rows(arguments, COLUMNS, _cells)
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["protocol"],
        endpoint(row["internal"], row["internal_port"]),
        str(row["external_port"]),
        ARROWS[row["opened"]],
        endpoint(row["remote"], row["remote_port"]),
        row["state"],
        duration(row["expires"]),
        amount(row["bytes_out"]),
        amount(row["bytes_in"]),
    )
