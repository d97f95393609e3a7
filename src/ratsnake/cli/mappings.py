"""`ratsnake mappings`: which internal endpoint has which external one."""

import argparse
from typing import Any

from ..nat.views.row_tuples import MappingRow
from . import row_sorting, table_listing
from .table_listing import Table, print_table
from .text_format import Column, duration, endpoint

COLUMNS = (
    Column("PROTO"),
    Column("INTERNAL"),
    Column("EXTERNAL"),
    Column("REMOTE"),
    Column("SESSIONS", number=True),
    Column("AGE", number=True),
)

KEYS = {
    "protocol": row_sorting.text("protocol"),
    "internal": row_sorting.endpoint("internal"),
    "external": row_sorting.endpoint("external"),
    "remote": row_sorting.endpoint("remote"),
    "sessions": row_sorting.number("sessions"),
    "age": row_sorting.number("age"),
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
        endpoint(row["external"], row["external_port"]),
        # The part of the remote endpoint that is in the mapping's key (RFC 4787 section 4.1).
        endpoint(row["remote"], row["remote_port"]),
        str(row["sessions"]),
        duration(row["age"]),
    )


TABLE = Table(COLUMNS, _cells, MappingRow._fields, KEYS)
