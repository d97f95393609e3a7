"""Progress on stderr for work that takes longer than a second."""

import shutil
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


class Line:
    """One line that says what is being done; where there is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._due = 0.0
        self._shown = False

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The line goes, so that what is printed next begins on an empty one."""
        if self._shown and self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
        elif now >= self._due:
            self._due = now + LINE_SECONDS
            print(text, file=sys.stderr, flush=True)
        self._shown = True
