"""The internal hosts: how much of the NAT each one has, and how fast it may take more.

A host is one internal address: a subscriber, where every subscriber has one.  RFC 6888 REQ-4 and
REQ-5 want what it may have limited, so that one host cannot take what the others need.  Here is
what is counted; who opens mappings and sessions compares it with the limits.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import PROTOCOLS

    from .keyed_hash import hash5
    from .row_layouts import (
        Hosts,
        Words,
        new_hosts,
        poison_host,
        reserved_words,
        unpoison_host,
        unreserve,
    )

from .hash_index import Index
from .hash_secret import Secret


class HostTable:
    """Arguments are not checked: rows must be those of hosts that are there."""

    rows: Hosts
    held: Words

    def __init__(self, capacity: int, secret: Secret) -> None:
        """Room for `capacity` hosts.

        A host is there because of a mapping, or for the moment in which it asks for one: a capacity
        of one more than there can be mappings is never exceeded.
        """
        self.capacity = capacity
        self.secret = secret
        self.rows = new_hosts(capacity + 1)
        self.held = reserved_words(PROTOCOLS * (capacity + 1))
        self.index = Index(capacity)
        self.count = 0
        self.free = 0
        self.fresh = 1

    def __dealloc__(self) -> None:
        unreserve(self.rows)
        unreserve(self.held)

    def tag_of(self, high: u64, low: u64) -> u32:
        return hash5(self.secret.words, high, low, 0, 0, 0)

    def search(self, high: u64, low: u64, tag: u32) -> u32:
        row: u32 = self.index.first(tag)
        while row:
            if self.rows[row].low == low and self.rows[row].high == high:
                return row
            row = self.index.next()
        return 0

    def find(self, high: u64, low: u64) -> u32:
        """The row of a host, or 0."""
        return self.search(high, low, self.tag_of(high, low))

    def enter(self, high: u64, low: u64) -> u32:
        """The row of a host, made if it is new; 0 if there is none left.

        A new one has nothing: it must be joined by a mapping or a session, or settled.
        """
        tag: u32 = self.tag_of(high, low)
        row: u32 = self.search(high, low, tag)
        if row:
            return row
        row = self.free
        if row:
            self.free = self.rows[row].next
        elif self.fresh <= self.capacity:
            row = self.fresh
            self.fresh += 1
        else:
            return 0
        unpoison_host(self.rows, row)
        self.rows[row].high = high
        self.rows[row].low = low
        # A row given back has neither mappings nor sessions, but perhaps a bucket half empty.
        self.rows[row].spent = 0
        self.rows[row].spent_at = 0
        self.rows[row].live = 1
        self.count += 1
        self.index.insert(tag, row)
        moved: u32 = self.index.moving()
        while moved:
            self.index.move(self.tag_of(self.rows[moved].high, self.rows[moved].low), moved)
            moved = self.index.moving()
        return row

    def settle(self, row: u32) -> None:
        """Forget the host if it has nothing, as after a refused mapping.

        Its bucket is forgotten with it.  A refused mapping opened nothing, and a session that
        expires has been idle for a whole timeout, in which the bucket fills up.  Only a host all of
        whose flows were flushed or evicted gets a full one early.
        """
        if self.rows[row].mappings or self.rows[row].forwards or self.rows[row].sessions:
            return
        self.index.remove(self.tag_of(self.rows[row].high, self.rows[row].low), row)
        self.rows[row].live = 0
        self.count -= 1
        self.rows[row].next = self.free
        self.free = row
        poison_host(self.rows, row)

    def is_live(self, row: u32) -> bool:
        """Whether a row (1 to `fresh` - 1) is that of a host."""
        return self.rows[row].live != 0

    def mappings_of(self, row: u32) -> u32:
        return self.rows[row].mappings

    def held_of(self, row: u32, protocol: u32) -> u32:
        """How many of the host's mappings are of this protocol."""
        return self.held[row * PROTOCOLS + protocol]

    def answered_of(self, row: u32) -> u32:
        """The sessions in which the host and a remote have both sent."""
        return self.rows[row].answered

    def sessions_of(self, row: u32) -> u32:
        return self.rows[row].sessions

    def external_of(self, row: u32) -> u32:
        """The row of the external address that a host with mappings got first."""
        return self.rows[row].external

    def join_mapping(self, row: u32, external: u32, protocol: u32) -> None:
        """The host has one more mapping, on this external address."""
        self.held[row * PROTOCOLS + protocol] += 1
        if self.rows[row].mappings == 0:
            self.rows[row].external = external
        self.rows[row].mappings += 1

    def pair(self, row: u32, external: u32) -> None:
        """From now on the host has this external address, whatever mappings it has (RFC 4787
        REQ-2)."""
        self.rows[row].external = external

    def leave_mapping(self, row: u32, protocol: u32) -> None:
        """One of the host's mappings ended; a host that has nothing left is forgotten."""
        self.held[row * PROTOCOLS + protocol] -= 1
        self.rows[row].mappings -= 1
        self.settle(row)

    def join_forward(self, row: u32) -> None:
        """A forward to the host has one more mapping: no part of its share, for outsiders make
        those."""
        self.rows[row].forwards += 1

    def leave_forward(self, row: u32) -> None:
        """A mapping of a forward to the host ended; a host that has nothing left is forgotten."""
        self.rows[row].forwards -= 1
        self.settle(row)

    def join_answered(self, row: u32) -> None:
        """In one more session of the host both sides have sent."""
        self.rows[row].answered += 1

    def leave_answered(self, row: u32) -> None:
        """A session of the host ended in which both sides had sent."""
        self.rows[row].answered -= 1

    def join_session(self, row: u32) -> None:
        """The host has one more session."""
        self.rows[row].sessions += 1

    def leave_session(self, row: u32) -> None:
        """One of the host's sessions ended; a host that has nothing left is forgotten."""
        self.rows[row].sessions -= 1
        self.settle(row)

    def spent_of(self, row: u32, now: u64, rate_per_second: u32) -> u64:
        """What is missing from the host's bucket now, in thousandths of a session."""
        spent: u64 = self.rows[row].spent
        elapsed: u64 = now - self.rows[row].spent_at
        # A rate of n sessions a second is n thousandths of a session a millisecond.  Once as many
        # milliseconds have gone by as thousandths are missing, the product need not fit any more.
        returned: u64 = spent
        if elapsed < spent:
            returned = min(spent, elapsed * rate_per_second)
        return spent - returned

    def has_token(self, row: u32, now: u64, rate_per_second: u32, burst: u32) -> bool:
        """What `take_token` would say; takes none."""
        most: u64 = burst
        return (
            rate_per_second == 0 or self.spent_of(row, now, rate_per_second) + 1000 <= most * 1000
        )

    def take_token(self, row: u32, now: u64, rate_per_second: u32, burst: u32) -> bool:
        """Whether the host may open another session now (RFC 6888 REQ-4); if so, it is counted.

        A bucket of `burst` sessions (1..4,294,967), full at first, into which `rate_per_second` a
        second come back; a rate of 0 is no limit.  `now` is in milliseconds and never goes back.
        """
        if rate_per_second == 0:
            return True
        spent: u64 = self.spent_of(row, now, rate_per_second)
        self.rows[row].spent_at = now
        most: u64 = burst
        allowed: bool = spent + 1000 <= most * 1000
        if allowed:
            spent += 1000
        self.rows[row].spent = spent
        return allowed
