"""`ratsnake forward`: static forwards of the running NAT."""

import argparse
import json
from pathlib import Path
from typing import Any

from ..daemon.configuration.file_editing import save_forward
from ..daemon.configuration.flag_table import FORWARD_FLAG
from ..daemon.configuration.option_parsing import running_socket_path
from ..daemon.control.control_client import ask
from ..daemon.control.control_protocol import CONFIGURED, LIVE
from ..daemon.user_errors import RunError
from . import control_arguments
from .argument_table import texts
from .reload import told
from .text_format import Column, columns

TASKS = {
    "add": "forward external ports to an internal host",
    "remove": "remove a static forward and end its flows",
    "list": "list the static forwards, and whether each is configured or live",
}
UNTIL = "until the next `ratsnake reload` or restart"
LASTS = {
    "add": f"This lasts {UNTIL}, unless --save writes it to the configuration file.",
    "remove": f"This lasts {UNTIL}; then the configuration file counts again.",
}
LOST = "so the forward is lost at the next restart or reload"
COLUMNS = (Column("FORWARD"), Column("ORIGIN"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} Changes last {UNTIL}."
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, summary in TASKS.items():
        description = f"{summary.capitalize()}. {LASTS.get(name, '')}".rstrip()
        task = tasks.add_parser(name, help=summary, description=description)
        task.allow_abbrev = False
        if name == "list":
            control_arguments.add_arguments(task)
            continue
        task.add_argument(
            "forward",
            metavar="FORWARD",
            help="the forward, in the notation of `run --forward`: tcp:8080=192.168.1.10:80",
        )
        if name == "add":
            task.add_argument(
                "--save",
                action="store_true",
                help="write it to the configuration file of the running NAT too, so that it stays",
            )
        control_arguments.add_socket(task)


def run(arguments: argparse.Namespace) -> int:
    if arguments.task == "list":
        _list(arguments)
        return 0
    FORWARD_FLAG.read(arguments.forward, "forward")  # a mistake is told, whether a NAT runs or not
    adds = arguments.task == "add"
    save = adds and arguments.save
    again = {"again": True} if save else {}  # what is there already may be still to be saved
    row = control_arguments.change(arguments, {arguments.task: arguments.forward, **again})
    done = "removed" if not adds else "added" if row["changed"] else "is there already"
    print(f"{arguments.forward}: {done}")
    for line in told(row):
        print(line)
    if save:
        _save(arguments.forward, row)
    elif row["origin"] == (LIVE if adds else CONFIGURED):
        print(_how_to_keep(arguments.forward, row, adds))
    return 0


def _save(forward: str, row: dict[str, Any]) -> None:
    """Raises RunError; the NAT has the forward all the same."""
    if row["file"] is None:
        raise RunError(f"not saved: the NAT runs without a configuration file, {LOST}")
    if row["by_flag"]:
        raise RunError(
            f"not saved: `ratsnake run` has --forward, which wins over {row['file']}; add"
            f" --forward {forward} there"
        )
    try:
        save_forward(Path(row["file"]), forward)
    except (OSError, RunError) as error:
        why = f"{row['file']}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise RunError(f"not saved: {why}; {LOST}") from None
    print(f"saved in {row['file']}")


def _how_to_keep(forward: str, row: dict[str, Any], added: bool) -> str:
    if row["file"] is None or row["by_flag"]:
        what = "added to" if added else "taken from"
        return f"This lasts {UNTIL}; forwards that last are {what} the flags of `ratsnake run`."
    if added:
        return f"This lasts {UNTIL}; --save writes it to {row['file']}."
    return f"This lasts {UNTIL}; to keep it so, take the forward out of {row['file']}."


def _list(arguments: argparse.Namespace) -> None:
    rows = list(ask(running_socket_path(texts(arguments)), "forwards"))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    for line in columns(COLUMNS, map(_cells, rows)):
        print(line)


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    return row["forward"], row["origin"]
