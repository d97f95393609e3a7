"""What `ratsnake top` knows: a look at the running NAT, and what changed since the last one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..daemon.control.control_client import ask, ask_rows
from ..daemon.user_errors import RunError
from ..daemon.views.traffic_rates import Counts, counts, per_second

Row = dict[str, Any]

HOSTS = 100  # asked for: as many as a tall terminal shows
BY = ("bytes", "sessions")


@dataclass(frozen=True)
class Choice:
    """What is looked at: hosts in which order, and a row filter's texts ("" for all)."""

    by: str = BY[0]
    host: str = ""
    protocol: str = ""

    @property
    def filters(self) -> dict[str, str]:
        given = {"host": self.host, "protocol": self.protocol}
        return {name: text for name, text in given.items() if text}


@dataclass(frozen=True)
class Look:
    """`rates` as of daemon/views/traffic_rates.py, None at first; `drops`: packets by reason."""

    status: Row
    rates: Counts | None
    drops: dict[str, tuple[int, float]]  # in all, and a second
    ports: list[Row]
    hosts: list[Row]


class Observer:
    """Looks at the NAT of a control socket; raises RunError where it does not answer."""

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._before: tuple[float, Row] | None = None

    def look(self, choice: Choice) -> Look:
        hosts = list(ask(self._path, "hosts", {"by": choice.by, "limit": HOSTS, **choice.filters}))
        only = {"protocol": choice.protocol} if choice.protocol else {}
        ports = list(ask_rows(self._path, "ports", only))
        (status,) = self._status()
        now = self._clock()
        before, self._before = self._before, (now, status["counters"])
        rates, drops = status["rates"], status["counters"]["dropped"]
        dropped = {reason: (count, 0.0) for reason, count in drops.items()}
        if before is not None and now > before[0] and _is_same(before[1], status["counters"]):
            seconds, earlier = now - before[0], before[1]["dropped"]
            rates = per_second(counts(before[1]), counts(status["counters"]), seconds)
            dropped = {
                reason: (count, round((count - earlier.get(reason, 0)) / seconds, 1))
                for reason, count in drops.items()
            }
        return Look(status, rates, dropped, ports, hosts)

    def _status(self) -> list[Row]:
        rows = list(ask(self._path, "status"))
        if len(rows) != 1:
            raise RunError(f"the NAT gave {len(rows)} status objects instead of one")
        return rows


def _is_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the counters are of the same NAT: those of one started anew go back."""
    return all(
        after[name]["packets"] >= before[name]["packets"] for name in ("outbound", "inbound")
    )
