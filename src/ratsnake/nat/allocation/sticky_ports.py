"""The external endpoint each internal one was given last: what makes a port sticky.

A row stays while its endpoint has mappings and afterwards until it is the longest unused and the
room is needed.  There is a row more than there can be mappings, so room is always found without
forgetting an endpoint that is in use.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..tables.keyed_hash import hash5
    from ..tables.row_layouts import (
        NONE32,
        Endpoints,
        new_endpoints,
        unpoison_endpoint,
        unreserve,
    )

from ..tables.hash_index import Index
from ..tables.hash_secret import Secret


class StickyPorts:
    """Arguments are not checked: rows must be those of entries that are there."""

    rows: Endpoints

    def __init__(self, mappings: int, secret: Secret) -> None:
        """Memory for as many endpoints as there can be mappings."""
        self.capacity = mappings + 1
        self.secret = secret
        self.rows = new_endpoints(self.capacity + 1)
        self.index = Index(self.capacity)
        self.fresh = 1
        unpoison_endpoint(self.rows, 0)

    def __dealloc__(self) -> None:
        unreserve(self.rows)

    def tag_of(self, protocol: u32, high: u64, low: u64, port: u32) -> u32:
        return hash5(self.secret.words, high, low, protocol, port, 0)

    def find(self, protocol: u32, high: u64, low: u64, port: u32, tag: u32) -> u32:
        row: u32 = self.index.first(tag)
        while row:
            if (
                self.rows[row].internal_low == low
                and self.rows[row].internal_high == high
                and self.rows[row].internal_port == port
                and self.rows[row].protocol == protocol
            ):
                return row
            row = self.index.next()
        return 0

    def tag_of_row(self, row: u32) -> u32:
        return self.tag_of(
            self.rows[row].protocol,
            self.rows[row].internal_high,
            self.rows[row].internal_low,
            self.rows[row].internal_port,
        )

    def unlink(self, row: u32) -> None:
        older: u32 = self.rows[row].older
        younger: u32 = self.rows[row].younger
        self.rows[older].younger = younger
        self.rows[younger].older = older

    def append(self, row: u32) -> None:
        """Link the row as the youngest of the unused; row 0 closes the ring."""
        youngest: u32 = self.rows[0].older
        self.rows[row].older = youngest
        self.rows[row].younger = 0
        self.rows[youngest].younger = row
        self.rows[0].older = row

    def evict(self) -> u32:
        """Forget the endpoint that has been unused for longest; return its row, or 0 if all are in
        use."""
        row: u32 = self.rows[0].younger
        if row == 0:
            return 0
        self.unlink(row)
        self.index.remove(self.tag_of_row(row), row)
        return row

    def enter(self, protocol: u32, high: u64, low: u64, port: u32) -> u32:
        """The row of an internal endpoint, made if it is new; 0 if all are in use."""
        tag: u32 = self.tag_of(protocol, high, low, port)
        row: u32 = self.find(protocol, high, low, port, tag)
        if row:
            return row
        if self.fresh <= self.capacity:
            row = self.fresh
            self.fresh += 1
            unpoison_endpoint(self.rows, row)
        else:
            row = self.evict()
            if row == 0:
                return 0
        self.rows[row].internal_high = high
        self.rows[row].internal_low = low
        self.rows[row].internal_port = port
        self.rows[row].protocol = protocol
        self.rows[row].mappings = 0
        self.rows[row].last_external = NONE32
        self.rows[row].last_port = NONE32
        self.index.insert(tag, row)
        moved: u32 = self.index.moving()
        while moved:
            self.index.move(self.tag_of_row(moved), moved)
            moved = self.index.moving()
        self.append(row)
        return row

    def mappings_of(self, row: u32) -> u32:
        """How many mappings the endpoint has."""
        return self.rows[row].mappings

    def last_port(self, row: u32) -> u32:
        """The external port given last, or NONE32."""
        return self.rows[row].last_port

    def last_external(self, row: u32) -> u32:
        """The row of the external address given last, or NONE32."""
        return self.rows[row].last_external

    def hold(self, row: u32, external: u32, external_port: u32) -> None:
        """The endpoint got a mapping on this external endpoint."""
        if self.rows[row].mappings == 0:
            self.unlink(row)
        self.rows[row].mappings += 1
        self.remember(row, external, external_port)

    def remember(self, row: u32, external: u32, external_port: u32) -> None:
        """This external endpoint counts as the last one given."""
        self.rows[row].last_external = external
        self.rows[row].last_port = external_port

    def drop(self, row: u32) -> None:
        """One of the endpoint's mappings ended."""
        self.rows[row].mappings -= 1
        if self.rows[row].mappings == 0:
            self.append(row)
