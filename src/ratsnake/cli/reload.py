"""`ratsnake reload`: have the running NAT read its configuration file anew."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from ..daemon.configuration.settings_diff import Difference
from . import control_arguments

MORE = (
    "The NAT reads the file with which `ratsnake run` was started; the flags of `ratsnake run`"
    " still override it. If anything in the file is wrong, nothing changes. Flows that the new"
    " settings allow continue without interruption, and the others end. Forwards that were added"
    " live are removed."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} {MORE}"
    control_arguments.add_socket(parser)


def run(arguments: argparse.Namespace) -> int:
    row = control_arguments.change(arguments, {})
    changes = row["changed"]
    print(f"{row['file']}: {len(changes) or 'nothing'} changed")
    for change in changes:
        print(f"  {Difference(change['key'], change['old'], change['new'])}")
    for line in told(row):
        print(line)
    return 0


def told(row: dict[str, Any]) -> Iterator[str]:
    """What became of the flows, and what else is to be known; warnings go to standard error."""
    for warning in row["warnings"]:
        print(f"ratsnake: warning: {warning}", file=sys.stderr)
    yield from row["notes"]
    yield f"flows: {row['kept']} kept, {row['ended']} ended"
