"""A hash index that grows with use: open addressing with linear probing over 32-bit slots.

A slot holds a row number and, in the bits that leaves, the upper bits of the key's 32-bit hash, the
*tag*; its lower bits are the home slot.  So few rows are read whose key is another.  Who owns the
rows compares the keys:

    row = index.first(tag)
    while row and not <the row's key is the one looked for>:
        row = index.next()

A removed entry leaves a *tombstone*, unless it was the last of its cluster.  When three quarters of
the slots are in use, entries move to another array, a few at every insertion, so that no packet
waits for a whole table; until the last has moved, look-ups search both.  A slot has not enough of
the hash for another size, so the owner computes it anew:

    index.insert(tag, row)
    row = index.moving()
    while row:
        index.move(<the tag of row's key>, row)
        row = index.moving()
"""

from __future__ import annotations

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M32, u32, u64

    from .row_layouts import (
        Numbers,
        emptied,
        forget,
        prefetch_number,
        reserved_numbers,
        unreserve,
    )

    SMALLEST = 64  # slots an index starts with
    MOVED = 8  # slots of the old array that are looked at with every insertion
    FORGOTTEN = 0x40000  # slots whose memory goes back in one go


class Index:
    """Arguments are not checked: rows must be those of entries that are there.

    At most half of the slots hold entries when a move begins at the same size, three quarters when
    the size doubles.  An eighth of the old size is inserted until the move is over, so the next one
    never begins before.
    """

    slots: Numbers
    old: Numbers
    walked: Numbers

    def __init__(self, rows: int) -> None:
        """Room for `rows` entries (1..2**26), whose row numbers are 1..`rows`."""
        size = 1 << (2 * rows - 1).bit_length()
        self.largest = max(size, SMALLEST)
        self.row_bits = (1 << (rows + 1).bit_length()) - 1
        self.slots = emptied(reserved_numbers(self.largest), SMALLEST)
        self.old = reserved_numbers(self.largest)
        self.walked = self.slots
        self.mask = SMALLEST - 1
        self.count = self.used = 0
        self.old_mask = self.cursor = self.forgotten = self.budget = 0
        self.at = self.tag = self.walked_mask = 0
        self.is_last = False

    def __dealloc__(self) -> None:
        unreserve(self.slots)
        unreserve(self.old)

    def first(self, tag: u32) -> u32:
        """The first row whose key may have this tag, or 0."""
        self.tag = tag
        self.walked = self.slots
        self.walked_mask = self.mask
        self.is_last = self.old_mask == 0
        self.at = tag & self.mask
        return self.next()

    def next(self) -> u32:
        """The row after the one that `first` or `next` gave, or 0.  Nothing may change between."""
        at: u32 = self.at
        row_bits: u32 = self.row_bits
        slot: u32 = self.walked[at]
        while True:
            while slot:
                at = at + 1 & self.walked_mask
                if (slot ^ self.tag) & ~row_bits & M32 == 0 and slot & row_bits != row_bits:
                    self.at = at
                    return slot & row_bits
                slot = self.walked[at]
            if self.is_last:
                self.at = at
                return 0
            self.is_last = True
            self.walked = self.old
            self.walked_mask = self.old_mask
            at = self.tag & self.old_mask
            slot = self.walked[at]

    def announce(self, tag: u32) -> None:
        """A look-up of this tag follows: have its home slot brought near."""
        prefetch_number(self.slots, tag & self.mask)

    def candidate(self, tag: u32) -> u32:
        """`first`, without leave to go on with `next`, and only among the entries that need not be
        moved: for who has announced a look-up and may guess wrong."""
        row_bits: u32 = self.row_bits
        at: u32 = tag & self.mask
        slot: u32 = self.slots[at]
        while slot and ((slot ^ tag) & ~row_bits & M32 or slot & row_bits == row_bits):
            at = at + 1 & self.mask
            slot = self.slots[at]
        return slot & row_bits

    def insert(self, tag: u32, row: u32) -> None:
        """Enter a row that is not there; what `moving` then gives must be moved."""
        if self.used * 4 >= (self.mask + 1) * 3:
            self.begin()
        self.count += 1
        self.move(tag, row)
        self.go_on()

    def move(self, tag: u32, row: u32) -> None:
        """Enter a row that `moving` gave."""
        at: u32 = tag & self.mask
        slot: u32 = self.slots[at]
        while slot and slot & self.row_bits != self.row_bits:
            at = at + 1 & self.mask
            slot = self.slots[at]
        if slot == 0:
            self.used += 1
        self.slots[at] = tag & ~self.row_bits & M32 | row

    def expect_as_many(self, other: Index) -> None:
        """Be as large as another index from the start, for its entries follow."""
        size: u64 = min(other.mask + 1, self.largest)
        if self.used == 0:
            self.slots = emptied(self.slots, size)
            self.mask = size - 1

    def begin(self) -> None:
        """Begin to move to another array: of twice the size, or if that is needless of the same."""
        size: u64 = self.mask + 1
        bigger: u64 = size
        if self.count * 2 > size and size < self.largest:
            bigger = size * 2
        spare: Numbers = self.old
        self.old = self.slots
        self.old_mask = self.mask
        self.slots = emptied(spare, bigger)
        self.mask = bigger - 1
        self.used = 0
        self.cursor = 0

    def go_on(self) -> None:
        """Let `moving` give a few more rows."""
        self.budget = MOVED

    def moving(self) -> u32:
        """The next row to be entered by `move`, or 0 when it is enough for now."""
        slot: u32
        while self.old_mask and self.budget:
            if self.cursor > self.old_mask:
                self.forget_old()
                return 0
            self.budget -= 1
            slot = self.old[self.cursor]
            if slot and slot & self.row_bits != self.row_bits:
                # Later entries of the cluster may still be here: the way to them stays.
                self.old[self.cursor] = self.row_bits
                self.cursor += 1
                return slot & self.row_bits
            self.cursor += 1
        if self.forgotten:
            self.forget_old()
        return 0

    def forget_old(self) -> None:
        """Give some of the array's memory back, all of whose entries have moved."""
        size: u64 = self.old_mask + 1 if self.old_mask else self.forgotten
        piece: u64 = min(size, FORGOTTEN)
        self.old_mask = 0
        forget(self.old, size - piece, piece)
        self.forgotten = size - piece

    def remove(self, tag: u32, row: u32) -> None:
        """Remove an entry known to be there."""
        wanted: u32 = tag & ~self.row_bits & M32 | row
        at: u32 = tag & self.mask
        slot: u32 = self.slots[at]
        self.count -= 1
        while slot and slot != wanted:
            at = at + 1 & self.mask
            slot = self.slots[at]
        if slot == 0:
            at = tag & self.old_mask
            while self.old[at] != wanted:
                at = at + 1 & self.old_mask
            self.old[at] = self.row_bits
            return
        self.slots[at] = self.row_bits
        if self.slots[at + 1 & self.mask]:
            return
        # Nothing comes after it: no look-up needs the tombstone, nor those before it.
        while self.slots[at] and self.slots[at] & self.row_bits == self.row_bits:
            self.slots[at] = 0
            self.used -= 1
            at = at - 1 & self.mask
