"""Flows come back from where they were kept, in any order, and perhaps twice."""

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be32
    from ratsnake.wire.integer_types import Bytes, u32, u64

    from ..tables.row_layouts import Numbers, new_numbers, release
    from ..tables.session_table import INSIDE_SENT
    from .flow_record import AT_FLAGS, AT_IDLE, FLOW_SIZE

    ROUNDS = 590_626  # a week of 1,024 ms each, in which the order says nothing

from ..nat import Nat
from .flow_insertion import FlowInserter


class Restoration:
    """`kept`: how many flows went on."""

    latest: Numbers
    others: Numbers

    def __init__(self, nat: Nat) -> None:
        self.flows = nat.translator.flows
        self.inserter = FlowInserter(self.flows)
        # By how long ago they were used: the number of the first form and 1, and of each the next.
        self.latest = new_numbers(ROUNDS)
        self.others = new_numbers(0)
        self.kept = 0

    def __dealloc__(self) -> None:
        release(self.latest)
        release(self.others)

    def run(self, forms: bytearray, now: int, later: int) -> None:
        """Enter flows in the form of flow_record.py, written `later` milliseconds ago."""
        count: u32 = len(forms) // FLOW_SIZE
        release(self.others)
        self.others = new_numbers(count + 1)
        self.insert_all(forms, count, now, later)

    def insert_all(self, b: Bytes, count: u32, now: u64, later: u64) -> None:
        mappings: u64 = self.flows.mappings.entered
        sessions: u64 = self.flows.sessions.entered
        self.sort(b, count, later)
        self.insert_those(b, INSIDE_SENT, now, later)
        self.insert_those(b, 0, now, later)
        # They were counted when they were made.
        self.flows.mappings.entered = mappings
        self.flows.sessions.entered = sessions

    def sort(self, b: Bytes, count: u32, later: u64) -> None:
        k: u32
        idle: u64
        for k in range(count):
            idle = be32(b, k * FLOW_SIZE + AT_IDLE) + later >> 10
            # What is older than the longest timeout does not go on.
            if idle < ROUNDS:
                self.others[k + 1] = self.latest[idle]
                self.latest[idle] = k + 1

    def insert_those(self, b: Bytes, confirmed: u32, now: u64, later: u64) -> None:
        """Those in which the inside has sent, or the others."""
        idle: u32
        k: u32
        self.inserter.begin()
        for idle in range(ROUNDS):
            k = self.latest[idle]
            while k:
                if b[(k - 1) * FLOW_SIZE + AT_FLAGS] & INSIDE_SENT == confirmed:
                    self.kept += self.inserter.insert(b, (k - 1) * FLOW_SIZE, now, later) != 0
                k = self.others[k]
