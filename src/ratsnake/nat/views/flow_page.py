"""Flows copied by the packet loop in their form outside the tables, a page at a time."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..handover.flow_record import FLOW_SIZE, write_flow
    from ..rules.timeout_classes import TIMERS
    from ..tables.row_layouts import Octets, Sessions, new_octets, release

    def octets_of(b: Octets, size: u32) -> bytes:
        """The first octets of a buffer."""
        return bytes(b[:size])


from ..translation.flow_lifecycle import Flows
from .packet_loop_call import PacketLoopCall


class FlowPage(PacketLoopCall):
    """The flows in some rows of the table of sessions."""

    forms: Octets

    def __init__(self, flows: Flows, start: int, count: int, now: int) -> None:
        """Those of at most `count` table rows from `start` that live on at `now` (ms)."""
        self.flows = flows
        self.first = max(start, TIMERS + 1)
        self.count = min(count, flows.sessions.capacity)
        self.now = now
        self.size = self.next = 0
        self.forms = new_octets(self.count * FLOW_SIZE)

    def __dealloc__(self) -> None:
        release(self.forms)

    def run(self) -> None:
        s: Sessions = self.flows.sessions.rows
        i: u32
        fresh: u32 = self.flows.sessions.fresh
        end: u32 = min(self.first + self.count, fresh)
        for i in range(self.first, end):
            if s[i].mapping and s[i].expires > self.now:
                write_flow(self.flows, i, self.now, self.forms, self.size)
                self.size += FLOW_SIZE
        self.next = end if end < fresh else 0

    def result(self) -> tuple[bytes, int]:
        """The flows' forms; and the row to go on with, or 0."""
        return octets_of(self.forms, self.size), self.next
