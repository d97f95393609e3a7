"""From the rounds' values to what is told: medians, how far rounds differ, ratios."""

from __future__ import annotations

from statistics import median

from .measure_table import MEASURES
from .result import Result, values


def middle(result: Result, contestant: str, measure: str) -> float | None:
    """The median over the rounds; None where nothing was measured."""
    found = values(result, contestant, measure)
    return median(found) if found else None


def spread(result: Result, contestant: str, measure: str) -> float | None:
    """The median absolute deviation as a share of the median; None for under two rounds, or
    around 0."""
    found = values(result, contestant, measure)
    if len(found) < 2 or not median(found):
        return None
    centre = median(found)
    return median(abs(value - centre) for value in found) / centre


def ratio(result: Result, measure: str, contestant: str, to: str) -> float | None:
    """The median of the rounds' ratios; None where no round has both, or the divisor is 0.

    Of each round by itself, for what disturbs a round disturbs both.
    """
    ratios = []
    for one in result.rounds:
        ours, theirs = (one.values.get(name, {}).get(measure) for name in (contestant, to))
        if ours is not None and theirs:
            ratios.append(ours / theirs)
    return median(ratios) if ratios else None


def noise(result: Result, contestant: str) -> float | None:
    """The median of the spreads of its compared measures."""
    spreads = (spread(result, contestant, one.key) for one in MEASURES if one.compared)
    found = [one for one in spreads if one is not None]
    return median(found) if found else None
