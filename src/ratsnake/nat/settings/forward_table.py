"""Static forwards compiled: which one a packet without a session belongs to.

What a look-up answers changes at few places only: at the first port of a forward, after its last,
and there at the borders of its remotes.  These steps are sorted once, so a look-up is two binary
searches: for the step of address, protocol and port, and among those it leads to for the remote's.
A flood costs a few comparisons a packet however many forwards there are.

There are a few steps for a forward.  Only where port ranges partly overlap (for other remotes) has
each piece all the remotes that meet there, which grows with the square of such forwards at worst.
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M64, u32, u64

    from ..tables.row_layouts import ForwardRows, Steps, new_forwards, new_steps, release

from .interval_sweep import BEYOND_ADDRESSES, Address, by_place, by_remote, number
from .static_forward import Forward


class Forwards:
    """Forwards by row, from 1 in the order given; row 0 is none.  Arguments are not checked.

    Protocols and external addresses are row numbers, ports 0..65535.  The steps of external ports
    come first, those of internal ports from `inside` on, those of remotes from `remotes` on.
    """

    rows: ForwardRows
    steps: Steps

    def __init__(self, forwards: Sequence[Forward], externals: Sequence[Address]) -> None:
        """`externals`, in the order of their rows, has the external address of every forward."""
        self.count = len(forwards)
        self.rows = new_forwards(self.count + 1)
        outside = []
        inside = []
        for row, forward in enumerate(forwards, 1):
            internal, protocols = number(forward.internal), forward.protocol_rows
            external = externals.index(forward.external)
            first, last = forward.internal_port, forward.last_internal_port
            outside.append((row, protocols, external, forward.first_port, forward.last_port))
            inside.append((row, protocols, internal, first, last))
            self.rows[row].internal_high = internal >> 64
            self.rows[row].internal_low = internal & M64
            self.rows[row].internal_port = first
            self.rows[row].external = external
            self.rows[row].external_port = forward.first_port
        ports = by_place(outside)
        self.inside = 1 + len(ports)
        ports += by_place(inside)
        self.remotes = 1 + len(ports)
        # Ports that the same forwards cover share their remotes' steps.
        remotes: list[tuple[int, int]] = []
        runs: dict[tuple[int, ...], tuple[int, int]] = {}
        for _, covering in ports:
            if covering in runs:
                continue
            begin = self.remotes + len(remotes)
            for start, best in by_remote((row, forwards[row - 1].remotes) for row in covering):
                if start != BEYOND_ADDRESSES:
                    remotes.append((start, best[0] if best else 0))
            runs[covering] = (begin, self.remotes + len(remotes))
        self.steps = new_steps(self.remotes + len(remotes))
        for at, ((address, protocol, port), covering) in enumerate(ports, 1):
            self.steps[at].high = address >> 64
            self.steps[at].low = address & M64
            self.steps[at].protocol = protocol
            self.steps[at].port = port
            self.steps[at].first, self.steps[at].end = runs[covering]
        for at, (start, row) in enumerate(remotes, self.remotes):
            self.steps[at].high = start >> 64
            self.steps[at].low = start & M64
            self.steps[at].forward = row

    def __dealloc__(self) -> None:
        release(self.rows)
        release(self.steps)

    def lies_after(self, step: u32, high: u64, low: u64, protocol: u32, port: u32) -> bool:
        if self.steps[step].high != high:
            return self.steps[step].high > high
        if self.steps[step].low != low:
            return self.steps[step].low > low
        if self.steps[step].protocol != protocol:
            return self.steps[step].protocol > protocol
        return self.steps[step].port > port

    def search(self, first: u32, end: u32, high: u64, low: u64, protocol: u32, port: u32) -> u32:
        """The last step in first..end-1 that does not lie after the key, or 0."""
        found: u32 = 0
        middle: u32
        while first < end:
            middle = (first + end) >> 1
            if self.lies_after(middle, high, low, protocol, port):
                end = middle
            else:
                found = middle
                first = middle + 1
        return found

    def forward_for(self, step: u32, remote_high: u64, remote_low: u64) -> u32:
        """The forward for a remote at a step of ports (0 leads to no remotes)."""
        first: u32 = self.steps[step].first
        found: u32 = self.search(first, self.steps[step].end, remote_high, remote_low, 0, 0)
        return self.steps[found].forward

    def inbound(
        self, protocol: u32, external: u32, port: u32, remote_high: u64, remote_low: u64
    ) -> u32:
        """The forward that a remote reaches at an external endpoint, or 0."""
        step: u32 = self.search(1, self.inside, 0, external, protocol, port)
        return self.forward_for(step, remote_high, remote_low)

    def outbound(
        self, protocol: u32, high: u64, low: u64, port: u32, remote_high: u64, remote_low: u64
    ) -> u32:
        """The first forward to an internal endpoint that is open to the remote, or 0."""
        step: u32 = self.search(self.inside, self.remotes, high, low, protocol, port)
        return self.forward_for(step, remote_high, remote_low)

    def claims(self, protocol: u32, external: u32, port: u32) -> bool:
        """Whether the external endpoint belongs to a forward, for whatever remotes."""
        step: u32 = self.search(1, self.inside, 0, external, protocol, port)
        return self.steps[step].first != self.steps[step].end

    def reserved(self) -> list[tuple[int, int, int, int]]:
        """What port pools must not give out: (protocol, external row, first port, last port).

        No port comes twice.
        """
        # No forward covers the last step of an address and protocol, so a step that is covered
        # always ends where the next one begins.
        return [
            (
                self.steps[at].protocol,
                self.steps[at].low,
                self.steps[at].port,
                self.steps[at + 1].port - 1,
            )
            for at in range(1, self.inside)
            if self.steps[at].first != self.steps[at].end
        ]

    def internal_high(self, row: u32) -> u64:
        return self.rows[row].internal_high

    def internal_low(self, row: u32) -> u64:
        return self.rows[row].internal_low

    def internal_port(self, row: u32, external_port: u32) -> u32:
        """The internal port of one of the forward's external ports."""
        return self.rows[row].internal_port + external_port - self.rows[row].external_port

    def external_port(self, row: u32, internal_port: u32) -> u32:
        """The external port of one of the forward's internal ports."""
        return self.rows[row].external_port + internal_port - self.rows[row].internal_port

    def external_of(self, row: u32) -> u32:
        """The row of the forward's external address."""
        return self.rows[row].external
