"""The bytes of the fuzzer as choices: read from the front, and zeros when there are no more."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Data:
    """True while there is something left."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._octets)

    def octets(self, size: int) -> bytes:
        """At most so many."""
        taken = self._octets[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        return self.octets(len(self._octets))

    def byte(self) -> int:
        return int.from_bytes(self.octets(1))

    def word(self) -> int:
        return int.from_bytes(self.octets(2))

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[self.byte() % len(items)]
