"""`ratsnake flush`: end chosen flows of the running NAT."""

import argparse
import json
from dataclasses import replace
from typing import Any

from ..daemon.configuration.option_parsing import read_flags
from ..daemon.user_errors import UsageError
from ..daemon.views.row_request import FILTER_FLAGS
from . import control_arguments
from .argument_table import add_flags, texts
from .progress import Progress

REMOTE_HELP = (
    "only sessions with remote hosts in this prefix; a mapping ends if it has no other sessions"
)
FLAGS = tuple(
    replace(flag, help=REMOTE_HELP) if flag.key == "remote" else flag for flag in FILTER_FLAGS
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    control_arguments.add_arguments(parser)
    which = parser.add_argument_group(
        "which flows", "With several filters, a flow must match all of them."
    )
    add_flags(which, FLAGS)
    which.add_argument("--all", action="store_true", help="end all flows")


def run(arguments: argparse.Namespace) -> int:
    question = _question(arguments)
    ended = {"mappings": 0, "sessions": 0}
    with Progress("flush", lambda sessions: f"{sessions} sessions ended") as progress:
        for ended in control_arguments.rows(arguments, question):
            progress.update(ended["sessions"], None)
    if arguments.json:
        print(json.dumps(ended))
    else:
        print(f"ended {_counted(ended, 'mapping')} and {_counted(ended, 'session')}")
    return 0


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is asked for; raises UsageError where that is nothing, or contradicts itself."""
    given = texts(arguments)
    read_flags(FLAGS, given)  # a mistake is told here, whether a NAT runs or not
    wanted = {flag.key: given[flag.key] for flag in FLAGS if given[flag.key] is not None}
    if arguments.all and wanted:
        filters = " and ".join(f"--{key}" for key in wanted)
        raise UsageError(f"--all ends every flow: leave it out, or {filters}")
    if not arguments.all and not wanted:
        filters = ", ".join(flag.name for flag in FLAGS)
        raise UsageError(f"say which flows are to end: {filters}, or --all for every one")
    return {"all": True} if arguments.all else wanted


def _counted(ended: dict[str, int], what: str) -> str:
    count = ended[f"{what}s"]
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
