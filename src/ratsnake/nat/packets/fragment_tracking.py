"""What is known of each fragmented datagram, so that all its fragments are translated alike.

Only a datagram's first fragment has ports.  Nothing is reassembled: the first fragment's
translation is remembered for the later ones, and later ones that come before it are held until it
comes (RFC 4787 REQ-14).  A datagram's time runs from its first piece and is never prolonged.

A row is in one of two rings, ordered by when it came in:
- UNLEARNT: no translation was found yet.  Outsiders make such rows at will, so these are at most
  a quarter of the table, and a new one takes the place of the oldest.
- LEARNT: a translation was found, also where fragments that overlapped ended it since.  A flood
  of the others does not touch these.  They came in when their first fragment did, so a row may
  outstay its time here by as much again; whoever looks for it compares `expires`.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import Bytes, u32, u64

    from ..rules.drop_reasons import TRANSLATED
    from ..tables.keyed_hash import hash5
    from ..tables.row_layouts import (
        Datagrams,
        new_datagrams,
        poison_datagram,
        release,
        unpoison_datagram,
    )
    from .fragment_coverage import PIECES

    UNLEARNT = 1
    LEARNT = 2
    WAITING = 1
    KNOWN = 2
    REFUSED = 3

from ..tables.hash_index import Index
from ..tables.hash_secret import Secret
from .fragment_coverage import Coverage
from .packet_pool import PacketPool


class Fragments:
    """Row numbers are not checked; `make`, `hold` and `learn` may end rows of other datagrams."""

    rows: Datagrams

    def __init__(
        self, datagrams: int, packet_pool: PacketPool, secret: Secret, lifetime: int
    ) -> None:
        """Memory for `datagrams` (at least 2) datagrams, each for `lifetime` milliseconds."""
        self.capacity = datagrams
        self.unlearnt_limit = max(1, datagrams // 4)
        self.packet_pool = packet_pool
        self.secret = secret
        self.lifetime = lifetime
        self.rows = new_datagrams(datagrams + LEARNT + 1)
        self.coverage = Coverage(datagrams + LEARNT + 1)
        self.index = Index(datagrams + LEARNT)
        self.free = 0
        self.fresh = LEARNT + 1
        self.count = 0
        self.unlearnt = 0
        self.waiting = 0
        head: u32
        for head in range(UNLEARNT, LEARNT + 1):
            unpoison_datagram(self.rows, head)
            self.rows[head].older = head
            self.rows[head].younger = head

    def __dealloc__(self) -> None:
        release(self.rows)

    def datagram_of(self, version: u32, number: u32, identification: u32) -> u64:
        """What tells the datagrams of two addresses apart, as one number.

        IPv4: identification and protocol (RFC 791 section 3.2).  IPv6: the identification alone,
        because next headers may differ between fragments (RFC 8200 section 4.5).
        """
        datagram: u64 = version << 8
        if version == 4:
            datagram |= number
        return datagram << 32 | identification

    def tag_of(self, row: u32) -> u32:
        d: Datagrams = self.rows
        return hash5(
            self.secret.words,
            d[row].source_high,
            d[row].source_low,
            d[row].destination_high,
            d[row].destination_low,
            d[row].datagram,
        )

    def find(
        self,
        source_high: u64,
        source_low: u64,
        destination_high: u64,
        destination_low: u64,
        version: u32,
        number: u32,
        identification: u32,
        now: u64,
    ) -> u32:
        """The row of a fragment's datagram, or 0; one whose time is over is ended."""
        datagram: u64 = self.datagram_of(version, number, identification)
        tag: u32 = hash5(
            self.secret.words,
            source_high,
            source_low,
            destination_high,
            destination_low,
            datagram,
        )
        d: Datagrams = self.rows
        row: u32 = self.index.first(tag)
        while row:
            if (
                d[row].datagram == datagram
                and d[row].source_low == source_low
                and d[row].destination_low == destination_low
                and d[row].source_high == source_high
                and d[row].destination_high == destination_high
            ):
                if d[row].expires > now:
                    return row
                self.end(row)
                return 0
            row = self.index.next()
        return 0

    def make(
        self,
        source_high: u64,
        source_low: u64,
        destination_high: u64,
        destination_low: u64,
        version: u32,
        number: u32,
        identification: u32,
        now: u64,
    ) -> u32:
        """A row, WAITING, for a datagram that `find` does not find; or 0 if there is none left."""
        if self.unlearnt == self.unlearnt_limit:
            self.end(self.oldest(UNLEARNT))
        d: Datagrams = self.rows
        row: u32 = self.free
        if row:
            self.free = d[row].younger
        elif self.fresh <= self.capacity + LEARNT:
            row = self.fresh
            self.fresh += 1
        else:
            return 0
        unpoison_datagram(d, row)
        d[row].source_high = source_high
        d[row].source_low = source_low
        d[row].destination_high = destination_high
        d[row].destination_low = destination_low
        d[row].datagram = self.datagram_of(version, number, identification)
        d[row].expires = now + self.lifetime
        d[row].state = WAITING
        self.coverage.clear(row)
        self.index.insert(self.tag_of(row), row)
        moved: u32 = self.index.moving()
        while moved:
            self.index.move(self.tag_of(moved), moved)
            moved = self.index.moving()
        self.append(row, UNLEARNT)
        self.count += 1
        self.waiting += 1
        return row

    def end(self, row: u32) -> None:
        """Forget the datagram, and drop what is held of it."""
        self.drop_held(row)
        if self.rows[row].state == WAITING:
            self.waiting -= 1
        self.index.remove(self.tag_of(row), row)
        self.unlink(row)
        self.rows[row].younger = self.free
        self.free = row
        self.count -= 1
        poison_datagram(self.rows, row)

    def expire(self, now: u64, budget: u32) -> u32:
        """End at most `budget` rows whose time is over; return how many were ended."""
        ended: u32 = 0
        ring: u32
        row: u32
        for ring in range(UNLEARNT, LEARNT + 1):
            row = self.oldest(ring)
            while row and ended < budget and self.rows[row].expires <= now:
                self.end(row)
                ended += 1
                row = self.oldest(ring)
        return ended

    def state_of(self, row: u32) -> u32:
        """WAITING for the first fragment, KNOWN (its translation is), or REFUSED: drop them all."""
        return self.rows[row].state

    def note(self, row: u32, start: u32, end: u32, last: bool) -> u32:
        """Octets `start` to `end` - 1 of the payload came: TRANSLATED, or why they are refused.

        What `Coverage.add` refuses makes the row REFUSED.
        """
        reason: u32 = self.coverage.add(row, start, end, last)
        if reason != TRANSLATED:
            self.refuse(row)
        return reason

    def complete(self, row: u32) -> bool:
        """Whether every fragment has come, so that the row may be ended."""
        return self.coverage.complete(row)

    def hold(self, row: u32, b: Bytes, size: u32) -> bool:
        """Keep a copy of a fragment b[:size] of a WAITING row; False if there is no room.

        Older rows without a translation are ended to make room.
        """
        d: Datagrams = self.rows
        if d[row].held == PIECES:
            return False
        slot: u32 = self.packet_pool.store(b, size)
        while slot == 0 and self.oldest(UNLEARNT) != row:
            self.end(self.oldest(UNLEARNT))
            slot = self.packet_pool.store(b, size)
        if slot == 0:
            return False
        if d[row].first_held:
            self.packet_pool.link(d[row].last_held, slot)
        else:
            d[row].first_held = slot
        d[row].last_held = slot
        d[row].held += 1
        return True

    def next_held(self, row: u32) -> u32:
        """The stored packet held for longest, which is the caller's from now on; or 0."""
        d: Datagrams = self.rows
        slot: u32 = d[row].first_held
        if slot:
            d[row].first_held = self.packet_pool.following(slot)
            d[row].held -= 1
        return slot

    def drop_held(self, row: u32) -> None:
        slot: u32 = self.next_held(row)
        while slot:
            self.packet_pool.drop(slot)
            slot = self.next_held(row)

    def learn(
        self,
        row: u32,
        outbound: u32,
        source_high: u64,
        source_low: u64,
        destination_high: u64,
        destination_low: u64,
        identification: u32,
    ) -> None:
        """The first fragment of a WAITING row was translated: this way, to these addresses and this
        number."""
        d: Datagrams = self.rows
        if self.count - self.unlearnt == self.capacity - self.unlearnt_limit:
            self.end(self.oldest(LEARNT))
        self.unlink(row)
        self.append(row, LEARNT)
        d[row].state = KNOWN
        d[row].outbound = outbound
        d[row].new_source_high = source_high
        d[row].new_source_low = source_low
        d[row].new_destination_high = destination_high
        d[row].new_destination_low = destination_low
        d[row].identification = identification
        self.waiting -= 1

    def refuse(self, row: u32) -> None:
        """Nothing of the datagram goes on: drop what is held of it."""
        self.drop_held(row)
        if self.rows[row].state == WAITING:
            self.waiting -= 1
        self.rows[row].state = REFUSED

    def outbound_of(self, row: u32) -> u32:
        """The direction that was learnt."""
        return self.rows[row].outbound

    def source_high(self, row: u32) -> u64:
        """The upper half of the source that was learnt."""
        return self.rows[row].new_source_high

    def source_low(self, row: u32) -> u64:
        """The lower half of the source that was learnt."""
        return self.rows[row].new_source_low

    def destination_high(self, row: u32) -> u64:
        """The upper half of the destination that was learnt."""
        return self.rows[row].new_destination_high

    def destination_low(self, row: u32) -> u64:
        """The lower half of the destination that was learnt."""
        return self.rows[row].new_destination_low

    def identification_of(self, row: u32) -> u32:
        """The identification that was learnt."""
        return self.rows[row].identification

    def oldest(self, ring: u32) -> u32:
        """The row that came into the ring first, or 0."""
        row: u32 = self.rows[ring].younger
        return 0 if row == ring else row

    def unlink(self, row: u32) -> None:
        d: Datagrams = self.rows
        older: u32 = d[row].older
        younger: u32 = d[row].younger
        d[older].younger = younger
        d[younger].older = older
        if d[row].ring == UNLEARNT:
            self.unlearnt -= 1

    def append(self, row: u32, ring: u32) -> None:
        d: Datagrams = self.rows
        youngest: u32 = d[ring].older
        d[row].ring = ring
        d[row].older = youngest
        d[row].younger = ring
        d[youngest].younger = row
        d[ring].older = row
        if ring == UNLEARNT:
            self.unlearnt += 1
