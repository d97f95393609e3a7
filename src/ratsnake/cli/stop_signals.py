"""Ending a command by SIGINT or SIGTERM between two pieces of work, never within one."""

import signal
from collections.abc import Iterator
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopAsked(BaseException):
    """Raised out of a wait; no failure, so that nothing but `until_stopped` catches it."""


class StopSignals:
    """While entered, the signals end `until_stopped` and nothing else."""

    def __init__(self) -> None:
        self._asked = self._waiting = False

    def __enter__(self) -> "StopSignals":
        self._before = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def until_stopped(self, items: Iterator[T]) -> Iterator[T]:
        """The items; a signal that comes while one is worked on counts after it."""
        while not self._asked:
            try:
                self._waiting = True
                item = next(items)
                self._waiting = False
            except (StopAsked, StopIteration):
                return
            finally:
                self._waiting = False
            yield item

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._waiting:
            self._waiting = False
            raise StopAsked
