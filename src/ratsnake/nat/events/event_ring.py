"""The events that wait to be read: a bounded ring; what has no room is lost and counted."""

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32, u64

    from ..tables.records import NONE32, unreserve
    from .event_record import EventRows, clear, new_event_rows

    RING = 16384  # events that wait


class EventRing:
    rows: EventRows

    def __init__(self) -> None:
        self.rows = new_event_rows(RING)
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
        clear(self.rows, at)
        self.rows[at].kind = kind
        self.rows[at].time = time
        return at
