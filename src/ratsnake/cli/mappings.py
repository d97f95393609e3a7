"""`ratsnake mappings`: which internal endpoint has which external one."""

import argparse
from typing import Any

from . import inquiry
from .listing import print_rows
from .text import Column, duration, endpoint

COLUMNS = (
    Column("PROTO"),
    Column("INTERNAL"),
    Column("EXTERNAL"),
    Column("REMOTE"),
    Column("SESSIONS", number=True),
    Column("AGE", number=True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    inquiry.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    print_rows(arguments, COLUMNS, _cells)
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
