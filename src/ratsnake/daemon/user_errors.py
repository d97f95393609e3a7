"""The failures a user can do something about; each message is one line, complete by itself.

With each the exit status of a command that ends so.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

STATUS_RUN = 1
STATUS_USAGE = 2
TRIES = 5  # of what may succeed the next time

T = TypeVar("T")


class UsageError(Exception):
    """What was asked for cannot be right: names the flag, the value and what would be right."""


class UsageErrors(UsageError):
    """Several mistakes, each a message of its own; as text, all on one line."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("; ".join(self.messages))


class Mistakes:
    """Collects UsageErrors, so that all of them are told, each once."""

    def __init__(self, messages: Iterable[str] = ()) -> None:
        self._messages: dict[str, None] = dict.fromkeys(messages)

    @property
    def messages(self) -> tuple[str, ...]:
        return tuple(self._messages)

    def add(self, message: str) -> None:
        self._messages[message] = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes a UsageError that the block raises, and goes on after it."""
        try:
            yield
        except UsageError as error:
            self._messages.update(dict.fromkeys(messages_of(error)))

    def raise_if_any(self) -> None:
        """Raises UsageError, or UsageErrors for several."""
        if len(self._messages) == 1:
            raise UsageError(*self._messages)
        if self._messages:
            raise UsageErrors(self._messages)


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


def messages_of(error: Exception) -> tuple[str, ...]:
    """What it tells, one mistake each."""
    return error.messages if isinstance(error, UsageErrors) else (str(error),)


def shown(text: str) -> str:
    """A message on one line, with what a terminal would obey instead of showing it escaped."""
    line = " ".join(text.split("\n"))
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


def nearest(text: str, known: Iterable[str]) -> list[str]:
    """The one of the words known that `text` most likely means, or none."""
    return get_close_matches(text, list(known), n=1)


def near(text: str, known: Iterable[str]) -> str:
    """What a message about an unknown word ends with: the nearest of those known, if one is."""
    found = nearest(text, known)
    return f"; did you mean {found[0]}?" if found else ""
