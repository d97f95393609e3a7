"""How much a second: what the counters did in the last few seconds."""

from collections import deque
from collections.abc import Mapping
from typing import Any

WINDOW = 5  # looks that a rate goes back
DIRECTIONS = ("outbound", "inbound")
EVENTS = ("mappings_made", "sessions_opened")

Counts = dict[str, Any]


def counts(counters: Mapping[str, Any]) -> Counts:
    """What there are rates of, of a status object's `counters`."""
    return {
        **{name: dict(counters[name]) for name in DIRECTIONS},
        **{name: counters[name] for name in EVENTS},
        "dropped": sum(counters["dropped"].values()),
    }


def per_second(before: Counts, after: Counts, seconds: float) -> Counts:
    """The difference of two counts, whose form it has, by the time between them (more than 0)."""
    return {
        name: per_second(before[name], value, seconds)
        if isinstance(value, dict)
        else round((value - before[name]) / seconds, 1)
        for name, value in after.items()
    }


class Rates:
    """Looks at the counters from time to time; `seconds` is what the clock says then."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Counts]] = deque(maxlen=WINDOW + 1)

    def note(self, seconds: float, counters: Mapping[str, Any]) -> None:
        self._looks.append((seconds, counts(counters)))

    def now(self) -> Counts | None:
        """Between the first and the last look that are remembered; None before there are two."""
        if len(self._looks) < 2:
            return None
        (began, before), (ended, after) = self._looks[0], self._looks[-1]
        return per_second(before, after, ended - began) if ended > began else None
