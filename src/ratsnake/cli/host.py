"""`ratsnake host`: what a run changes on this host, and what a killed one left there."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..daemon.configuration.configuration_file import run_options_of
from ..daemon.configuration.flag_table import CONFIG_FLAG, RUN_GROUPS
from ..daemon.configuration.option_parsing import RunOptions
from ..daemon.user_errors import RunError, UsageError
from ..host.processes.forked_call import ChildError
from ..host.routing.routing_request import RoutingError
from .argument_table import add_flags, add_groups, texts

if TYPE_CHECKING:
    from ..host.installation.change_plan import Step

TASKS = {
    "plan": (
        "print the changes that `ratsnake run` would make on this host, as commands, without making"
        " them; if the NAT runs, say which of them are in force"
    ),
    "repair": "remove what killed NATs left; the LAN's packets then take the host's other routes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, summary in TASKS.items():
        task = tasks.add_parser(name, help=summary, description=summary.capitalize() + ".")
        task.allow_abbrev = False
        if name == "plan":
            task.add_argument(
                "--all",
                action="store_true",
                help="list each change that a shared address needs too, instead of their number",
            )
            add_flags(task, [CONFIG_FLAG])
            add_groups(task, RUN_GROUPS)


def run(arguments: argparse.Namespace) -> int:
    lines = {
        "plan": lambda: _plan(run_options_of(texts(arguments)), arguments.all),
        "repair": _repair,
    }
    for line in _asked(lines[arguments.task]):
        print(line)
    return 0


def _asked(task: Callable[[], list[str]]) -> list[str]:
    try:
        return task()
    except (RoutingError, ChildError) as error:
        raise RunError(str(error)) from None


def _plan(options: RunOptions, in_full: bool) -> list[str]:
    from ..daemon.host_integration.host_setup_manager import with_addresses
    from ..daemon.host_integration.host_values import NOTHING
    from ..daemon.host_integration.settings_for_host import fit, request_of
    from ..host.installation.install_changes import foresee

    if not options.lans:
        raise UsageError("--lan IFACE is needed: without it `ratsnake run` touches no route")
    found = with_addresses(options, NOTHING)
    fitted = fit(options, found)
    foreseen = foresee(request_of(fitted.options))
    there = foreseen.in_force
    steps = foreseen.plan.steps
    lines = []
    for summed, group in groupby(
        steps, lambda step: step.sharing and (there is None or step.change in there)
    ):
        if summed and not in_full:
            lines += _counted(list(group), there is not None)
            continue
        pairs = [
            (step.reason if there is None else _marked(step, step.change in there), step.change)
            for step in group
        ]
        for reason, changes in groupby(pairs, lambda pair: pair[0]):
            lines += _explained(reason, [str(change) for _, change in changes])
    return [
        *(_ahead(options.device) if there is None else _of_running(options.device)),
        *(f"# {source} is now {address}" for source, address in found.addresses.items()),
        *(f"# {note}" for note in fitted.notes),
        *_explained("left behind by a killed run", map(str, foreseen.left.all())),
        *lines,
        *(
            line
            for text in (*fitted.warnings, *foreseen.plan.warnings)
            for line in ("", f"# warning: {text}")
        ),
        *([] if there is None else ["", _summary(len(there), len(steps))]),
    ]


def _ahead(device: str) -> list[str]:
    return [
        f"# What `ratsnake run` does on this host once its device {device} is there,",
        "# in this order; it takes it back in the reverse when it stops.",
    ]


def _of_running(device: str) -> list[str]:
    return [
        f"# A NAT runs with the device {device}. What it needs on this host with these",
        "# options, in this order, and whether that is in force now:",
    ]


def _counted(steps: Sequence[Step], in_force: bool) -> list[str]:
    """What shares addresses, in numbers."""
    kinds = Counter(_kind(str(step.change)) for step in steps)
    amounts = ", ".join(f"{kind} ({amount})" for kind, amount in kinds.items())
    return [
        "",
        f"# {'in force: ' if in_force else ''}what divides the shared address: {amounts}.",
        "# The NAT gets pings and the packets for its ports, this host keeps all others;",
        "# `ratsnake host plan --all` lists these commands too.",
    ]


def _kind(command: str) -> str:
    """The program, and of ip(8) its object."""
    return " ".join(command.split()[: 2 if command.startswith("ip ") else 1])


def _marked(step: Step, in_force: bool) -> str:
    return f"{'in force' if in_force else 'MISSING'}: {step.reason}"


def _summary(in_force: int, wanted: int) -> str:
    missing = wanted - in_force
    if not missing:
        return f"# {wanted} of {wanted} are in force"
    verb, them = ("is", "it") if missing == 1 else ("are", "them")
    return f"# {missing} of {wanted} {verb} missing: `ratsnake reload` makes {them} again"


def _repair() -> list[str]:
    from ..host.installation.install_changes import repair

    return list(repair()) or ["# nothing was left behind"]


def _explained(reason: str, commands: Iterable[str]) -> list[str]:
    lines = list(commands)
    return ["", f"# {reason}", *lines] if lines else []
