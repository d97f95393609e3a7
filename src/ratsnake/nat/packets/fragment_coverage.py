"""Which octets of each fragmented datagram have come: what overlaps, and what is still missing.

No sender makes fragments that overlap, so those that do are taken for an attack on who reassembles
them, and the whole datagram is given up (RFC 5722 section 4, RFC 8200 section 4.5).

A datagram's ranges are disjoint, do not touch, and stand in ascending order, each as one number:
start << 16 | end.  Fragments in order need one range.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M16, u32

    from ..rules.drop_reasons import FRAGMENT_LIMIT, FRAGMENT_OVERLAP, TRANSLATED
    from ..tables.row_layouts import (
        Numbers,
        Octets,
        Shorts,
        new_numbers,
        new_octets,
        new_shorts,
        release,
    )

    RANGES = 32
    PIECES = 128


class Coverage:
    """Rows are those of the table of datagrams; row numbers are not checked."""

    ranges: Numbers
    used: Octets
    pieces: Octets
    lengths: Shorts

    def __init__(self, rows: int) -> None:
        """Nothing has come of any of the rows, 0 to `rows` - 1."""
        self.ranges = new_numbers(rows * RANGES)
        self.used = new_octets(rows)
        self.pieces = new_octets(rows)
        self.lengths = new_shorts(rows)

    def __dealloc__(self) -> None:
        release(self.ranges)
        release(self.used)
        release(self.pieces)
        release(self.lengths)

    def clear(self, row: u32) -> None:
        """Nothing has come of the row's datagram."""
        self.used[row] = 0
        self.pieces[row] = 0
        self.lengths[row] = 0

    def add(self, row: u32, start: u32, end: u32, last: bool) -> u32:
        """Octets `start` to `end` - 1 of the payload came (0 <= start < end <= 65535).

        `last`: no fragment follows these.  FRAGMENT_OVERLAP if some of them came before, if they
        lie beyond the end, or if the end contradicts what came.  FRAGMENT_LIMIT for the 129th
        piece, or one that makes the 33rd range.  Refused octets are not added.
        """
        base: u32 = row * RANGES
        used: u32 = self.used[row]
        length: u32 = self.lengths[row]
        if length and end > length:
            return FRAGMENT_OVERLAP
        if last and used and self.ranges[base + used - 1] & M16 > end:
            return FRAGMENT_OVERLAP
        # The range at `at` is the first that begins at or after the new one.
        at: u32 = used
        while at and self.ranges[base + at - 1] >> 16 >= start:
            at -= 1
        if at and self.ranges[base + at - 1] & M16 > start:
            return FRAGMENT_OVERLAP
        if at < used and self.ranges[base + at] >> 16 < end:
            return FRAGMENT_OVERLAP
        if self.pieces[row] == PIECES:
            return FRAGMENT_LIMIT
        if last:
            length = end
        # The new range swallows the neighbours it touches.
        swallowed: u32 = 0
        if at < used and self.ranges[base + at] >> 16 == end:
            end = self.ranges[base + at] & M16
            swallowed += 1
        if at and self.ranges[base + at - 1] & M16 == start:
            at -= 1
            start = self.ranges[base + at] >> 16
            swallowed += 1
        if swallowed == 0 and used == RANGES:
            return FRAGMENT_LIMIT
        k: u32
        if swallowed == 0:
            for k in range(used, at, -1):
                self.ranges[base + k] = self.ranges[base + k - 1]
        elif swallowed == 2:
            for k in range(at + 1, used - 1):
                self.ranges[base + k] = self.ranges[base + k + 1]
        self.ranges[base + at] = start << 16 | end
        self.used[row] = used + 1 - swallowed
        self.pieces[row] += 1
        self.lengths[row] = length
        return TRANSLATED

    def complete(self, row: u32) -> bool:
        """Whether the end is known and every octet before it has come."""
        length: u32 = self.lengths[row]
        return length != 0 and self.ranges[row * RANGES] == length
