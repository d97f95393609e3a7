"""Numbers by owner and address, for what has no row of its own; one that falls to zero is
forgotten.

An owner is a kind, a row or pool, a remote's port, and which of several such numbers it is.  The
kinds:
- PERMITTED_ADDRESS: how many sessions of a mapping are with a remote address (ADF on an EIM
  mapping);
- PORTS_TOWARD_REMOTE: which ports of a pool are in use toward a remote (port_overloading.py);
- PORTS_OF_ENDPOINT: which ports an internal endpoint has ("distinct" ports; port_overloading.py).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..tables.keyed_hash import hash5
    from ..tables.row_layouts import (
        CounterRows,
        new_counter_rows,
        poison_number,
        unpoison_number,
        unreserve,
    )

    PERMITTED_ADDRESS = 1
    PORTS_TOWARD_REMOTE = 2
    PORTS_OF_ENDPOINT = 3

    PART_BITS = 11

from ..tables.hash_index import Index
from ..tables.hash_secret import Secret


def owner_of(kind: u32, who: u32, port: u32) -> u64:
    """The first number of an owner; the others' owners follow, up to 2 ** PART_BITS in all."""
    owner: u64 = kind
    owner = owner << 32 | who
    return (owner << 16 | port) << PART_BITS


class CounterTable:
    """Arguments are not checked: rows must be those of entries that are there."""

    rows: CounterRows

    def __init__(self, capacity: int, secret: Secret) -> None:
        """Room for `capacity` numbers.

        There is room for all that the tables of their users can need (`rows_needed`); what had none
        would not be counted.
        """
        self.capacity = capacity
        self.secret = secret
        self.rows = new_counter_rows(capacity + 1)
        self.index = Index(capacity)
        self.free = 0
        self.fresh = 1

    def __dealloc__(self) -> None:
        unreserve(self.rows)

    def find(self, owner: u64, high: u64, low: u64, tag: u32) -> u32:
        row: u32 = self.index.first(tag)
        while row:
            if (
                self.rows[row].owner == owner
                and self.rows[row].high == high
                and self.rows[row].low == low
            ):
                return row
            row = self.index.next()
        return 0

    def tag_of(self, owner: u64, high: u64, low: u64) -> u32:
        return hash5(self.secret.words, owner, 0, high, low, 0)

    def get(self, owner: u64, high: u64, low: u64) -> u64:
        row: u32 = self.find(owner, high, low, self.tag_of(owner, high, low))
        return self.rows[row].number if row else 0

    def enter(self, owner: u64, high: u64, low: u64) -> u32:
        """The row of a number, made if there is none; it must not stay zero.  0 if none is left."""
        tag: u32 = self.tag_of(owner, high, low)
        row: u32 = self.find(owner, high, low, tag)
        if row:
            return row
        row = self.free
        if row:
            self.free = self.rows[row].number
        elif self.fresh <= self.capacity:
            row = self.fresh
            self.fresh += 1
        else:
            return 0
        unpoison_number(self.rows, row)
        self.rows[row].owner = owner
        self.rows[row].high = high
        self.rows[row].low = low
        self.rows[row].number = 0
        self.index.insert(tag, row)
        moved: u32 = self.index.moving()
        while moved:
            self.index.move(
                self.tag_of(self.rows[moved].owner, self.rows[moved].high, self.rows[moved].low),
                moved,
            )
            moved = self.index.moving()
        return row

    def settle(self, row: u32) -> None:
        """Forget a number that has become zero."""
        if self.rows[row].number:
            return
        self.index.remove(
            self.tag_of(self.rows[row].owner, self.rows[row].high, self.rows[row].low), row
        )
        self.rows[row].number = self.free
        self.free = row
        poison_number(self.rows, row)

    def add(self, owner: u64, high: u64, low: u64) -> None:
        """Count one more."""
        row: u32 = self.enter(owner, high, low)
        if row:
            self.rows[row].number += 1

    def remove(self, owner: u64, high: u64, low: u64) -> None:
        """Count one less of what was counted."""
        row: u32 = self.find(owner, high, low, self.tag_of(owner, high, low))
        if row:
            self.rows[row].number -= 1
            self.settle(row)

    def set_bit(self, owner: u64, high: u64, low: u64, bit: u32) -> u64:
        """Set a bit that is not set; the number then."""
        one: u64 = 1
        row: u32 = self.enter(owner, high, low)
        if row == 0:
            return 0
        self.rows[row].number |= one << bit
        return self.rows[row].number

    def clear_bit(self, owner: u64, high: u64, low: u64, bit: u32) -> u64:
        """Clear a bit that is set; the number before."""
        one: u64 = 1
        row: u32 = self.find(owner, high, low, self.tag_of(owner, high, low))
        if row == 0:
            return 0
        before: u64 = self.rows[row].number
        self.rows[row].number = before ^ one << bit
        self.settle(row)
        return before
