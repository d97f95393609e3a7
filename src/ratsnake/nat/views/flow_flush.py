"""Flows ended because somebody wants them to, some at a time, as if they had expired just then.

A mapping ends with the last session in which the inside has sent, so all that is ever ended here
are sessions.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..rules.timeout_classes import TIMERS
    from ..tables.mapping_table import FREE
    from ..tables.row_layouts import Mappings, Sessions

    MOST_ENDED = 64  # sessions a page, beside the unanswered ones that go with the last mapping

from ..translation.packet_translator import Translator
from .packet_loop_call import PacketLoopCall
from .row_filter import RowFilter


class FlushPage(PacketLoopCall):
    """Ends flows of at most `count` table rows from `start` on, perhaps of fewer.

    Mappings made after the moment `began` live on: so the work has an end, and a flow that comes
    again at once is not ended twice.  `began` and `now` are in milliseconds.
    """

    def __init__(
        self,
        translator: Translator,
        start: int,
        count: int,
        began: int,
        now: int,
        wanted: RowFilter,
    ) -> None:
        self.translator = translator
        self.wanted = wanted
        self.first = start
        self.count = count
        self.began = began
        self.now = now
        self.next = self.mappings = self.sessions = self.sessions_before = 0

    def run(self) -> None:
        # A packet may have come since `now`, and nothing ends before its last packet.
        self.now = max(self.now, self.translator.clock)
        mappings: u32 = self.translator.flows.mappings.count
        self.sessions_before = self.translator.flows.sessions.count
        self.next = self.end_rows()
        self.mappings = mappings - self.translator.flows.mappings.count
        self.sessions = self.sessions_before - self.translator.flows.sessions.count

    def end_rows(self) -> u32:
        """End what is wanted; the table row to go on with, 0 after the last."""
        return 0

    def is_done(self) -> bool:
        """Whether it has ended as much as packets should wait for."""
        return self.sessions_before - self.translator.flows.sessions.count >= MOST_ENDED

    def result(self) -> tuple[int, int, int]:
        """How many mappings and sessions were ended, and the table row to go on with or 0."""
        return self.mappings, self.sessions, self.next


class MappingFlush(FlushPage):
    """Ends mappings, whatever remotes they have; `start` is a row of theirs."""

    def end_rows(self) -> u32:
        m: Mappings = self.translator.flows.mappings.rows
        i: u32 = max(self.first, 1)
        fresh: u32 = self.translator.flows.mappings.fresh
        end: u32 = min(i + self.count, fresh)
        # A mapping with many sessions is ended by several pages, which all begin with it.
        while i < end and not self.is_done():
            if (
                m[i].policy != FREE
                and m[i].first
                and m[i].created <= self.began
                and self.wanted.has_local(self.translator.flows, i)
            ):
                self.translator.flows.end_session(m[i].first, self.now)
            else:
                i += 1
        return i if i < fresh else 0


class SessionFlush(FlushPage):
    """Ends sessions with some remotes, and mappings that have no others; `start` is a row of
    sessions."""

    def end_rows(self) -> u32:
        m: Mappings = self.translator.flows.mappings.rows
        s: Sessions = self.translator.flows.sessions.rows
        i: u32 = max(self.first, TIMERS + 1)
        fresh: u32 = self.translator.flows.sessions.fresh
        end: u32 = min(i + self.count, fresh)
        while i < end and not self.is_done():
            if (
                s[i].mapping
                and m[s[i].mapping].created <= self.began
                and self.wanted.has_session(self.translator.flows, i)
            ):
                self.translator.flows.end_session(i, self.now)
            i += 1
        return i if i < fresh else 0
