"""What the internal hosts move: sums over their sessions, from one look at the table to the next.

No packet pays for it: a session has counters of its own, and what they were at the last look is
remembered here.  A look is made some rows at a time, so that packets go on in between.  What a
session moved between the last look and its end is missing.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.timeout_classes import TIMERS
    from ..tables.row_layouts import (
        Hosts,
        Mappings,
        Numbers,
        Sessions,
        Words,
        new_numbers,
        new_words,
        release,
        reserved_words,
        unreserve,
    )

from ..translation.flow_lifecycle import Flows
from .packet_loop_call import PacketLoopCall
from .row_filter import RowFilter
from .row_tuples import HostRow
from .table_pages import address_text


class HostTraffic:
    """For one thread: `begin`, then `look` until it returns 0; `rank`, `name`, and `busiest`.

    During `look` and `name` the tables must stand still; the rest touches nothing but its own.
    """

    out_before: Words
    in_before: Words
    bytes_out: Words
    bytes_in: Words
    sessions: Words
    best: Numbers
    names: Words

    def __init__(self, flows: Flows, wanted: RowFilter, most: int) -> None:
        """Of the wanted sessions; at most `most` hosts are told at once."""
        self.flows = flows
        self.wanted = wanted
        self.most = most
        self.found = self.hosts = 0
        self.out_before = reserved_words(flows.sessions.capacity + TIMERS + 1)
        self.in_before = reserved_words(flows.sessions.capacity + TIMERS + 1)
        self.bytes_out = reserved_words(flows.hosts.capacity + 1)
        self.bytes_in = reserved_words(flows.hosts.capacity + 1)
        self.sessions = reserved_words(flows.hosts.capacity + 1)
        self.best = new_numbers(most + 1)
        self.names = new_words(2 * most)

    def __dealloc__(self) -> None:
        unreserve(self.out_before)
        unreserve(self.in_before)
        unreserve(self.bytes_out)
        unreserve(self.bytes_in)
        unreserve(self.sessions)
        release(self.best)
        release(self.names)

    def begin(self) -> None:
        """Forget the sums of the last look."""
        host: u32
        for host in range(self.hosts):
            self.bytes_out[host] = self.bytes_in[host] = self.sessions[host] = 0
        self.hosts = 0

    def look(self, start: u32, count: u32, now: u64) -> u32:
        """Add up `count` rows of the session table from `start` (0 first); the next start, or 0."""
        s: Sessions = self.flows.sessions.rows
        fresh: u32 = self.flows.sessions.fresh
        first: u32 = max(start, TIMERS + 1)
        end: u32 = min(first + count, fresh)
        i: u32
        for i in range(first, end):
            if s[i].mapping and s[i].expires > now and self.wanted.has_session(self.flows, i):
                self.add(i)
        return end if end < fresh else 0

    def add(self, i: u32) -> None:
        s: Sessions = self.flows.sessions.rows
        m: Mappings = self.flows.mappings.rows
        host: u32 = m[s[i].mapping].host
        # A row whose counters went down is that of another session by now.
        if s[i].bytes_out < self.out_before[i] or s[i].bytes_in < self.in_before[i]:
            self.out_before[i] = self.in_before[i] = 0
        self.bytes_out[host] += s[i].bytes_out - self.out_before[i]
        self.bytes_in[host] += s[i].bytes_in - self.in_before[i]
        self.sessions[host] += 1
        self.hosts = max(self.hosts, host + 1)
        self.out_before[i] = s[i].bytes_out
        self.in_before[i] = s[i].bytes_in

    def size(self, host: u32, by_sessions: bool) -> u64:
        return self.sessions[host] if by_sessions else self.bytes_out[host] + self.bytes_in[host]

    def rank(self, by_sessions: bool) -> None:
        """Find the hosts that moved most bytes, or have most sessions."""
        host: u32
        k: u32
        self.found = 0
        for host in range(1, self.hosts):
            if self.sessions[host] == 0:
                continue
            k = self.found
            while k and self.size(self.best[k - 1], by_sessions) < self.size(host, by_sessions):
                self.best[k] = self.best[k - 1]
                k -= 1
            if k < self.most:
                self.best[k] = host
                self.found = min(self.found + 1, self.most)

    def name(self) -> None:
        """Note the addresses of the hosts found, of those that are still there."""
        h: Hosts = self.flows.hosts.rows
        k: u32
        host: u32
        named: u32 = 0
        for k in range(self.found):
            host = self.best[k]
            if h[host].live:
                self.best[named] = host
                self.names[2 * named] = h[host].high
                self.names[2 * named + 1] = h[host].low
                named += 1
        self.found = named

    def busiest(self) -> list[HostRow]:
        """The hosts found and named, the largest first."""
        k: u32
        host: u32
        rows = []
        for k in range(self.found):
            host = self.best[k]
            rows.append(
                HostRow(
                    address_text(self.names[2 * k], self.names[2 * k + 1]),
                    self.sessions[host],
                    self.bytes_out[host],
                    self.bytes_in[host],
                )
            )
        return rows


class HostLook(PacketLoopCall):
    """A look at some rows."""

    def __init__(self, traffic: HostTraffic, start: int, count: int, now: int) -> None:
        self.traffic = traffic
        self.start = start
        self.count = count
        self.now = now

    def run(self) -> None:
        self.start = self.traffic.look(self.start, self.count, self.now)

    def result(self) -> int:
        """The row to go on with, 0 after the last."""
        return self.start


class HostNaming(PacketLoopCall):
    """The addresses of the hosts that were found."""

    def __init__(self, traffic: HostTraffic) -> None:
        self.traffic = traffic

    def run(self) -> None:
        self.traffic.name()
