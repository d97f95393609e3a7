"""Progress on stderr for work that takes longer than a second."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

FIRST_SECONDS = 1.0  # quicker work shows nothing
LINE_SECONDS = 10.0  # between lines where there is no terminal to rewrite one on


def megabytes(done: int) -> str:
    return f"{done / 1e6:.0f} MB"


class Progress:
    """Shows how far something has come, at most once a second.

    `amount` puts into words how much is done where nobody knows of how much.
    """

    def __init__(self, name: str, amount: Callable[[int], str] = megabytes) -> None:
        self._name = name
        self._amount = amount
        self._terminal = sys.stderr.isatty()
        self._due = time.monotonic() + FIRST_SECONDS
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown and self._terminal:
            print(file=sys.stderr)

    def update(self, done: int, total: int | None) -> None:
        """`done` of `total`; None where the total is not known."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + (FIRST_SECONDS if self._terminal else LINE_SECONDS)
        share = f"{100 * done // total} %" if total else self._amount(done)
        start, end = ("\r", "") if self._terminal else ("", "\n")
        print(f"{start}{self._name}: {share}", end=end, file=sys.stderr, flush=True)
        self._shown = True
