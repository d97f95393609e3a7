"""The failures a user can do something about; each message is one line, complete by itself.

With each the exit status of a command that ends so.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

STATUS_RUN = 1
STATUS_USAGE = 2
TRIES = 5  # of what may succeed the next time

T = TypeVar("T")


class UsageError(Exception):
    """What was asked for cannot be right: names the flag, the value and what would be right."""


class RunError(Exception):
    """The request was right but could not be carried out, or ended early."""


class TryAgain(RunError):
    """The same may succeed the next time, at once."""


def tried(attempt: Callable[[], T]) -> T:
    """What the first attempt comes to that does not raise TryAgain; raises what the last raises."""
    for _ in range(TRIES - 1):
        try:
            return attempt()
        except TryAgain:
            pass
    return attempt()


def shown(text: str) -> str:
    """A message on one line, with what a terminal would obey instead of showing it escaped."""
    line = " ".join(text.split("\n"))
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


def near(text: str, known: Iterable[str]) -> str:
    """What a message about an unknown word ends with: the nearest of those known, if one is."""
    found = get_close_matches(text, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
