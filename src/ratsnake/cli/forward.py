"""`ratsnake forward`: static forwards of the running NAT."""

import argparse
import json
from typing import Any

from ..daemon.configuration.flag_table import FORWARD_FLAG
from ..daemon.configuration.option_parsing import running_socket_path
from ..daemon.control.control_client import ask
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
LASTS = f"This lasts {UNTIL}; then the configuration file counts again."
COLUMNS = (Column("FORWARD"), Column("ORIGIN"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} Changes last {UNTIL}."
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, summary in TASKS.items():
        more = "" if name == "list" else f" {LASTS}"
        description = f"{summary.capitalize()}.{more}"
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
        control_arguments.add_socket(task)


def run(arguments: argparse.Namespace) -> int:
    if arguments.task == "list":
        _list(arguments)
        return 0
    FORWARD_FLAG.read(arguments.forward, "forward")  # a mistake is told, whether a NAT runs or not
    row = control_arguments.change(arguments, {arguments.task: arguments.forward})
    done, passing = ("added", "live") if arguments.task == "add" else ("removed", "configured")
    until = f" {UNTIL}" if row["origin"] == passing else ""
    print(f"{arguments.forward}: {done}{until}")
    for line in told(row):
        print(line)
    return 0


def _list(arguments: argparse.Namespace) -> None:
    rows = list(ask(running_socket_path(texts(arguments)), "forwards"))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    for line in columns(COLUMNS, map(_cells, rows)):
        print(line)


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    return row["forward"], row["origin"]
