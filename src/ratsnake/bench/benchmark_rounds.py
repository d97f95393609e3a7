"""A whole benchmark: in each round every contestant gets a new network, and every trial is made
with one contestant after another, so that what changes over time changes for all of them.  The
engine by itself comes after the rounds, once."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .. import __version__
from ..daemon.user_errors import RunError
from ..lab.router_nat import GatewayError
from ..nat.compiled_flag import COMPILED
from . import engine_bench, load_programs, machine_info
from .contestants import Contestant, Site, site
from .load_programs import LoadError
from .measure_table import Trial
from .result import Failure, Result, Round

ROUNDS, QUICK_ROUNDS = 5, 1

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be measured; without trials there are no rounds."""

    contestants: Sequence[Contestant]
    trials: Sequence[Trial]
    rounds: int
    engine: bool
    quick: bool

    @property
    def patience(self) -> float:
        """Seconds to wait for a quiet machine, at most and each time."""
        return 3.0 if self.quick else 20.0


def versions(trials: Sequence[Trial]) -> dict[str, str]:
    """Of what takes part; raises RunError where a program is missing."""
    needed = sorted({program for trial in trials for program in trial.programs})
    return {
        "ratsnake": __version__,
        "engine": "compiled" if COMPILED else "interpreted",
        "python": platform.python_version(),
        **{program: load_programs.version(program, "--version") for program in needed},
    }


def run(plan: Plan, tell: Tell) -> Result:
    """Make all rounds; `tell` is given a line whenever something else begins.

    Raises RunError when a contestant does not start or a program is missing; a trial that fails is
    in the result.
    """
    found = versions(plan.trials)
    start = time.monotonic()
    rounds: list[Round] = []
    failures: list[Failure] = []
    for number in range(plan.rounds if plan.trials else 0):
        try:
            rounds.append(_round(plan, number, failures, tell))
        except GatewayError as error:
            raise RunError(str(error)) from None
    alone = None
    if plan.engine:
        machine_info.wait_until_quiet(plan.patience, tell)
        alone = engine_bench.run(plan.quick, tell)
    return Result(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        quick=plan.quick,
        machine=machine_info.facts(),
        versions=found,
        commands={one.name: one.command for one in plan.contestants},
        rounds=rounds,
        failures=failures,
        seconds=round(time.monotonic() - start, 1),
        engine=alone,
    )


def _round(plan: Plan, number: int, failures: list[Failure], tell: Tell) -> Round:
    turn = number % len(plan.contestants)
    order = [*plan.contestants[turn:], *plan.contestants[:turn]]
    steps = len(order) * len(plan.trials)

    def say(done: int, what: str) -> None:
        share = (number * steps + done) / (plan.rounds * steps)
        tell(f"{share:4.0%}  round {number + 1} of {plan.rounds}: {what}")

    say(0, "building networks")
    with ExitStack() as stack:
        sites = [stack.enter_context(site(one)) for one in order]
        quiet = machine_info.wait_until_quiet(plan.patience, lambda text: say(0, text))
        watch = machine_info.Watch()
        values: dict[str, dict[str, float]] = {one.name: {} for one in order}
        done = 0
        for trial in plan.trials:
            for one in sites:
                say(done, f"{trial.name}, {one.name}")
                try:
                    values[one.name].update(_trial(plan, trial, one))
                except (LoadError, OSError) as error:
                    failures.append(Failure(number + 1, trial.name, one.name, str(error)))
                done += 1
        disturbance = watch.end()
    return Round(
        order=[one.name for one in order],
        values=values,
        waited=round(quiet.waited, 1),
        busy=round(quiet.busy, 4),
        steal=round(disturbance.steal, 4),
        foreign=round(disturbance.foreign, 4),
    )


def _trial(plan: Plan, trial: Trial, at: Site) -> dict[str, float]:
    seconds = trial.seconds.quick if plan.quick else trial.seconds.full
    return {key: float(f"{value:.5g}") for key, value in trial.run(at, seconds).items()}
