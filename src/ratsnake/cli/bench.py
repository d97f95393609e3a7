"""`ratsnake bench`: the NAT measured beside other ways of forwarding; the work is in `bench`."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..bench import benchmark_rounds, contestants
from ..bench.benchmark_rounds import Plan
from ..bench.contestants import Contestant
from ..bench.measure_table import TRIALS
from ..bench.result import Result, from_json
from ..daemon.user_errors import RunError, UsageError
from .progress import Line

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_MOST_ROUNDS = 99

ENGINE = "engine"
ENGINE_SUMMARY = "the engine alone: packets, sessions, memory, ports, gaps"

DESCRIPTION = """\
Measure ratsnake, the null forwarder (the least that a NAT behind a TUN device
can do) and the kernel's own NAT, each between a LAN and an internet in network
namespaces. In every round each of them gets a new network, and each trial runs
with all of them in turn; the results are medians over the rounds. Last, the
engine is measured alone, without packets from outside. All this takes about 9
minutes, or one with --quick; each peer adds 2 minutes.

You need root or a user namespace, iperf3 and sockperf (`make bench` installs
them), and nft for the kernel's NAT. docs/performance.md explains the numbers.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    summaries = {**{trial.name: trial.summary for trial in TRIALS}, ENGINE: ENGINE_SUMMARY}
    # Punctuated, because the manual page makes one paragraph of it.
    parser.epilog = "trials for --only:\n" + ";\n".join(
        f"  {name + ':':13}{text}" for name, text in summaries.items()
    )
    parser.add_argument(
        "--quick", action="store_true", help="run one round with short loads; takes a minute"
    )
    parser.add_argument(
        "--rounds",
        metavar="N",
        help=f"the number of rounds (default: {benchmark_rounds.ROUNDS}; 1 with --quick)",
    )
    parser.add_argument(
        "--only",
        metavar="TRIAL[,TRIAL...]",
        action="append",
        help="run only these trials; may repeat",
    )
    parser.add_argument(
        "--peer",
        metavar="NAME=COMMAND",
        action="append",
        default=[],
        help="measure another NAT too: the shell runs COMMAND in the router, where it must create "
        "the TUN device $RATSNAKE_BENCH_DEVICE and translate to $RATSNAKE_BENCH_EXTERNAL (for the "
        "other variables see docs/performance.md); may repeat",
    )
    parser.add_argument("--json", metavar="FILE", help="write every value of every round to FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw the results: FILE.svg or FILE.png")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="measure nothing; show the results that --json wrote",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.source is not None:
        _refuse_with_from(arguments)
        result = _read(Path(arguments.source))
    else:
        plan = _plan(arguments)
        _check_output(arguments)
        result = _measure(plan)
        if arguments.json is not None:
            Path(arguments.json).write_text(result.to_json())
    from .bench_table import lines

    for line in lines(result):
        print(line)
    if arguments.plot is not None:
        from ..bench.plot import draw

        draw(result, Path(arguments.plot))
    return 1 if result.failures else 0


def _plan(arguments: argparse.Namespace) -> Plan:
    names = [*(trial.name for trial in TRIALS), ENGINE]
    wanted = [name for given in arguments.only or names for name in given.split(",")]
    for name in wanted:
        if name not in names:
            raise UsageError(f"--only: {name!r} is no trial; right is {', '.join(names)}")
    return Plan(
        contestants=(*contestants.built_in(), *_peers(arguments.peer)),
        trials=[trial for trial in TRIALS if trial.name in wanted],
        rounds=_rounds(arguments.rounds, arguments.quick),
        engine=ENGINE in wanted,
        quick=arguments.quick,
    )


def _measure(plan: Plan) -> Result:
    from ..lab.namespace_privilege import PrivilegeError, enter_privileged

    if plan.trials:
        try:
            enter_privileged()
        except PrivilegeError as error:
            raise RunError(f"the benchmark cannot run here: {error}") from None
        if contestants.MASQUERADE not in [one.name for one in plan.contestants]:
            print("masquerade is left out: nft is not there (package nftables)", file=sys.stderr)
    with Line() as line:
        return benchmark_rounds.run(plan, line.show)


def _peers(given: Sequence[str]) -> list[Contestant]:
    taken = {contestants.RATSNAKE, contestants.NULL, contestants.MASQUERADE}
    peers = []
    for text in given:
        name, equals, command = text.partition("=")
        if not equals or not command.strip():
            raise UsageError(f"--peer {text}: right is NAME=COMMAND")
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"--peer {text}: the name {name!r} is not 1 to 16 letters, digits, '.', '_', '-'"
            )
        if name in taken:
            raise UsageError(f"--peer {text}: the name {name!r} is taken; choose another")
        taken.add(name)
        peers.append(contestants.other(name, command))
    return peers


def _rounds(given: str | None, quick: bool) -> int:
    if given is None:
        return benchmark_rounds.QUICK_ROUNDS if quick else benchmark_rounds.ROUNDS
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= _MOST_ROUNDS):
        raise UsageError(f"--rounds {given}: right is a number from 1 to {_MOST_ROUNDS}")
    return int(given)


def _refuse_with_from(arguments: argparse.Namespace) -> None:
    for name in ("quick", "rounds", "only", "peer", "json"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} measures, --from does not: leave one of them out")
    _check_output(arguments)


def _check_output(arguments: argparse.Namespace) -> None:
    """What would only be found out after ten minutes."""
    if arguments.plot is not None:
        if Path(arguments.plot).suffix not in (".svg", ".png"):
            raise UsageError(f"--plot {arguments.plot}: right is a name that ends in .svg or .png")
        if find_spec("matplotlib") is None:
            raise RunError("--plot needs matplotlib: pip install matplotlib")
    for name in (arguments.json, arguments.plot):
        if name is not None and not os.access(Path(name).parent, os.W_OK):
            raise RunError(f"{name}: the folder {Path(name).parent} is not there or not writable")


def _read(path: Path) -> Result:
    try:
        return from_json(path.read_text())
    except ValueError as error:
        raise RunError(f"--from {path}: {error}") from None
