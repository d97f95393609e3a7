"""The settings in force, and how others come into force: as a whole or not at all.

    read and checked → nothing that needs a restart → fitted to this host → log and tables there →
    this host changed → the NAT changes places with its successor, under the worker's lock

What fails leaves all as it was.  The service's one thread does it, so one change comes after the
other, and a stop after that.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..nat.nat import Nat
from .configuration.differences import Difference, differences
from .configuration.file import Asked
from .configuration.options import RunOptions
from .errors import RunError
from .events.events import Events, open_log
from .events.sinks import Sink
from .loop.engine import make_nat
from .loop.live_nat import LiveNat
from .seed import fresh
from .surroundings import change_host, fit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What has changed, and how many sessions lived on and ended with it.

    `notes` and `warnings` are of how the settings fit this host.
    """

    changed: tuple[Difference, ...]
    kept: int
    ended: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """For the control protocol."""
        return {
            "changed": [{"key": one.key, "old": one.old, "new": one.new} for one in self.changed],
            "kept": self.kept,
            "ended": self.ended,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


class InForce:
    """`asked` is what the user wants, and `configured` what of it lasts; `fitted` is what it comes
    to on this host."""

    def __init__(
        self,
        asked: Asked,
        fitted: RunOptions,
        nat: LiveNat,
        events: Events,
        now: Callable[[], int],
        tell: Callable[[RunOptions], None],
    ) -> None:
        """`now` is the worker's clock in milliseconds; `tell` gets the fitted options when they
        have changed."""
        self.asked = self.configured = asked
        self.fitted = fitted
        self._nat = nat
        self._events = events
        self._now = now
        self._tell = tell

    def change(self, asked: Asked) -> Outcome:
        """Let what is asked for be in force; raises UsageError or RunError with nothing changed."""
        outcome = self.change_for_now(asked)
        self.configured = asked
        return outcome

    def change_for_now(self, asked: Asked) -> Outcome:
        """Likewise, until the next change that lasts."""
        changed = differences(self.asked.texts, asked.texts)
        _refuse([one for one in changed if one.restart])
        fitted = fit(asked.options)
        warnings = fitted.warnings
        kept, ended = self._nat.totals().usage()["sessions"], 0
        if fitted.options != self.fitted:
            sink = self._other_sink(fitted.options)
            try:
                successor = None
                if fitted.options.nat.settings != self.fitted.nat.settings:
                    successor = make_nat(fitted.options.nat.settings, fresh())
                warnings += change_host(self.fitted, fitted.options)
                if successor is not None:
                    kept, ended = self._move_to(successor, fitted.options)
            except RunError:
                if sink is not None:
                    sink.close()
                raise
            if fitted.options.events != self.fitted.events:
                self._events.change(fitted.options.events, sink)
            self._tell(fitted.options)
        self.asked, self.fitted = asked, fitted.options
        for line in (*map(str, changed), *fitted.notes):
            log.info("%s", line)
        for line in warnings:
            log.warning("%s", line)
        log.info("%d settings changed; %d sessions kept, %d ended", len(changed), kept, ended)
        return Outcome(changed, kept, ended, fitted.notes, warnings)

    def _move_to(self, successor: Nat, options: RunOptions) -> tuple[int, int]:
        """Let it take over; returns how many sessions it keeps, and how many end."""
        try:
            moved = self._nat.replace(successor, self._now)
        except MemoryError:
            change_host(options, self.fitted)
            raise RunError("there is no memory to move the flows in; nothing has changed") from None
        return moved.kept, moved.ended

    def _other_sink(self, options: RunOptions) -> Sink | None:
        """The sink that the log is to go to, if that is another; raises RunError."""
        if options.events.sink == self.fitted.events.sink:
            return None
        return open_log(options.events)


def _refuse(restart: Sequence[Difference]) -> None:
    if restart:
        raise RunError(
            f"{'; '.join(map(str, restart))}: cannot change while the NAT runs; restart it"
        )
