"""What the commands share that ask the running NAT: where it is, and JSON instead of text."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ..daemon.configuration.flag_table import SOCKET_FLAGS
from ..daemon.configuration.option_parsing import running_socket_path
from ..daemon.control.control_client import NOTHING, ask, ask_for_change
from .argument_table import add_flags, texts
from .progress import Progress


def add_socket(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, SOCKET_FLAGS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def change(arguments: argparse.Namespace, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The running NAT's answer to a command that changes it; raises UsageError or RunError."""
    with Progress("waiting for the NAT", lambda seconds: f"{seconds} s") as progress:
        return ask_for_change(
            running_socket_path(texts(arguments)),
            arguments.command,
            wanted,
            lambda seconds: progress.update(seconds, None),
        )


def rows(
    arguments: argparse.Namespace, question: Mapping[str, Any] = NOTHING, patient: bool = False
) -> Iterator[dict[str, Any]]:
    """The running NAT's answer to the command that `arguments` are of; see `ask`."""
    return ask(running_socket_path(texts(arguments)), arguments.command, question, patient)
