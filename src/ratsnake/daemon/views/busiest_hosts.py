"""The busiest internal hosts, for clients that look at them every few seconds.

    {"command": "hosts", "by": "bytes", "limit": 20, "protocol": "udp", "host": "192.168.1.0/24"}

`by` is "bytes" or "sessions", `limit` at most MOST; the rest is a row's filter
(daemon/views/row_request.py), of which `start` and `generation` have no meaning here.  A row is an
object of

    host        str    the internal address
    sessions    int    the wanted sessions it has
    bytes_out   float  a second, since somebody last looked with the same filter; null at first
    bytes_in    float

A look at 1,000,000 sessions is made in pages like a listing; it is made no oftener than every
LOOK_SECONDS and takes at most a tenth of the time, however many clients ask how often.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...nat.views.host_traffic import HostTraffic
from ...nat.views.row_filter import RowFilter
from ..control.control_protocol import PAGE
from .row_pages import row_filter
from .row_request import RowRequest, read_request

MOST = 100  # hosts in an answer
LOOK_SECONDS = 0.5
SHARE = 10  # times as long as a look takes must be between two
METERS = 4  # filters that are remembered; each costs 16 bytes a session
IDLE_SECONDS = 30.0  # until one that nobody asks any more is given up

Page = list[dict[str, Any]]


class Nat(Protocol):
    """The part of LiveNat that is used here."""

    def host_traffic(self, wanted: RowFilter, most: int) -> HostTraffic: ...
    def look(self, traffic: HostTraffic, start: int, count: int, now: int) -> int: ...
    def name(self, traffic: HostTraffic) -> None: ...


class Meter:
    """One filter's hosts, looked at again and again."""

    def __init__(
        self, nat: Nat, wanted: RowFilter, now: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        self._nat = nat
        self._traffic = nat.host_traffic(wanted, MOST)
        self._now = now
        self._clock = clock
        self._looking = False
        self._due = self.asked = clock()
        self._before: float | None = None  # when the last look began
        self._seconds: float | None = None  # from the one before it to the last

    def pages(self, by_sessions: bool, limit: int) -> Iterator[Page]:
        """Empty pages while the table is looked at, then one of rows."""
        self.asked = self._clock()
        while self._looking:  # for another client
            yield []
        if self._clock() >= self._due:
            yield from self._look()
        self._traffic.rank(by_sessions)
        self._nat.name(self._traffic)
        yield [
            {
                "host": row.host,
                "sessions": row.sessions,
                "bytes_out": self._rate(row.bytes_out),
                "bytes_in": self._rate(row.bytes_in),
            }
            for row in self._traffic.busiest()[:limit]
        ]

    def _look(self) -> Iterator[Page]:
        began = self._clock()
        before, self._before, self._seconds = self._before, None, None
        self._looking = True
        try:
            self._traffic.begin()
            start = 0
            while True:
                start = self._nat.look(self._traffic, start, PAGE, self._now())
                if not start:
                    break
                yield []
        finally:  # also where the client has gone: then the next look is a first one
            self._looking = False
        self._before = began
        self._seconds = None if before is None or began <= before else began - before
        ended = self._clock()
        self._due = ended + max(LOOK_SECONDS, (ended - began) * SHARE)

    def _rate(self, count: int) -> float | None:
        return None if self._seconds is None else round(count / self._seconds, 1)


@dataclass(frozen=True)
class _Asked:
    rows: RowRequest
    by_sessions: bool
    limit: int


class Busiest:
    """Answers the command `hosts`; to be told about once a second that time goes by."""

    def __init__(
        self, nat: Nat, now: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`now` gives the packet loop's clock in milliseconds."""
        self._nat = nat
        self._now = now
        self._clock = clock
        self._meters: dict[RowRequest, Meter] = {}

    def answer(self, request: dict[str, Any]) -> Iterator[Page]:
        """The hosts asked for; raises ValueError."""
        asked = _read(request)
        meter = self._meters.get(asked.rows)
        if meter is None:
            if len(self._meters) >= METERS:
                del self._meters[min(self._meters, key=lambda rows: self._meters[rows].asked)]
            meter = Meter(self._nat, row_filter(asked.rows), self._now, self._clock)
            self._meters[asked.rows] = meter
        return meter.pages(asked.by_sessions, asked.limit)

    def forget_all(self) -> None:
        """Begin anew, for a NAT that took over has its sessions elsewhere."""
        self._meters.clear()

    def forget_idle(self) -> None:
        """Give up what nobody asked for in the last seconds."""
        late = self._clock() - IDLE_SECONDS
        for filtered, meter in tuple(self._meters.items()):
            if meter.asked < late:
                del self._meters[filtered]


def _read(request: dict[str, Any]) -> _Asked:
    by = request.get("by", "bytes")
    if by not in ("bytes", "sessions"):
        raise ValueError('by must be "bytes" or "sessions"')
    rows = read_request(request, others=("by",))
    limit = MOST if rows.limit is None else min(rows.limit, MOST)
    return _Asked(replace(rows, start=0, limit=None, generation=None), by == "sessions", limit)
