"""Poisoned rows (row_layouts.py) for the interpreter: touching one that is not in use fails."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

Fields = TypeVar("Fields")
Rows = dict[int, Fields]


def unpoison(rows: Rows[Fields], row: int, kind: type[Fields]) -> None:
    """Let a row be read and written that is in use from now on: what was poisoned is 0."""
    it: Any = rows.setdefault(row, kind())
    for field in fields(it):
        if not hasattr(it, field.name):
            setattr(it, field.name, 0)


def poison(rows: Rows[Fields], row: int, readable: tuple[str, ...]) -> None:
    """Let a touch of a row that is no longer in use be an AttributeError, but for what says so."""
    it: Any = rows[row]
    for field in fields(it):
        if field.name not in readable:
            delattr(it, field.name)


def both(
    kind: type[Fields], *readable: str
) -> tuple[Callable[[Rows[Fields], int], None], Callable[[Rows[Fields], int], None]]:
    """`unpoison` and `poison` for the rows of one table."""

    def claim(rows: Rows[Fields], row: int) -> None:
        unpoison(rows, row, kind)

    def leave(rows: Rows[Fields], row: int) -> None:
        poison(rows, row, readable)

    return claim, leave
