"""A running NAT's events: the log that was asked for, and the clients that watch."""

import math
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from ...nat.views.row_tuples import PROTOCOL_NAMES
from ..configuration.event_kinds import KINDS, USUAL_KINDS
from ..configuration.option_parsing import EventOptions
from ..control.control_protocol import WATCHERS
from .event_hub import Engine, EventHub, Wanted, Watcher
from .event_json import Clock
from .log_sinks import Sink, open_sink
from .log_writer import EventWriter

PERIOD = 0.1  # seconds between two looks, unless there is more than one look brings
LAST_BATCHES = 64  # that are still read when the NAT stops: more than the engine's ring holds


def open_log(options: EventOptions) -> Sink | None:
    """The sink that was asked for; raises RunError."""
    return open_sink(options.sink) if options.sink is not None else None


class Events:
    def __init__(
        self,
        nat: Engine,
        options: EventOptions,
        sink: Sink | None,
        now: Callable[[], int],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`now` is the packet loop's clock in milliseconds, `wall` the time of day in seconds."""
        self._clock = Clock(now, wall)
        self._hub = EventHub(nat, self._clock)
        self._writer: EventWriter | None = None
        self._next = time.monotonic()
        self.tell = self._hub.tell
        self._log(options, sink)

    @property
    def due(self) -> float:
        """When `pump` is to be called, of time.monotonic(); never where nobody listens."""
        return self._next if self._hub.listeners else math.inf

    def pump(self) -> None:
        """Hand on a batch of what has happened."""
        more = self._hub.pump()
        self._next = time.monotonic() + (0 if more else PERIOD)

    def watch(self, request: dict[str, Any]) -> Watcher:
        """The stream that a request asks for; raises ValueError."""
        wanted = _wanted(request)
        if self._hub.watchers >= WATCHERS:
            raise ValueError(f"{WATCHERS} clients are watching already; try again")
        return Watcher(wanted, self._hub, self._clock)

    def change(self, options: EventOptions, sink: Sink | None) -> None:
        """Log other kinds from now on, or to `sink`; what has happened is logged as it was asked.

        `sink` is None where the log stays where it is, or there is to be none.
        """
        self._write_out()
        if self._writer is not None and sink is None and options.sink is not None:
            self._hub.want(self._writer, Wanted(options.kinds, options.destinations))
            return
        self._end_log()
        self._log(options, sink)

    def close(self) -> None:
        """Write what has happened up to now."""
        self._write_out()
        self._end_log()

    def _log(self, options: EventOptions, sink: Sink | None) -> None:
        if sink is not None:
            wanted = Wanted(options.kinds, options.destinations)
            self._writer = EventWriter(sink, wanted, self._clock)
            self._hub.add(self._writer)

    def _write_out(self) -> None:
        for _ in range(LAST_BATCHES):
            if not self._hub.pump():
                break

    def _end_log(self) -> None:
        if self._writer is not None:
            self._hub.remove(self._writer)
            self._writer.close()
            self._writer = None


def _wanted(request: dict[str, Any]) -> Wanted:
    kinds = request.get("kinds", list(USUAL_KINDS))
    if not isinstance(kinds, list) or not all(
        isinstance(kind, str) and kind in KINDS for kind in kinds
    ):
        raise ValueError(f"kinds: must be a list of {', '.join(KINDS)}")
    protocol = request.get("protocol")
    if protocol is not None and protocol not in PROTOCOL_NAMES:
        raise ValueError(f"protocol: must be one of {', '.join(PROTOCOL_NAMES)}")
    host = request.get("host")
    if host is not None:
        try:
            host = str(ip_address(str(host)))
        except ValueError:
            raise ValueError(f"host {host}: must be an inside address") from None
    return Wanted(frozenset(kinds), request.get("destinations") is True, protocol, host)
