"""`ratsnake doctor`: what is wrong on this host now, with the command that helps."""

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any

from ..daemon.configuration.option_parsing import running_socket_path
from ..daemon.control.control_client import NotRunningError, ask
from ..host.processes.forked_call import ChildError
from . import control_arguments
from .argument_table import texts

MORE = (
    "The running NAT checks its changes to this host, and restores those that other programs have"
    " undone. It also checks interfaces, routes, settings and the packet filter. If no NAT runs,"
    " this command tells root what a killed NAT left, and which of the kernel's own rules are"
    " missing. The exit status is 1 if there is any problem."
)

_ROOTS = "what killed runs left on this host; type `sudo ratsnake doctor`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} {MORE}"
    control_arguments.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    try:
        (answer,) = ask(running_socket_path(texts(arguments)), "doctor")
        found = {
            "problems": [
                *(_problem(one["what"], one["command"]) for one in answer["problems"]),
                *_lost(answer["external"]),
            ],
            "restored": answer["restored"],
            "unseen": [],
        }
    except NotRunningError as error:
        found = _without_nat(str(error))
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for line in _lines(**found):
            print(line)
    return 1 if found["problems"] else 0


def _lines(problems: list[dict[str, str]], restored: int, unseen: list[str]) -> Iterator[str]:
    for problem in problems:
        yield problem["what"]
        if problem["command"]:
            yield f"    {problem['command']}"
    if not problems:
        yield "nothing is wrong"
    if restored:
        yield f"(made again: {restored} of the NAT's changes to this host, which others had undone)"
    for one in unseen:
        yield f"(not looked at: {one})"


def _lost(external: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for one in external:
        if one["lost"]:
            yield _problem(f"{one['follows']}: {one['lost']}", "ip -brief address")


def _without_nat(why: str) -> dict[str, Any]:
    """What can be seen without one: the kernel tells all of it to root only."""
    from ..host.monitoring.runtime_checks import problems_without_run

    problems = [_problem(why, "ratsnake run")]
    if os.geteuid() != 0:
        return {"problems": problems, "restored": 0, "unseen": [_ROOTS]}
    try:
        problems += [_problem(one.what, one.command) for one in problems_without_run()]
    except ChildError as error:
        return {"problems": problems, "restored": 0, "unseen": [f"this host; {error}"]}
    return {"problems": problems, "restored": 0, "unseen": []}


def _problem(what: str, command: str) -> dict[str, str]:
    return {"what": what, "command": command}
