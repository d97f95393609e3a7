"""Rows in another order than the table's: of however many there are, only the first are kept."""

import heapq
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Row = dict[str, Any]

MOST_SORTED = 10_000  # kept where no limit is given: some 10 MB


class Key(NamedTuple):
    """What rows are compared by; numbers are sorted from the largest on."""

    value: Callable[[Row], Any]
    number: bool = False


def number(*fields: str) -> Key:
    """The sum of the fields."""
    return Key(lambda row: sum(row[field] for field in fields), number=True)


def text(field: str) -> Key:
    return Key(lambda row: row[field])


def endpoint(name: str) -> Key:
    """By address, IPv4 first, then by port; what is any comes first."""

    def value(row: Row) -> tuple[int, bytes, int]:
        address, port = row[name], row[f"{name}_port"]
        packed = b"" if address is None else _packed(address)
        return len(packed), packed, -1 if port is None else port

    return Key(value)


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


class Order(NamedTuple):
    """A key, and whether it is turned round."""

    key: Key
    reverse: bool = False

    def first(self, count: int, rows: Iterable[Row]) -> list[Row]:
        """The first `count` rows of this order; equal ones stay as they came."""
        pick = heapq.nlargest if self.key.number != self.reverse else heapq.nsmallest
        return pick(count, rows, key=self.key.value)


class Counted:
    """Counts the rows that pass, and tells how many there have been from time to time."""

    def __init__(self, rows: Iterable[Row], tell: Callable[[int], None]) -> None:
        self._rows = rows
        self._tell = tell
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            self._tell(self.count)
            yield row


Keys = Mapping[str, Key]
