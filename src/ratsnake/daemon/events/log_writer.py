"""The events' log: a thread that writes to the sink, and the bounded queue before it.

A sink may stall (a full pipe, a network file system) or fail (a full disk) for as long as it
likes: packets and the control socket do not notice.  What is lost is counted and told.
"""

import logging
import queue
import threading

from .event_hub import Wanted, lost_event
from .event_json import Clock, line
from .log_sinks import Sink

QUEUE = 16  # batches of event_hub.BATCH lines at most that wait to be written
FAREWELL_SECONDS = 2.0  # for what is left at the end

log = logging.getLogger(__name__)


class EventWriter:
    """Writes what it is offered until `close`."""

    def __init__(self, sink: Sink, wanted: Wanted, clock: Clock) -> None:
        self.wanted = wanted
        self._sink = sink
        self._clock = clock
        self._queue: queue.Queue[list[bytes] | None] = queue.Queue(QUEUE)
        self._lost = 0
        self._lost_lock = threading.Lock()
        self._failing = False
        # A daemon, for a sink that stalls must not keep the NAT from stopping.
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def offer(self, lines: list[bytes]) -> None:
        # Not before there is something to write: a thread keeps the capabilities that the process
        # had when it began (daemon/privilege_drop.py).
        if self._thread.ident is None:
            self._thread.start()
        try:
            self._queue.put_nowait(lines)
        except queue.Full:
            self._lose(len(lines))

    def close(self) -> None:
        """Write what waits, if that does not take long, and close the sink."""
        if self._thread.ident is None:
            self._sink.close()
            return
        try:
            self._queue.put(None, timeout=FAREWELL_SECONDS)
        except queue.Full:
            log.warning("events: %s does not take them; the last ones are lost", self._sink.name)
            return
        self._thread.join(FAREWELL_SECONDS)

    def _lose(self, count: int) -> None:
        with self._lost_lock:
            self._lost += count

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            self._write(lines)
        self._sink.close()

    def _write(self, lines: list[bytes]) -> None:
        with self._lost_lock:
            lost, self._lost = self._lost, 0
        if lost:
            lines = [line(lost_event(self._clock, lost)), *lines]
        try:
            self._sink.write(lines)
        except OSError as error:
            self._lose(lost + len(lines) - (1 if lost else 0))
            if not self._failing:
                log.warning("events: %s: %s", self._sink.name, error.strerror or error)
            self._failing = True
        else:
            self._failing = False
