"""The events that wait to be read: a bounded ring; what has no room is lost and counted."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..tables.row_layouts import NONE32, unreserve
    from .event_record import EventRows, clear, new_event_rows, poison_events, unpoison_events

    RING = 16384  # events that wait


class EventRing:
    rows: EventRows

    def __init__(self) -> None:
        self.rows = new_event_rows(RING)
        poison_events(self.rows, 0, RING)
        self.first = self.count = 0
        self.lost = 0

    def __dealloc__(self) -> None:
        unreserve(self.rows)

    def new_row(self, kind: u32, time: u64) -> u32:
        """An empty row for an event, or NONE32 if the ring is full."""
        if self.count == RING:
            self.lost += 1
            return NONE32
        at: u32 = (self.first + self.count) % RING
        self.count += 1
        unpoison_events(self.rows, at, 1)
        clear(self.rows, at)
        self.rows[at].kind = kind
        self.rows[at].time = time
        return at

    def take(self, most: u32) -> u32:
        """Give up the oldest events, `most` at most, that lie one behind the other: how many."""
        count: u32 = min(most, self.count, RING - self.first)
        poison_events(self.rows, self.first, count)
        self.count -= count
        # From an empty ring's start again, so that only as much of it is touched as was ever full.
        self.first = (self.first + count) % RING if self.count else 0
        return count
