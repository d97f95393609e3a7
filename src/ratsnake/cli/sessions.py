"""`ratsnake sessions`: every 5-tuple, its state, its timer and its traffic."""

import argparse
from typing import Any

from ..nat.views.row_tuples import SessionRow
from . import row_sorting, table_listing
from .table_listing import Table, print_table
from .text_format import Column, amount, duration, endpoint

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

KEYS = {
    "protocol": row_sorting.text("protocol"),
    "internal": row_sorting.endpoint("internal"),
    "external": row_sorting.endpoint("external"),
    "remote": row_sorting.endpoint("remote"),
    "state": row_sorting.text("state"),
    "left": row_sorting.number("expires"),
    "out": row_sorting.number("bytes_out"),
    "in": row_sorting.number("bytes_in"),
    "bytes": row_sorting.number("bytes_out", "bytes_in"),
    "packets": row_sorting.number("packets_out", "packets_in"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    table_listing.add_arguments(parser, TABLE)


def run(arguments: argparse.Namespace) -> int:
    print_table(arguments, TABLE)
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


TABLE = Table(COLUMNS, _cells, SessionRow._fields, KEYS)
