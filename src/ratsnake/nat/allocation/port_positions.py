"""Positions of ports: those of each pool, numbered from 0 without gaps.

All that is kept of ports is kept by position, so a pool takes as much memory as it has ports, and
64 of them fill a word.  Positions ascend with the ports.  Only where parity matters (RFC 4787
REQ-4) all even ports come before all odd ones, so that ports of one parity are a run of positions,
too: a *half*.  Other pools have one half, number 0.
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..tables.row_layouts import NONE32, Numbers, Octets, new_numbers, new_octets, release

Ranges = Sequence[tuple[int, int]]


def even_numbers(first: u32, end: u32) -> u32:
    """How many there are from `first` to before `end`."""
    return (end + 1 >> 1) - (first + 1 >> 1)


class Positions:
    """Arguments are not checked: pools and positions must be in range."""

    first_range: Numbers
    firsts: Numbers
    lasts: Numbers
    before: Numbers
    evens_before: Numbers
    evens: Numbers
    sizes: Numbers
    splits: Octets

    def __init__(self, pools: Sequence[Ranges], parity: Sequence[bool]) -> None:
        """`pools`: for each the inclusive ranges of its ports, ascending, not empty; there may be
        none.  `parity`: whether it has two halves.
        """
        count = sum(map(len, pools))
        self.pools = len(pools)
        self.first_range = new_numbers(self.pools + 1)
        self.firsts = new_numbers(count)
        self.lasts = new_numbers(count)
        # How many ports, and even ports, of its pool are below a range.
        self.before = new_numbers(count)
        self.evens_before = new_numbers(count)
        self.evens = new_numbers(self.pools)
        self.sizes = new_numbers(self.pools)
        self.splits = new_octets(self.pools)
        at = 0
        for pool, ranges in enumerate(pools):
            self.splits[pool] = parity[pool]
            for first, last in ranges:
                self.firsts[at] = first
                self.lasts[at] = last
                self.before[at] = self.sizes[pool]
                self.evens_before[at] = self.evens[pool]
                self.sizes[pool] += last + 1 - first
                self.evens[pool] += even_numbers(first, last + 1)
                at += 1
            self.first_range[pool + 1] = at

    def __dealloc__(self) -> None:
        release(self.first_range)
        release(self.firsts)
        release(self.lasts)
        release(self.before)
        release(self.evens_before)
        release(self.evens)
        release(self.sizes)
        release(self.splits)

    def size(self, pool: u32) -> u32:
        """How many ports the pool has."""
        return self.sizes[pool]

    def ranges_from(self, pool: u32, port: u32) -> u32:
        """The number of the pool's first range that begins above `port`."""
        low: u32 = self.first_range[pool]
        high: u32 = self.first_range[pool + 1]
        middle: u32
        if low == high or port < self.firsts[low]:
            return low
        if port >= self.firsts[high - 1]:
            return high
        # Where ranges are evenly spaced, as on MAP-E lines, this is the last that begins below.
        middle = low + (port - self.firsts[low]) * (high - 1 - low) // (
            self.firsts[high - 1] - self.firsts[low]
        )
        if self.firsts[middle] <= port and port < self.firsts[middle + 1]:
            return middle + 1
        while low < high:
            middle = (low + high) >> 1
            if self.firsts[middle] <= port:
                low = middle + 1
            else:
                high = middle
        return low

    def below(self, pool: u32, port: u32) -> u32:
        """How many of the pool's ports are smaller."""
        at: u32 = self.ranges_from(pool, port)
        if at == self.first_range[pool]:
            return 0
        at -= 1
        return self.before[at] + (min(port, self.lasts[at] + 1) - self.firsts[at])

    def evens_below(self, pool: u32, port: u32) -> u32:
        """How many of the pool's even ports are smaller."""
        at: u32 = self.ranges_from(pool, port)
        if at == self.first_range[pool]:
            return 0
        at -= 1
        return self.evens_before[at] + even_numbers(self.firsts[at], min(port, self.lasts[at] + 1))

    def begin(self, pool: u32, half: u32, port: u32) -> u32:
        """The position of the first port of a half that is not below `port` (0..65536).

        Where there is none: one after the half's last.
        """
        if not self.splits[pool]:
            return self.below(pool, port)
        evens: u32 = self.evens_below(pool, port)
        return self.evens[pool] + self.below(pool, port) - evens if half else evens

    def position_of(self, pool: u32, port: u32) -> u32:
        """A port's position, or NONE32 if it is none of the pool's."""
        at: u32 = self.ranges_from(pool, port)
        if at == self.first_range[pool] or port > self.lasts[at - 1]:
            return NONE32
        return self.begin(pool, port & 1 if self.splits[pool] else 0, port)

    def ports_before(self, pool: u32, half: u32, at: u32) -> u32:
        """How many ports of its pool's half are below a range."""
        if not self.splits[pool]:
            return self.before[at]
        return self.before[at] - self.evens_before[at] if half else self.evens_before[at]

    def range_with(self, pool: u32, half: u32, n: u32) -> u32:
        """The range that has the port with `n` others of its half below it."""
        low: u32 = self.first_range[pool]
        high: u32 = self.first_range[pool + 1] - 1
        size: u32 = self.sizes[pool]
        if self.splits[pool]:
            size = size - self.evens[pool] if half else self.evens[pool]
        # Where ranges are of one size, this is it.
        middle: u32 = low + n * (high + 1 - low) // size
        if self.ports_before(pool, half, middle) <= n and (
            middle == high or n < self.ports_before(pool, half, middle + 1)
        ):
            return middle
        while low < high:
            middle = (low + high + 1) >> 1
            if self.ports_before(pool, half, middle) <= n:
                low = middle
            else:
                high = middle - 1
        return low

    def port_at(self, pool: u32, position: u32) -> u32:
        """The port at a position."""
        half: u32 = 0
        if self.splits[pool] and position >= self.evens[pool]:
            half = 1
            position -= self.evens[pool]
        at: u32 = self.range_with(pool, half, position)
        first: u32 = self.firsts[at]
        position -= self.ports_before(pool, half, at)
        if not self.splits[pool]:
            return first + position
        return first + (half ^ (first & 1)) + 2 * position

    def from_port(self, pool: u32, port: u32) -> u32:
        """The pool's first port that is not below `port`, or NONE32."""
        at: u32 = self.ranges_from(pool, port)
        if at > self.first_range[pool] and port <= self.lasts[at - 1]:
            return port
        return self.firsts[at] if at < self.first_range[pool + 1] else NONE32
