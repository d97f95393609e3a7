"""Packet-loop calls that read events from the engine's ring, and say which are wanted."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..events.event_record import EventRows, copied, new_event_rows
    from ..events.event_ring import RING
    from ..tables.row_layouts import unreserve

    def copy_events(to: EventRows, rows: EventRows, first: u32, count: u32) -> None:
        """Copy `count` events from row `first` to the beginning of other rows."""
        for k in range(count):
            to[k] = rows[first + k]


from ..events.event_recorder import Events
from ..events.event_ring import EventRing
from .packet_loop_call import PacketLoopCall


class EventBatch(PacketLoopCall):
    """The oldest events, which are then no longer in the ring: `most` at most, and perhaps fewer
    than there are."""

    rows: EventRows

    def __init__(self, ring: EventRing, most: int) -> None:
        self.ring = ring
        self.most = min(most, RING)
        self.rows = new_event_rows(self.most)
        self.count = self.lost = 0

    def __dealloc__(self) -> None:
        unreserve(self.rows)

    def run(self) -> None:
        first: u32 = self.ring.first
        self.count = min(self.most, self.ring.count, RING - first)
        copy_events(self.rows, self.ring.rows, first, self.count)
        self.lost = self.ring.lost
        self.ring.lost = 0
        self.ring.take(self.count)

    def result(self) -> tuple[bytes, int]:
        """The events as bytes; and how many were lost before them since the last batch."""
        return copied(self.rows, 0, self.count), self.lost


class Listening(PacketLoopCall):
    """From now on events are noted as `wanted` says."""

    def __init__(self, events: Events, wanted: int) -> None:
        self.events = events
        self.wanted = wanted

    def run(self) -> None:
        self.events.listen(self.wanted)
