"""The tables' rows for who shows them: a page is copied between two packets, and formatted later.

All that knows how a table keeps its fields is in the two `copy_row`.
"""

from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M32, u32, u64

    from ..rules.behaviour_codes import ADM, APDM, EIM, STATIC
    from ..rules.timeout_classes import TIMERS
    from ..tables.mapping_table import FREE
    from ..tables.row_layouts import Mappings, Partners, Sessions, release
    from ..tables.session_table import OPENED_OUTSIDE
    from .row_copies import MappingCopies, SessionCopies, new_mapping_copies, new_session_copies

    PATIENCE = 1024  # expired sessions that are looked at for one page

from ..rules.connection_states import STATE_NAMES
from ..translation.flow_lifecycle import Flows
from .packet_loop_call import PacketLoopCall
from .row_filter import RowFilter
from .row_tuples import PROTOCOL_NAMES, MappingRow, SessionRow


def address_text(high: u64, low: u64) -> str:
    """An address of the engine in the notation of its family."""
    if high == 0 and low >> 32 == 0xFFFF:
        return inet_ntop(AF_INET, int(low & M32).to_bytes(4, "big"))
    packed = int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")
    # inet_ntop takes the last 32 bits of some short addresses for an IPv4 address.
    return inet_ntop(AF_INET6, packed) if high else str(IPv6Address(packed))


def external_text(flows: Flows, row: u32) -> str:
    return address_text(flows.realm.external_high[row], flows.realm.external_low[row])


def external_texts(flows: Flows) -> list[str]:
    """The external addresses by row."""
    return [external_text(flows, row) for row in range(flows.realm.externals)]


class SessionPage(PacketLoopCall):
    """The sessions of some table rows."""

    copies: SessionCopies

    def __init__(self, flows: Flows, start: int, count: int, now: int, wanted: RowFilter) -> None:
        """Those wanted of at most `count` table rows from `start` that live on at `now` (ms)."""
        self.flows = flows
        self.wanted = wanted
        self.first = max(start, TIMERS + 1)
        self.count = min(count, flows.sessions.capacity)
        self.now = now
        self.copied = self.next = 0
        self.copies = new_session_copies(self.count)

    def __dealloc__(self) -> None:
        release(self.copies)

    def run(self) -> None:
        s: Sessions = self.flows.sessions.rows
        i: u32
        fresh: u32 = self.flows.sessions.fresh
        end: u32 = min(self.first + self.count, fresh)
        for i in range(self.first, end):
            if s[i].mapping and s[i].expires > self.now and self.wanted.has_session(self.flows, i):
                self.copy_row(i)
                self.copied += 1
        self.next = end if end < fresh else 0

    def copy_row(self, i: u32) -> None:
        c: SessionCopies = self.copies
        s: Sessions = self.flows.sessions.rows
        m: Mappings = self.flows.mappings.rows
        k: u32 = self.copied
        mapping: u32 = s[i].mapping
        c[k].protocol = m[mapping].protocol
        c[k].internal_high = self.flows.mappings.internal_high(mapping)
        c[k].internal_low = m[mapping].internal_low
        c[k].internal_port = m[mapping].internal_port
        c[k].external = m[mapping].external
        c[k].external_port = m[mapping].external_port
        c[k].remote_high = self.flows.sessions.remote_high(i)
        c[k].remote_low = s[i].remote_low
        c[k].remote_port = s[i].remote_port
        c[k].state = s[i].state
        c[k].flags = s[i].flags
        c[k].expires = s[i].expires
        c[k].packets_out = s[i].packets_out
        c[k].bytes_out = s[i].bytes_out
        c[k].packets_in = s[i].packets_in
        c[k].bytes_in = s[i].bytes_in

    def result(self) -> tuple[list[SessionRow], int]:
        """The rows, and the table row to go on with, 0 after the last."""
        c: SessionCopies = self.copies
        externals = external_texts(self.flows)
        k: u32
        rows = []
        for k in range(self.copied):
            rows.append(
                SessionRow(
                    PROTOCOL_NAMES[c[k].protocol],
                    address_text(c[k].internal_high, c[k].internal_low),
                    c[k].internal_port,
                    externals[c[k].external],
                    c[k].external_port,
                    address_text(c[k].remote_high, c[k].remote_low),
                    c[k].remote_port,
                    STATE_NAMES[c[k].state],
                    (c[k].expires - self.now) // 1000,
                    c[k].packets_out,
                    c[k].bytes_out,
                    c[k].packets_in,
                    c[k].bytes_in,
                    "outside" if c[k].flags & OPENED_OUTSIDE else "inside",
                )
            )
        return rows, self.next


class MappingPage(PacketLoopCall):
    """The mappings of some table rows."""

    copies: MappingCopies

    def __init__(self, flows: Flows, start: int, count: int, now: int, wanted: RowFilter) -> None:
        """Those wanted of at most `count` table rows from `start` that live on at `now` (ms)."""
        self.flows = flows
        self.wanted = wanted
        self.first = max(start, 1)
        self.count = min(count, flows.mappings.capacity)
        self.now = now
        self.copied = self.next = self.patience = 0
        self.copies = new_mapping_copies(self.count)

    def __dealloc__(self) -> None:
        release(self.copies)

    def run(self) -> None:
        """The page ends early where too many expired sessions had to be looked at."""
        m: Mappings = self.flows.mappings.rows
        i: u32
        fresh: u32 = self.flows.mappings.fresh
        end: u32 = min(self.first + self.count, fresh)
        self.patience = PATIENCE
        for i in range(self.first, end):
            if self.patience == 0:
                self.next = i
                return
            if (
                m[i].policy != FREE
                and self.wanted.has_mapping(self.flows, i)
                and self.shows_life(i)
            ):
                self.copy_row(i)
                self.copied += 1
        self.next = end if end < fresh else 0

    def shows_life(self, i: u32) -> bool:
        """`Flows.shows_life` with patience: when that ends, the mapping is taken to live, for the
        sweep is late by a second at most."""
        m: Mappings = self.flows.mappings.rows
        s: Sessions = self.flows.sessions.rows
        if m[i].policy >= STATIC:
            return True
        left: u32 = m[i].confirmed
        session: u32 = m[i].first
        while left and self.patience:
            if s[session].expires > self.now:
                return True
            session = s[session].ring_next
            left -= 1
            self.patience -= 1
        return left != 0

    def copy_row(self, i: u32) -> None:
        c: MappingCopies = self.copies
        m: Mappings = self.flows.mappings.rows
        partners: Partners = self.flows.mappings.partners
        k: u32 = self.copied
        c[k].protocol = m[i].protocol
        c[k].internal_high = self.flows.mappings.internal_high(i)
        c[k].internal_low = m[i].internal_low
        c[k].internal_port = m[i].internal_port
        c[k].external = m[i].external
        c[k].external_port = m[i].external_port
        c[k].sessions = m[i].sessions
        c[k].created = m[i].created
        c[k].is_static = m[i].policy >= STATIC
        c[k].depends = EIM
        if m[i].policy < STATIC:
            c[k].depends = self.flows.policies.rows[m[i].policy].mapping
        if c[k].depends >= ADM:
            c[k].remote_high = partners[i].remote_high
            c[k].remote_low = partners[i].remote_low
            c[k].remote_port = partners[i].remote_port

    def result(self) -> tuple[list[MappingRow], int]:
        """The rows, and the table row to go on with, 0 after the last."""
        c: MappingCopies = self.copies
        externals = external_texts(self.flows)
        k: u32
        rows = []
        for k in range(self.copied):
            rows.append(
                MappingRow(
                    PROTOCOL_NAMES[c[k].protocol],
                    address_text(c[k].internal_high, c[k].internal_low),
                    c[k].internal_port,
                    externals[c[k].external],
                    c[k].external_port,
                    address_text(c[k].remote_high, c[k].remote_low)
                    if c[k].depends >= ADM
                    else None,
                    c[k].remote_port if c[k].depends == APDM else None,
                    c[k].sessions,
                    (self.now - c[k].created) // 1000 if self.now > c[k].created else 0,
                    c[k].is_static != 0,
                )
            )
        return rows, self.next
