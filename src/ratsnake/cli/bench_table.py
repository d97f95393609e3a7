"""What `ratsnake bench` prints: medians, ratios, how far they can be trusted, and the engine."""

from collections.abc import Iterable, Iterator

from ..bench.contestants import RATSNAKE
from ..bench.machine_info import QUIET
from ..bench.measure_table import MEASURES, Measure
from ..bench.result import Result
from ..bench.result_summary import middle, noise, ratio, spread
from .bench_engine import engine_lines
from .text_format import Column, columns, number

_SPREAD = 5  # characters of " ±12%"


def lines(result: Result) -> Iterator[str]:
    """The whole report; with three contestants 80 columns wide."""
    yield from _head(result)
    if result.rounds:
        measures = [one for one in MEASURES if _measured(result, one)]
        yield from _medians(result, measures)
        yield from _ratios(result, [one for one in measures if one.compared])
        yield from _noise(result)
    if result.engine is not None:
        yield from engine_lines(result.engine)
    for failure in result.failures:
        yield (
            f"not measured: {failure.trial} of {failure.contestant} in round {failure.round}:"
            f" {failure.message}"
        )


def _head(result: Result) -> Iterator[str]:
    machine, versions = result.machine, result.versions
    yield (
        f"ratsnake {versions['ratsnake']} ({versions['engine']}), {result.date},"
        f" {machine['cores']} x {machine['processor']}, Linux {machine['kernel']}"
    )
    count = len(result.rounds)
    rounds = f"{'one round' if count == 1 else f'medians of {count} rounds'}, " if count else ""
    yield f"{rounds}{'quick, ' if result.quick else ''}measured in {result.seconds:.0f} s"
    yield ""


def _medians(result: Result, measures: Iterable[Measure]) -> Iterator[str]:
    headings = [Column(""), Column("")]
    headings += [Column(name, number=True) for name in result.commands]
    rows = [
        [one.heading, one.unit, *(_cell(result, name, one.key) for name in result.commands)]
        for one in measures
    ]
    if len(result.rounds) > 1:
        spreads = [noise(result, name) for name in result.commands]
        cells = [number(far and 100 * far) + " " * _SPREAD for far in spreads]
        rows.append(["±, median of all", "%", *cells])
    yield from columns(headings, rows)
    if len(result.rounds) > 1:
        yield "±: median absolute deviation between rounds"
    yield ""


def _cell(result: Result, contestant: str, measure: str) -> str:
    """The median and its spread, which where it is missing leaves its room empty."""
    value = number(middle(result, contestant, measure))
    if len(result.rounds) < 2:
        return value
    far = spread(result, contestant, measure)
    return value + ("" if far is None else f" ±{100 * far:.0f}%").ljust(_SPREAD)


def _ratios(result: Result, measures: Iterable[Measure]) -> Iterator[str]:
    others = [name for name in result.commands if name != RATSNAKE]
    headings = [Column("ratsnake"), *(Column(f"to {name}", number=True) for name in others)]
    rows = []
    for one in measures:
        ratios = [ratio(result, one.key, RATSNAKE, name) for name in others]
        rows.append(
            [one.heading, *(number(found) for found in ratios), "less" if one.less else "more"]
        )
    yield from columns([*headings, Column("is better")], rows)
    yield ""


def _noise(result: Result) -> Iterator[str]:
    steal = max(one.steal for one in result.rounds)
    foreign = max(one.foreign for one in result.rounds)
    yield (
        f"at worst the hypervisor took {100 * steal:.1f} % of the processors' time, other programs"
        f" {100 * foreign:.1f} %"
    )
    waited = sum(one.waited for one in result.rounds)
    yield f"waited {waited:.0f} s for a quiet machine"
    for place, one in enumerate(result.rounds):
        if one.busy >= QUIET:
            yield f"NOT QUIET: {100 * one.busy:.0f} % busy when round {place + 1} began"
    yield ""


def _measured(result: Result, measure: Measure) -> bool:
    return any(middle(result, name, measure.key) is not None for name in result.commands)
