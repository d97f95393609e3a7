"""Counts of things that are in use together; a count that falls to zero is forgotten.

Three kinds share the table, told apart in the key:
- PERMITTED_ADDRESS: sessions of a mapping with a remote address (ADF on an EIM mapping);
- PORTS_TOWARD_REMOTE: external ports in use toward one remote (is a shared port set exhausted?);
- PORT_OF_ENDPOINT: mappings of an internal endpoint on an external port ("distinct" ports).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32, u64

    from .hashing import hash5
    from .records import Tallies, new_tallies, unreserve

    PERMITTED_ADDRESS = 1
    PORTS_TOWARD_REMOTE = 2
    PORT_OF_ENDPOINT = 3

from .index import Index
from .secret import Secret


class Tally:
    """Arguments are not checked: rows must be those of entries that are there."""

    rows: Tallies

    def __init__(self, capacity: int, secret: Secret) -> None:
        """Room for `capacity` counts."""
        self.capacity = capacity
        self.secret = secret
        self.rows = new_tallies(capacity + 1)
        self.index = Index(capacity)
        self.free = 0
        self.fresh = 1

    def __dealloc__(self) -> None:
        unreserve(self.rows)

    def owner_of(self, kind: u32, who: u32, port: u32) -> u64:
        owner: u64 = kind
        owner = owner << 32 | who
        return owner << 16 | port

    def tag_of(self, row: u32) -> u32:
        return hash5(
            self.secret.words, self.rows[row].owner, 0, self.rows[row].high, self.rows[row].low, 0
        )

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

    def count(self, kind: u32, who: u32, port: u32, high: u64, low: u64) -> u32:
        owner: u64 = self.owner_of(kind, who, port)
        row: u32 = self.find(owner, high, low, hash5(self.secret.words, owner, 0, high, low, 0))
        return self.rows[row].count if row else 0

    def add(self, kind: u32, who: u32, port: u32, high: u64, low: u64) -> None:
        """Count one more.  The capacities of the tables that call make sure there is room."""
        owner: u64 = self.owner_of(kind, who, port)
        tag: u32 = hash5(self.secret.words, owner, 0, high, low, 0)
        row: u32 = self.find(owner, high, low, tag)
        if row == 0:
            row = self.free
            if row:
                self.free = self.rows[row].next
            else:
                row = self.fresh
                self.fresh += 1
            self.rows[row].owner = owner
            self.rows[row].high = high
            self.rows[row].low = low
            self.rows[row].count = 0
            self.index.insert(tag, row)
            moved: u32 = self.index.moving()
            while moved:
                self.index.move(self.tag_of(moved), moved)
                moved = self.index.moving()
        self.rows[row].count += 1

    def remove(self, kind: u32, who: u32, port: u32, high: u64, low: u64) -> None:
        owner: u64 = self.owner_of(kind, who, port)
        tag: u32 = hash5(self.secret.words, owner, 0, high, low, 0)
        row: u32 = self.find(owner, high, low, tag)
        self.rows[row].count -= 1
        if self.rows[row].count == 0:
            self.index.remove(tag, row)
            self.rows[row].next = self.free
            self.free = row
