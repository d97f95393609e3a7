"""The table of sessions, indexed by the 5-tuple of either direction, and their timers.

A row holds the remote endpoint; the rest of the 5-tuple is that of the session's mapping.

The sessions of one timer form a ring in the order of their last use, which within a timer is the
order of expiry; row number `timer` is the ring's head.  A session that is used again moves to
the ring's young end only when its time of expiry enters another second (1,024 ms), so that a busy
one does not touch its neighbours at every packet.  Expiry itself is exact: whoever finds a session
compares `expires`; the ring only decides when its memory comes back, up to a second later.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.timeout_classes import TIMERS
    from .keyed_hash import hash5
    from .row_layouts import (
        Mappings,
        Sessions,
        Words,
        new_sessions,
        poison_session,
        prefetch_session,
        reserved_words,
        unpoison_session,
        unreserve,
    )

    OPENED_OUTSIDE = 1
    INSIDE_SENT = 2
    COUNTED = 4  # among those that outsiders opened
    OUTSIDE_SCALES = 8  # the outside's SYN offered a window scale
    WINDOW_OF_SYN = 16  # the inside's window is one of a SYN
    IS_WIDE = 32  # the remote address has an upper half, beside the table
    ANSWERED = 128  # both sides have sent
    INSIDE_SYN = 64  # the inside sent a SYN without ACK, and since then no ACK

from .hash_index import Index
from .hash_secret import Secret
from .mapping_table import MappingTable


class SessionTable:
    rows: Sessions
    remote_highs: Words

    def __init__(self, capacity: int, mappings: MappingTable, secret: Secret) -> None:
        self.capacity = capacity
        self.mappings = mappings
        self.secret = secret
        self.rows = new_sessions(capacity + TIMERS + 1)
        self.remote_highs = reserved_words(capacity + TIMERS + 1)
        self.by_internal = Index(capacity + TIMERS)
        self.by_external = Index(capacity + TIMERS)
        self.count = self.entered = 0
        self.free = 0
        self.fresh = TIMERS + 1
        head: u32
        for head in range(1, TIMERS + 1):
            unpoison_session(self.rows, head)
            self.rows[head].older = head
            self.rows[head].younger = head

    def __dealloc__(self) -> None:
        unreserve(self.rows)
        unreserve(self.remote_highs)

    def remote_high(self, i: u32) -> u64:
        """The upper half of the remote address."""
        return self.remote_highs[i] if self.rows[i].flags & IS_WIDE else 0

    def outbound_tag(
        self,
        protocol: u32,
        high: u64,
        low: u64,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        last: u64 = protocol << 16 | port
        last = last << 16 | remote_port
        return hash5(self.secret.words, high, low, remote_high, remote_low, last)

    def inbound_tag(
        self,
        protocol: u32,
        external: u32,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        last: u64 = protocol << 16 | port
        last = last << 16 | remote_port
        return hash5(self.secret.words, external, 0, remote_high, remote_low, last)

    def outbound_tag_of(self, i: u32) -> u32:
        s: Sessions = self.rows
        m: Mappings = self.mappings.rows
        mapping: u32 = s[i].mapping
        return self.outbound_tag(
            m[mapping].protocol,
            self.mappings.internal_high(mapping),
            m[mapping].internal_low,
            m[mapping].internal_port,
            self.remote_high(i),
            s[i].remote_low,
            s[i].remote_port,
        )

    def inbound_tag_of(self, i: u32) -> u32:
        s: Sessions = self.rows
        m: Mappings = self.mappings.rows
        mapping: u32 = s[i].mapping
        return self.inbound_tag(
            m[mapping].protocol,
            m[mapping].external,
            m[mapping].external_port,
            self.remote_high(i),
            s[i].remote_low,
            s[i].remote_port,
        )

    def find_outbound(
        self,
        protocol: u32,
        high: u64,
        low: u64,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The row of the session with this internal and remote endpoint, expired or not, or 0."""
        s: Sessions = self.rows
        m: Mappings = self.mappings.rows
        i: u32 = self.by_internal.first(
            self.outbound_tag(protocol, high, low, port, remote_high, remote_low, remote_port)
        )
        while i:
            mapping: u32 = s[i].mapping
            if (
                s[i].remote_low == remote_low
                and s[i].remote_port == remote_port
                and m[mapping].internal_low == low
                and m[mapping].internal_port == port
                and m[mapping].protocol == protocol
                and self.remote_high(i) == remote_high
                and (
                    not (high or m[mapping].is_wide) or self.mappings.internal_high(mapping) == high
                )
            ):
                return i
            i = self.by_internal.next()
        return 0

    def find_inbound(
        self,
        protocol: u32,
        external: u32,
        port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> u32:
        """The row of the session with this external and remote endpoint, expired or not, or 0."""
        s: Sessions = self.rows
        m: Mappings = self.mappings.rows
        i: u32 = self.by_external.first(
            self.inbound_tag(protocol, external, port, remote_high, remote_low, remote_port)
        )
        while i:
            mapping: u32 = s[i].mapping
            if (
                s[i].remote_low == remote_low
                and s[i].remote_port == remote_port
                and m[mapping].external_port == port
                and m[mapping].external == external
                and m[mapping].protocol == protocol
                and self.remote_high(i) == remote_high
            ):
                return i
            i = self.by_external.next()
        return 0

    def row_for_new(self) -> u32:
        """A free row, which the caller fills and enters; or 0 if there is none."""
        i: u32 = self.free
        if i:
            self.free = self.rows[i].younger
            # The next new session finds its row near.
            prefetch_session(self.rows, self.free)
        elif self.fresh <= self.capacity + TIMERS:
            i = self.fresh
            self.fresh += 1
        else:
            return 0
        unpoison_session(self.rows, i)
        self.count += 1
        self.entered += 1
        return i

    def enter(
        self, i: u32, mapping: u32, remote_high: u64, remote_low: u64, remote_port: u32
    ) -> None:
        """Give a row its mapping and its remote, and index it; timer and expiry are filled in."""
        s: Sessions = self.rows
        s[i].mapping = mapping
        s[i].remote_low = remote_low
        s[i].remote_port = remote_port
        if remote_high:
            s[i].flags |= IS_WIDE
            self.remote_highs[i] = remote_high
        tag: u32 = self.inbound_tag_of(i)
        self.by_external.announce(tag)
        self.append(i, s[i].timer)
        self.by_internal.insert(self.outbound_tag_of(i), i)
        self.by_external.insert(tag, i)
        self.move_entries()

    def move_entries(self) -> None:
        """Move what the indexes give to be moved."""
        row: u32 = self.by_internal.moving()
        while row:
            self.by_internal.move(self.outbound_tag_of(row), row)
            row = self.by_internal.moving()
        row = self.by_external.moving()
        while row:
            self.by_external.move(self.inbound_tag_of(row), row)
            row = self.by_external.moving()

    def tidy(self) -> None:
        """Bring a move on that insertions have begun, for until it ends look-ups cost more."""
        self.by_internal.go_on()
        self.by_external.go_on()
        self.move_entries()

    def remove(self, i: u32) -> None:
        self.by_internal.remove(self.outbound_tag_of(i), i)
        self.by_external.remove(self.inbound_tag_of(i), i)
        self.unlink(i)
        self.rows[i].mapping = 0
        self.rows[i].flags = 0
        self.rows[i].younger = self.free
        self.free = i
        self.count -= 1
        poison_session(self.rows, i)

    def unlink(self, i: u32) -> None:
        s: Sessions = self.rows
        older: u32 = s[i].older
        younger: u32 = s[i].younger
        s[older].younger = younger
        s[younger].older = older

    def append(self, i: u32, timer: u32) -> None:
        s: Sessions = self.rows
        youngest: u32 = s[timer].older
        s[i].older = youngest
        s[i].younger = timer
        s[youngest].younger = i
        s[timer].older = i

    def refresh(self, i: u32, timer: u32, expires: u64) -> None:
        """The session was used: it now runs on `timer` and ends at `expires`."""
        s: Sessions = self.rows
        before: u64 = s[i].expires
        s[i].expires = expires
        if s[i].timer != timer or before >> 10 != expires >> 10:
            self.unlink(i)
            s[i].timer = timer
            self.append(i, timer)

    def oldest(self, timer: u32) -> u32:
        """The session of this timer that expires first (to the second), or 0."""
        i: u32 = self.rows[timer].younger
        return 0 if i == timer else i
