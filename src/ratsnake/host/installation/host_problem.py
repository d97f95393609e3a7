"""What is wrong on this host, as it is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the command that helps, "" where none does.

    A problem whose words change with a number or a list is the same one by its `topic`.
    """

    what: str
    command: str = ""
    topic: str = ""

    @property
    def identity(self) -> str:
        return self.topic or str(self)

    def __str__(self) -> str:
        return f"{self.what}: type `{self.command}`" if self.command else self.what
