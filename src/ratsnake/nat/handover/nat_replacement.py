"""One NAT takes the place of another: its flows, its counters and its events.

What does not go over: fragments of which others are still to come, packets from outside that wait
to be answered, and what was spent of the budget for errors.
"""

from __future__ import annotations

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.drop_reasons import REASONS_COUNT
    from ..rules.timeout_classes import TIMERS
    from ..tables.mapping_table import FREE
    from ..tables.row_layouts import (
        Mappings,
        Numbers,
        Octets,
        Sessions,
        new_numbers,
        new_octets,
        release,
    )
    from ..tables.session_table import INSIDE_SENT
    from .auxiliary_state import leave_auxiliary_state
    from .flow_record import FLOW_SIZE, write_flow

    ALL = 0xFFFFFFFF

from ..nat import Nat
from .flow_insertion import FlowInserter


class NatReplacement:
    """`kept` and `ended` count sessions; `before` and `after` are the flows of both NATs."""

    form: Octets
    heirs: Numbers

    def __init__(self, old: Nat, new: Nat) -> None:
        """`new` has translated nothing yet; `old` is then good for nothing but to be thrown away.

        Raises ValueError where `new` has sessions.
        """
        self.old = old
        self.new = new
        self.before = old.translator.flows
        self.after = new.translator.flows
        if self.after.sessions.entered:
            raise ValueError("the NAT that is to take over has sessions of its own already")
        self.inserter = FlowInserter(self.after)
        self.form = new_octets(FLOW_SIZE)
        # Of each mapping of the old NAT the one of the new that goes on for it.
        self.heirs = new_numbers(self.before.mappings.fresh)
        self.kept = self.ended = 0
        self.wanted = 0
        self.counts = self.dates = False

    def __dealloc__(self) -> None:
        release(self.form)
        release(self.heirs)

    def run(self, now: int) -> None:
        """`now` in milliseconds, as both NATs are told it."""
        # Both note into one ring, so that events stay in their order and their readers need not
        # know.
        self.new.events.ring = self.old.events.ring
        self.new.translator.identifications = self.old.translator.identifications
        clock: u64 = now
        with cython.nogil:
            self.take_over(max(clock, self.old.clock))

    def take_over(self, now: u64) -> None:
        self.new.clock = now
        self.new.translator.clock = now
        self.go_on_alike()
        self.before.expire(now, ALL)
        self.hush()
        self.expect()
        self.take_sessions(INSIDE_SENT, now)
        self.take_sessions(0, now)
        leave_auxiliary_state(self.before, self.after, now)
        self.take_mappings(now)
        self.take_counters()
        self.take_notes()

    def go_on_alike(self) -> None:
        """With the same secrets, so that hosts keep their external address (RFC 4787 REQ-2), and
        with the same random numbers, so that none comes twice."""
        k: u32
        for k in range(8):
            self.after.secret.words[k] = self.before.secret.words[k]
        self.after.generator.key0 = self.before.generator.key0
        self.after.generator.key1 = self.before.generator.key1
        self.after.generator.counter = self.before.generator.counter
        self.after.generator.spare = self.before.generator.spare
        self.after.generator.has_spare = self.before.generator.has_spare

    def hush(self) -> None:
        """What only goes on is not told as new."""
        self.wanted = self.new.events.wanted
        self.counts = self.new.events.counts
        self.dates = self.new.events.dates
        self.new.events.wanted = 0
        self.new.events.counts = False

    def expect(self) -> None:
        """As many entries as there are now: so none has to move to a larger index on the way."""
        self.after.sessions.by_internal.expect_as_many(self.before.sessions.by_internal)
        self.after.sessions.by_external.expect_as_many(self.before.sessions.by_external)
        self.after.mappings.by_internal.expect_as_many(self.before.mappings.by_internal)
        self.after.mappings.by_external.expect_as_many(self.before.mappings.by_external)
        self.after.counters.index.expect_as_many(self.before.counters.index)
        self.after.allocator.endpoints.index.expect_as_many(self.before.allocator.endpoints.index)
        self.after.hosts.index.expect_as_many(self.before.hosts.index)

    def take_sessions(self, confirmed: u32, now: u64) -> None:
        """Those in which the inside has sent, or the others; the latest used first."""
        s: Sessions = self.before.sessions.rows
        timer: u32
        i: u32
        older: u32
        self.inserter.begin()
        for timer in range(1, TIMERS + 1):
            i = s[timer].older
            while i != timer:
                older = s[i].older
                if s[i].flags & INSIDE_SENT == confirmed:
                    self.take_session(i, now)
                i = older

    def take_session(self, i: u32, now: u64) -> None:
        expires: u64 = self.before.sessions.rows[i].expires
        row: u32 = 0
        if expires > now:
            write_flow(self.before, i, now, self.form, 0)
            row = self.inserter.insert(self.form, 0, now, 0)
            if row:
                self.kept += 1
                self.inherit(i, row, now)
                return
            self.ended += 1
        self.before.detach(i, min(now, expires))

    def inherit(self, i: u32, row: u32, now: u64) -> None:
        """Session i of the old NAT goes on as session `row` of the new one."""
        was: u32 = self.before.sessions.rows[i].mapping
        m: u32 = self.after.sessions.rows[row].mapping
        if self.old.events.dates:
            self.new.events.opened[row] = self.old.events.opened[i]
        if self.after.mappings.rows[m].sessions > 1:
            return
        # The session is the first of its mapping: the old one goes on, or this has split off it.
        if self.heirs[was] == 0:
            self.heirs[was] = m
            return
        self.after.mappings.rows[m].created = now
        self.new.events.wanted = self.wanted | self.old.events.wanted
        self.new.events.mapping_made(m, now)
        self.new.events.wanted = 0

    def take_mappings(self, now: u64) -> None:
        """What ended sessions have counted goes over; a mapping without an heir has ended."""
        m: u32
        if not self.old.events.counts:
            return
        r: Mappings = self.before.mappings.rows
        for m in range(1, self.before.mappings.fresh):
            if r[m].policy == FREE:
                continue
            if self.heirs[m]:
                self.new.events.sums[self.heirs[m]] = self.old.events.sums[m]
            else:
                self.old.events.mapping_removed(m, now)

    def take_counters(self) -> None:
        self.new.traffic.add(self.old.traffic)
        self.new.error_policy.sent = self.new.error_policy.sent + self.old.error_policy.sent
        self.after.mappings.entered = self.before.mappings.entered
        self.after.sessions.entered = self.before.sessions.entered

    def take_notes(self) -> None:
        """Who listened to the old NAT listens to the new one, and is told no more than before."""
        k: u32
        self.new.events.wanted = self.wanted | self.old.events.wanted
        self.new.events.counts = self.counts or self.old.events.counts
        self.new.events.dates = self.dates or self.old.events.dates
        self.new.events.silenced = self.old.events.silenced
        self.new.events.summary_due = self.old.events.summary_due
        for k in range(REASONS_COUNT):
            self.new.events.paid_until[k] = self.old.events.paid_until[k]
            self.new.events.suppressed[k] = self.old.events.suppressed[k]
            self.new.events.reached_at[k] = self.old.events.reached_at[k]
        self.old.events.wanted = 0
