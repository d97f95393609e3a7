"""`ratsnake host`: what a run changes on this host, and what a killed one left there."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from ..daemon.configuration.file import run_options_of
from ..daemon.configuration.flags import CONFIG_FLAG, RUN_GROUPS
from ..daemon.configuration.options import RunOptions
from ..daemon.errors import RunError, UsageError
from ..host.child import ChildError
from ..host.request import RoutingError
from .flags import add_flags, add_groups, texts

TASKS = {
    "plan": "print what `ratsnake run` would change on this host, as commands, and change nothing",
    "repair": "remove what killed runs left behind: the LAN's packets then go their own way",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, summary in TASKS.items():
        task = tasks.add_parser(name, help=summary, description=summary.capitalize() + ".")
        task.allow_abbrev = False
        if name == "plan":
            add_flags(task, [CONFIG_FLAG])
            add_groups(task, RUN_GROUPS)


def run(arguments: argparse.Namespace) -> int:
    lines = {"plan": lambda: _plan(run_options_of(texts(arguments))), "repair": _repair}
    for line in _asked(lines[arguments.task]):
        print(line)
    return 0


def _asked(task: Callable[[], list[str]]) -> list[str]:
    try:
        return task()
    except (RoutingError, ChildError) as error:
        raise RunError(str(error)) from None


def _plan(options: RunOptions) -> list[str]:
    from ..daemon.surroundings.findings import NOTHING
    from ..daemon.surroundings.fitting import fit, request_of
    from ..daemon.surroundings.hosting import with_addresses
    from ..host.routing import foresee

    if not options.lans:
        raise UsageError("--lan IFACE is needed: without it `ratsnake run` touches no route")
    found = with_addresses(options, NOTHING)
    fitted = fit(options, found)
    left, plan = foresee(request_of(fitted.options))
    steps = [(step.reason, str(step.change)) for step in plan.steps]
    return [
        f"# What `ratsnake run` does on this host once its device {options.device} is there,",
        "# in this order; it takes it back in the reverse when it stops.",
        *(f"# {source} is now {address}" for source, address in found.addresses.items()),
        *(f"# {note}" for note in fitted.notes),
        *_explained("left behind by a killed run", map(str, left.all())),
        *(line for reason, commands in _together(steps) for line in _explained(reason, commands)),
        *(
            line
            for text in (*fitted.warnings, *plan.warnings)
            for line in ("", f"# warning: {text}")
        ),
    ]


def _repair() -> list[str]:
    from ..host.routing import repair

    return list(repair()) or ["# nothing was left behind"]


def _together(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Neighbouring commands with one reason, together."""
    for reason, group in groupby(pairs, key=lambda pair: pair[0]):
        yield reason, [command for _, command in group]


def _explained(reason: str, commands: Iterable[str]) -> list[str]:
    lines = list(commands)
    return ["", f"# {reason}", *lines] if lines else []
