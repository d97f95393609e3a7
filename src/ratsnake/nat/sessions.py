"""The table of sessions, indexed by the 5-tuple of either direction, and their timers.

The sessions of one timer form a ring in the order of their last use, which within a timer is the
order of expiry; row number `timer` is the ring's head.  A session that is used again moves to
the ring's young end only when its time of expiry enters another second (1,024 ms), so that a busy
one does not touch its neighbours at every packet.  Expiry itself is exact: whoever finds a session
compares `expires`; the ring only decides when its memory comes back, up to a second later.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.types import M32, u32, u64

    from .hashing import hash5
    from .records import Sessions, new_sessions, release
    from .timers import TIMERS

    OPENED_OUTSIDE = 1
    INSIDE_SENT = 2
    LIVE = 4
    COUNTED = 8  # among those that outsiders opened
    OUTSIDE_SCALES = 16  # the outside's SYN offered a window scale
    WINDOW_OF_SYN = 32  # the inside's window is one of a SYN

from .index import Index
from .secret import Secret


class SessionTable:
    rows: Sessions

    def __init__(self, capacity: int, secret: Secret) -> None:
        self.capacity = capacity
        self.secret = secret
        self.rows = new_sessions(capacity + TIMERS + 1)
        self.by_internal = Index(capacity)
        self.by_external = Index(capacity)
        self.count = 0
        self.free = 0
        self.fresh = TIMERS + 1
        head: u32
        for head in range(1, TIMERS + 1):
            self.rows[head].older = head
            self.rows[head].younger = head

    def __dealloc__(self) -> None:
        release(self.rows)

    def outbound_tag(self, i: u32) -> u32:
        s: Sessions = self.rows
        last: u64 = s[i].protocol << 16 | s[i].internal_port
        last = last << 16 | s[i].remote_port
        return hash5(
            self.secret.words,
            s[i].internal_high,
            s[i].internal_low,
            s[i].remote_high,
            s[i].remote_low,
            last,
        )

    def inbound_tag(self, i: u32) -> u32:
        s: Sessions = self.rows
        last: u64 = s[i].protocol << 16 | s[i].external_port
        last = last << 16 | s[i].remote_port
        return hash5(self.secret.words, s[i].external, 0, s[i].remote_high, s[i].remote_low, last)

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
        last: u64 = protocol << 16 | port
        last = last << 16 | remote_port
        tag: u32 = hash5(self.secret.words, high, low, remote_high, remote_low, last)
        s: Sessions = self.rows
        at: u64 = tag & self.by_internal.mask
        slot: u64 = self.by_internal.slots[at]
        i: u32
        while slot:
            if slot >> 32 == tag:
                i = slot & M32
                if (
                    s[i].internal_low == low
                    and s[i].remote_low == remote_low
                    and s[i].internal_port == port
                    and s[i].remote_port == remote_port
                    and s[i].protocol == protocol
                    and s[i].internal_high == high
                    and s[i].remote_high == remote_high
                ):
                    return i
            at = at + 1 & self.by_internal.mask
            slot = self.by_internal.slots[at]
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
        last: u64 = protocol << 16 | port
        last = last << 16 | remote_port
        tag: u32 = hash5(self.secret.words, external, 0, remote_high, remote_low, last)
        s: Sessions = self.rows
        at: u64 = tag & self.by_external.mask
        slot: u64 = self.by_external.slots[at]
        i: u32
        while slot:
            if slot >> 32 == tag:
                i = slot & M32
                if (
                    s[i].remote_low == remote_low
                    and s[i].external_port == port
                    and s[i].remote_port == remote_port
                    and s[i].protocol == protocol
                    and s[i].external == external
                    and s[i].remote_high == remote_high
                ):
                    return i
            at = at + 1 & self.by_external.mask
            slot = self.by_external.slots[at]
        return 0

    def row_for_new(self) -> u32:
        """A free row; the caller has checked `count` < `capacity`, fills the row and enters it."""
        i: u32 = self.free
        if i:
            self.free = self.rows[i].younger
        else:
            i = self.fresh
            self.fresh += 1
        self.count += 1
        return i

    def enter(self, i: u32) -> None:
        """Index a row whose endpoints, timer and expiry are filled in."""
        self.by_internal.insert(self.outbound_tag(i), i)
        self.by_external.insert(self.inbound_tag(i), i)
        self.append(i, self.rows[i].timer)

    def remove(self, i: u32) -> None:
        self.by_internal.remove(self.outbound_tag(i), i)
        self.by_external.remove(self.inbound_tag(i), i)
        self.unlink(i)
        self.rows[i].flags = 0
        self.rows[i].younger = self.free
        self.free = i
        self.count -= 1

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
