"""SYNs from outside that nobody asked for (RFC 5382 REQ-4).

Such a SYN is kept in silence for six seconds, for it may be one half of a simultaneous open: if the
inside sends a SYN for the same connection meanwhile, the NAT forgets it.  Otherwise it is answered
with "port unreachable".  When the table is full, further SYNs are not kept and get no answer, as is
allowed (REQ-4 a).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import Bytes, u32, u64

    from ..tables.keyed_hash import hash5
    from ..tables.row_layouts import (
        Octets,
        Syns,
        new_octets,
        new_syns,
        poison_syn,
        release,
        unpoison_syn,
    )

    HOLD_TIME = 6000
    KEPT = 128
    QUOTED_TRANSPORT = 8

from ..tables.hash_index import Index
from ..tables.hash_secret import Secret


class UnsolicitedSyns:
    """Times are in milliseconds of a clock that does not go back.  Row 0 closes the ring."""

    rows: Syns
    copies: Octets

    def __init__(self, count: int, secret: Secret) -> None:
        """Room for `count` SYNs (1..2**24)."""
        self.capacity = count
        self.secret = secret
        self.rows = new_syns(count + 1)
        self.copies = new_octets((count + 1) * KEPT)
        self.index = Index(count)
        self.held = 0
        self.transport = 0
        self.external = 0
        self.free = 0
        self.fresh = 1
        unpoison_syn(self.rows, 0)

    def __dealloc__(self) -> None:
        release(self.rows)
        release(self.copies)

    def tag_of(self, external: u32, port: u32, high: u64, low: u64, remote_port: u32) -> u32:
        return hash5(self.secret.words, external, port, high, low, remote_port)

    def find(
        self, external: u32, port: u32, high: u64, low: u64, remote_port: u32, tag: u32
    ) -> u32:
        row: u32 = self.index.first(tag)
        while row:
            if (
                self.rows[row].remote_low == low
                and self.rows[row].remote_high == high
                and self.rows[row].remote_port == remote_port
                and self.rows[row].external_port == port
                and self.rows[row].external == external
            ):
                return row
            row = self.index.next()
        return 0

    def tag_of_row(self, row: u32) -> u32:
        return self.tag_of(
            self.rows[row].external,
            self.rows[row].external_port,
            self.rows[row].remote_high,
            self.rows[row].remote_low,
            self.rows[row].remote_port,
        )

    def hold(
        self,
        external: u32,
        external_port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
        b: Bytes,
        size: u32,
        transport: u32,
        now: u64,
    ) -> bool:
        """Keep the SYN in b[:size], whose TCP header is at `transport`; whether it is kept.

        A repeated one changes nothing: the time counts from the first.
        """
        # Behind so many headers that its ports are beyond the copy it would not be told apart.
        if transport + QUOTED_TRANSPORT > KEPT:
            return False
        tag: u32 = self.tag_of(external, external_port, remote_high, remote_low, remote_port)
        row: u32 = self.find(external, external_port, remote_high, remote_low, remote_port, tag)
        if row:
            return True
        row = self.free
        if row:
            self.free = self.rows[row].younger
        elif self.fresh <= self.capacity:
            row = self.fresh
            self.fresh += 1
        else:
            return False
        unpoison_syn(self.rows, row)
        self.rows[row].external = external
        self.rows[row].external_port = external_port
        self.rows[row].remote_high = remote_high
        self.rows[row].remote_low = remote_low
        self.rows[row].remote_port = remote_port
        self.rows[row].due = now + HOLD_TIME
        self.rows[row].transport = transport
        self.rows[row].size = size if size < KEPT else KEPT
        k: u32
        for k in range(self.rows[row].size):
            self.copies[row * KEPT + k] = b[k]
        youngest: u32 = self.rows[0].older
        self.rows[row].older = youngest
        self.rows[row].younger = 0
        self.rows[youngest].younger = row
        self.rows[0].older = row
        self.index.insert(tag, row)
        moved: u32 = self.index.moving()
        while moved:
            self.index.move(self.tag_of_row(moved), moved)
            moved = self.index.moving()
        self.held += 1
        return True

    def cancel(
        self,
        external: u32,
        external_port: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
    ) -> None:
        """The inside has sent a SYN for this connection: forget the one from outside, if any."""
        # What every connection that is opened asks is answered without a look at the index.
        if self.held == 0:
            return
        tag: u32 = self.tag_of(external, external_port, remote_high, remote_low, remote_port)
        row: u32 = self.find(external, external_port, remote_high, remote_low, remote_port, tag)
        if row:
            self.drop(row, tag)

    def drop(self, row: u32, tag: u32) -> None:
        older: u32 = self.rows[row].older
        younger: u32 = self.rows[row].younger
        self.rows[older].younger = younger
        self.rows[younger].older = older
        self.index.remove(tag, row)
        self.rows[row].younger = self.free
        self.free = row
        self.held -= 1
        poison_syn(self.rows, row)

    def next_due(self, now: u64, out: Bytes) -> u32:
        """Forget the oldest SYN whose time has come, and put its start into `out` (KEPT bytes).

        The size of that, or 0 where none is due; `transport` is where its TCP header is, `external`
        the row of the address it came to.
        """
        row: u32 = self.rows[0].younger
        if row == 0 or self.rows[row].due > now:
            return 0
        k: u32
        size: u32 = self.rows[row].size
        for k in range(size):
            out[k] = self.copies[row * KEPT + k]
        self.transport = self.rows[row].transport
        self.external = self.rows[row].external
        self.drop(row, self.tag_of_row(row))
        return size
