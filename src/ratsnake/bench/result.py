"""What a benchmark found, as it is kept in JSON: every value of every round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .engine_bench import EngineResult
from .engine_costs import PacketCost, SessionCost
from .engine_gaps import Gaps
from .engine_memory import Memory
from .engine_ports import LastPort

#: Goes up when an old reader would misread a new file.
FORMAT = 1


@dataclass(frozen=True)
class Round:
    """One round: the order of the contestants, and what they made of it.

    `values` are by contestant and measure; what could not be measured is not there.  `waited` is in
    seconds, the other numbers are shares of the processors' time: `busy` just before the round,
    `steal` and `foreign` during it.
    """

    order: list[str]
    values: dict[str, dict[str, float]]
    waited: float
    busy: float
    steal: float
    foreign: float


@dataclass(frozen=True)
class Failure:
    """A trial that gave no value; rounds count from 1."""

    round: int
    trial: str
    contestant: str
    message: str


@dataclass(frozen=True)
class Result:
    """A whole run.  `commands` has the contestants, with the shell's command where one is a peer;
    `engine` is None where the engine was not measured by itself."""

    date: str
    quick: bool
    machine: dict[str, str | int]
    versions: dict[str, str]
    commands: dict[str, str | None]
    rounds: list[Round]
    failures: list[Failure]
    seconds: float
    engine: EngineResult | None

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Result:
    """Raises ValueError, in one line, for what `to_json` did not write."""
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not isinstance(told, dict) or "format" not in told:
        raise ValueError("is no result of `ratsnake bench --json`: it has no format")
    if told.pop("format") != FORMAT:
        raise ValueError(f"is of another version of ratsnake; this one reads format {FORMAT}")
    try:
        return Result(
            **{
                **told,
                "rounds": [Round(**one) for one in told["rounds"]],
                "failures": [Failure(**one) for one in told["failures"]],
                "engine": _engine(told["engine"]),
            }
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"is no result of `ratsnake bench --json`: {error}") from None


def _engine(told: dict[str, Any] | None) -> EngineResult | None:
    if told is None:
        return None
    return EngineResult(
        told["compiled"],
        [PacketCost(**one) for one in told["packets"]],
        [SessionCost(**one) for one in told["sessions"]],
        Memory(**told["memory"]),
        [LastPort(**one) for one in told["ports"]],
        [Gaps(**one) for one in told["gaps"]],
    )


def values(result: Result, contestant: str, measure: str) -> list[float]:
    """Those of every round that has one."""
    found: list[Mapping[str, float]] = [one.values.get(contestant, {}) for one in result.rounds]
    return [one[measure] for one in found if measure in one]
