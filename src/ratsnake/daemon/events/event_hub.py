"""Where events come together and go out again: to the log, and to whoever watches.

`pump` is called by the service's thread a few times a second.  A listener that does not keep up
loses events, and is told how many.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from ..configuration.event_kinds import KIND_OF, KINDS, LOST
from .event_json import Clock, Event, line, read, without_remote

BATCH = 512  # events that are formatted before something else gets its turn
WAITING = 4096  # lines a watcher has not read yet


class Engine(Protocol):
    """The part of LiveNat that is used here."""

    def listen(self, wanted: int) -> None: ...
    def take_events(self, most: int) -> tuple[bytes, int]: ...


@dataclass(frozen=True)
class Wanted:
    """What a listener asks for: `kinds` of KINDS; a `protocol` and a `host` (internal address) if
    only theirs count; `destinations`: whether remote endpoints are told."""

    kinds: frozenset[str]
    destinations: bool = False
    protocol: str | None = None
    host: str | None = None

    def has(self, event: Event) -> bool:
        kind = KIND_OF.get(event["event"])
        if kind is None:
            return True
        return (
            kind in self.kinds
            and self.protocol in (None, event.get("protocol"))
            and self.host in (None, event.get("internal"))
        )


class Listener(Protocol):
    wanted: Wanted

    def offer(self, lines: list[bytes]) -> None:
        """Take over lines, or lose them; never waits."""


class EventHub:
    def __init__(self, nat: Engine, clock: Clock) -> None:
        self._nat = nat
        self._clock = clock
        self.listeners: list[Listener] = []
        self.watchers = 0
        self._untold: list[Event] = []

    def add(self, listener: Listener) -> None:
        self.listeners.append(listener)
        self._ask()

    def remove(self, listener: Listener) -> None:
        self.listeners.remove(listener)
        self._ask()

    def want(self, listener: Listener, wanted: Wanted) -> None:
        """Let one that listens have other events from now on."""
        listener.wanted = wanted
        self._ask()

    def tell(self, event: str, **fields: Any) -> None:
        """An event that is not the engine's."""
        if self.listeners:
            self._untold.append({**self._clock.stamp(event), **fields})

    def pump(self) -> bool:
        """Hand on a batch of what has happened; whether there may be more."""
        if not self.listeners:
            return False
        raw, lost = self._nat.take_events(BATCH)
        self._clock.set()
        events = [*self._untold, *read(raw, self._clock)]
        self._untold.clear()
        if lost:
            events.append(lost_event(self._clock, lost))
        if events:
            self._hand_out(events)
        return bool(raw)

    def _hand_out(self, events: list[Event]) -> None:
        short: list[bytes | None] = [None] * len(events)
        full: list[bytes | None] = [None] * len(events)
        for listener in self.listeners:
            lines = []
            for at, event in enumerate(events):
                if not listener.wanted.has(event):
                    continue
                made = full if listener.wanted.destinations else short
                text = made[at]
                if text is None:
                    shown = event if listener.wanted.destinations else without_remote(event)
                    text = made[at] = line(shown)
                lines.append(text)
            if lines:
                listener.offer(lines)

    def _ask(self) -> None:
        kinds: Collection[str] = {kind for one in self.listeners for kind in one.wanted.kinds}
        self._nat.listen(sum(KINDS[kind] for kind in kinds))


def lost_event(clock: Clock, count: int) -> Event:
    """So many events were lost here."""
    return {**clock.stamp(LOST), "events": count}


class Watcher:
    """A client that is sent events as they happen: a stream of the control server's."""

    def __init__(self, wanted: Wanted, hub: EventHub, clock: Clock) -> None:
        self.wanted = wanted
        self.wake: Callable[[], None] | None = None
        self._hub = hub
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        hub.watchers += 1
        hub.add(self)

    def offer(self, lines: list[bytes]) -> None:
        # Once some are lost, so are all until it reads again: then the gap is in its place.
        room = 0 if self._lost else WAITING - len(self._waiting)
        self._waiting.extend(lines[:room])
        self._lost += len(lines[room:])
        if self.wake is not None:
            self.wake()

    def take(self) -> bytes:
        """All that waits to be sent, or nothing."""
        taken = b"".join(self._waiting)
        self._waiting.clear()
        if self._lost:
            taken += line(lost_event(self._clock, self._lost))
            self._lost = 0
        return taken

    def close(self) -> None:
        self._hub.watchers -= 1
        self._hub.remove(self)
