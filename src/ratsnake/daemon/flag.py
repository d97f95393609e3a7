"""A flag: a name, what it accepts, and what it is when not given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import UsageError


@dataclass(frozen=True)
class Flag:
    """One flag: its key (`--KEY`), what it accepts, and what it is when not given.

    `parse` raises ValueError saying what would be right. `default` is text a user could have
    written (a tuple of texts when the flag repeats); None where there is none. A `switch` takes no
    value on the command line: to give it is to say yes.
    """

    key: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    default: str | tuple[str, ...] | None = None
    required: bool = False
    repeat: bool = False
    switch: bool = False

    @property
    def name(self) -> str:
        return f"--{self.key}"

    def read(self, text: str) -> Any:
        """The value of `text`; raises UsageError."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(f"{self.name} {text}: {error}") from None
