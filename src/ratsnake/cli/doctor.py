"""`ratsnake doctor`: what is wrong on this host now, with the command that helps."""

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any

from ..daemon.configuration.options import running_socket_path
from ..daemon.control.client import ask
from ..daemon.errors import RunError
from ..host.child import ChildError
from . import inquiry
from .flags import texts

MORE = (
    "The running NAT looks anew: at what it has changed on this host, which it makes again where"
    " others have undone it, and at interfaces, routes, settings and the packet filter. Where none"
    " runs, root is told what a killed one left. The exit status is 1 if anything is wrong."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} {MORE}"
    inquiry.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    try:
        (answer,) = ask(running_socket_path(texts(arguments)), "doctor")
        problems, restored = [*answer["problems"], *_lost(answer["external"])], answer["restored"]
    except RunError as error:
        problems, restored = [_problem(str(error), "ratsnake run"), *_left_behind()], 0
    if arguments.json:
        print(json.dumps({"problems": problems, "restored": restored}, indent=2))
    else:
        for line in _lines(problems, restored):
            print(line)
    return 1 if problems else 0


def _lines(problems: list[dict[str, str]], restored: int) -> Iterator[str]:
    for problem in problems:
        yield problem["what"]
        if problem["command"]:
            yield f"    {problem['command']}"
    if not problems:
        yield "nothing is wrong"
    if restored:
        yield f"(others had undone {restored} changes of the NAT to this host: made again)"


def _lost(external: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for one in external:
        if one["lost"]:
            yield _problem(f"{one['follows']}: {one['lost']}", "ip -brief address")


def _left_behind() -> Iterator[dict[str, str]]:
    """What the kernel still has of a killed run, where one may look."""
    from ..host.routing import left_behind

    try:
        count = len(left_behind()) if os.geteuid() == 0 else 0
    except ChildError:
        return
    if count:
        yield _problem(f"a killed run left {count} changes to this host", "ratsnake host repair")


def _problem(what: str, command: str) -> dict[str, str]:
    return {"what": what, "command": command}
