"""What the waiting thread does every so often, beside answering."""

import time
from collections.abc import Callable


class PeriodicTask:
    """`action`, to be done every `period` seconds; `due` is when next, by `clock`."""

    def __init__(
        self,
        period: float,
        action: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.due = clock() + period
        self._period = period
        self._action = action
        self._clock = clock

    def perform(self) -> None:
        """Do it if it is due.  What was missed is not made up for."""
        if self._clock() >= self.due:
            self.due = self._clock() + self._period
            self._action()
