"""A hash index: open addressing with linear probing over slots of (32-bit tag, 32-bit row).

The tag is the key's hash and gives the home slot too, so rows are read only where the tag fits and
removal can close the gap without reading any row.  Who owns the rows walks `slots` to find a key:
that loop stands in every table, because a comparison passed as a function would cost a call.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32, u64

    from .records import Words, new_words, release


class Index:
    """Arguments are not checked: rows must be those of entries that are there."""

    slots: Words

    def __init__(self, rows: int) -> None:
        """Room for `rows` entries (1..2**30) at a load of at most one half."""
        size = 1 << max(4, (2 * rows - 1).bit_length())
        self.mask = size - 1
        self.slots = new_words(size)

    def __dealloc__(self) -> None:
        release(self.slots)

    def insert(self, tag: u32, row: u32) -> None:
        entry: u64 = tag
        at: u64 = tag & self.mask
        while self.slots[at]:
            at = at + 1 & self.mask
        self.slots[at] = entry << 32 | row

    def remove(self, tag: u32, row: u32) -> None:
        """Remove an entry known to be there, and move later ones of its cluster up."""
        wanted: u64 = tag
        wanted = wanted << 32 | row
        hole: u64 = tag & self.mask
        while self.slots[hole] != wanted:
            hole = hole + 1 & self.mask
        at: u64 = hole + 1 & self.mask
        home: u64
        while self.slots[at]:
            home = self.slots[at] >> 32 & self.mask
            # An entry may move into the hole unless its home lies after the hole.
            if (at - home & self.mask) >= (at - hole & self.mask):
                self.slots[hole] = self.slots[at]
                hole = at
            at = at + 1 & self.mask
        self.slots[hole] = 0
