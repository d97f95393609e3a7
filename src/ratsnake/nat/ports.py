"""External ports: which of the permitted ones are unused, in one pool per protocol and address.

In each pool `order` holds the permitted ports with the `left` unused ones first, so that taking a
random unused port, a given port, or giving one back is O(1) and the last free port costs no more
than the first.  `unused` is the same set as bits, for the next free port in numeric order;
`permitted` and `sorted` are all ports of the pool, as bits and in order.

A port may have to *rest* after its last mapping, so that a stranger's late packets do not reach the
next user (RFC 6888 REQ-8): it is then neither used nor unused until its time has come, or until
nothing else is left.  Resting ports form a ring a pool, oldest first; port 0, which nobody is
given, is its head.
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.types import M64, u16, u32, u64

    from .records import (
        NONE32,
        Numbers,
        Octets,
        Shorts,
        Words,
        lowest_bit,
        new_numbers,
        new_octets,
        new_shorts,
        new_words,
        release,
    )

    ANY = 0
    EVEN = 1
    ODD = 2
    EVENS = 0x5555555555555555

from .generator import Generator

Ranges = Sequence[tuple[int, int]]


class PortPools:
    """Arguments are not checked: pools and ports must be in range."""

    ranges: Numbers
    first_range: Numbers
    sizes: Numbers
    left: Numbers
    resting: Numbers
    ready: Octets
    order: Shorts
    place: Shorts
    sorted: Shorts
    users: Numbers
    unused: Words
    permitted: Words
    older: Shorts
    younger: Shorts
    rests_until: Words

    def __init__(self, pools: Sequence[Ranges], generator: Generator) -> None:
        """`pools`: for each the inclusive ranges of its ports, ascending; there may be none.

        A pool is filled in when it is first used: most NATs never see most protocols.
        """
        self.generator = generator
        self.pools = len(pools)
        self.ranges = new_numbers(2 * sum(map(len, pools)))
        self.first_range = new_numbers(self.pools + 1)
        self.sizes = new_numbers(self.pools)
        self.left = new_numbers(self.pools)
        self.resting = new_numbers(self.pools)
        self.ready = new_octets(self.pools)
        self.order = new_shorts(self.pools << 16)
        self.place = new_shorts(self.pools << 16)
        self.sorted = new_shorts(self.pools << 16)
        self.users = new_numbers(self.pools << 16)
        self.unused = new_words(self.pools << 10)
        self.permitted = new_words(self.pools << 10)
        self.older = new_shorts(self.pools << 16)
        self.younger = new_shorts(self.pools << 16)
        self.rests_until = new_words(self.pools << 16)
        at = 0
        for pool, ranges in enumerate(pools):
            for first, last in ranges:
                self.ranges[2 * at] = first
                self.ranges[2 * at + 1] = last
                self.sizes[pool] += last - first + 1
                at += 1
            self.first_range[pool + 1] = at

    def __dealloc__(self) -> None:
        release(self.ranges)
        release(self.first_range)
        release(self.sizes)
        release(self.left)
        release(self.resting)
        release(self.ready)
        release(self.order)
        release(self.place)
        release(self.sorted)
        release(self.users)
        release(self.unused)
        release(self.permitted)
        release(self.older)
        release(self.younger)
        release(self.rests_until)

    def prepare(self, pool: u32) -> None:
        """Fill a pool in before its first use."""
        if self.ready[pool]:
            return
        self.ready[pool] = 1
        self.left[pool] = self.sizes[pool]
        base: u32 = pool << 16
        one: u64 = 1
        k: u32 = 0
        at: u32
        port: u32
        for at in range(self.first_range[pool], self.first_range[pool + 1]):
            for port in range(self.ranges[2 * at], self.ranges[2 * at + 1] + 1):
                self.order[base + k] = port
                self.sorted[base + k] = port
                self.place[base + port] = k
                self.unused[base + port >> 6] |= one << (port & 63)
                self.permitted[base + port >> 6] |= one << (port & 63)
                k += 1

    def has(self, pool: u32, port: u32) -> bool:
        """Whether the port is one of the pool's."""
        self.prepare(pool)
        return (self.permitted[(pool << 16) + port >> 6] >> (port & 63) & 1) != 0

    def size(self, pool: u32) -> u32:
        """How many ports the pool has."""
        return self.sizes[pool]

    def users_of(self, pool: u32, port: u32) -> u32:
        """How many mappings have the port."""
        return self.users[pool << 16 | port]

    def used_ports(self, pool: u32) -> u32:
        """How many ports have mappings."""
        if not self.ready[pool]:
            return 0
        return self.sizes[pool] - self.left[pool] - self.resting[pool]

    def is_unused(self, pool: u32, port: u32) -> bool:
        """Whether nobody has the port and it does not rest."""
        return (self.unused[(pool << 16) + port >> 6] >> (port & 63) & 1) != 0

    def swap(self, pool: u32, a: u32, b: u32) -> None:
        """Exchange two places of a pool's order."""
        base: u32 = pool << 16
        x: u16 = self.order[base + a]
        y: u16 = self.order[base + b]
        self.order[base + a] = y
        self.order[base + b] = x
        self.place[base + y] = a
        self.place[base + x] = b

    def leave_unused(self, pool: u32, port: u32) -> None:
        one: u64 = 1
        self.left[pool] -= 1
        self.swap(pool, self.place[pool << 16 | port], self.left[pool])
        self.unused[(pool << 16) + port >> 6] ^= one << (port & 63)

    def enter_unused(self, pool: u32, port: u32) -> None:
        one: u64 = 1
        self.swap(pool, self.place[pool << 16 | port], self.left[pool])
        self.left[pool] += 1
        self.unused[(pool << 16) + port >> 6] ^= one << (port & 63)

    def take(self, pool: u32, port: u32) -> None:
        """One more mapping has the port, which is unused or shared."""
        at: u32 = pool << 16 | port
        if self.users[at] == 0:
            self.leave_unused(pool, port)
        self.users[at] += 1

    def give(self, pool: u32, port: u32, rests_until: u64) -> None:
        """One mapping less has the port; after the last it rests until then (0: not at all)."""
        at: u32 = pool << 16 | port
        self.users[at] -= 1
        if self.users[at]:
            return
        if rests_until == 0:
            self.enter_unused(pool, port)
            return
        base: u32 = pool << 16
        youngest: u16 = self.older[base]
        self.older[at] = youngest
        self.younger[at] = 0
        self.younger[base + youngest] = port
        self.older[base] = port
        self.rests_until[at] = rests_until
        self.resting[pool] += 1

    def end_rest(self, pool: u32, port: u32) -> None:
        """A port that rests is unused again."""
        base: u32 = pool << 16
        before: u16 = self.older[base + port]
        after: u16 = self.younger[base + port]
        self.younger[base + before] = after
        self.older[base + after] = before
        self.resting[pool] -= 1
        self.enter_unused(pool, port)

    def wake_within(self, pool: u32, first: u32, last: u32) -> bool:
        """End the rest of the port in first..last that has rested longest; False if there is none.

        Among few ports each is asked, among all the ring knows.
        """
        base: u32 = pool << 16
        port: u32 = 0
        if self.resting[pool] == 0:
            return False
        if first == 0 and last == 0xFFFF:
            port = self.younger[base]
        else:
            k: u32
            for k in range(first, last + 1):
                if self.rests(pool, k) and (
                    port == 0 or self.rests_until[base + k] < self.rests_until[base + port]
                ):
                    port = k
        if port:
            self.end_rest(pool, port)
        return port != 0

    def first_waking(self, pool: u32) -> u64:
        """When the first of the resting ports has rested enough; the end of time if none rests."""
        if self.resting[pool] == 0:
            return M64
        return self.rests_until[(pool << 16) + self.younger[pool << 16]]

    def rests(self, pool: u32, port: u32) -> bool:
        """Whether the port is neither used nor unused."""
        return (
            self.has(pool, port)
            and self.users_of(pool, port) == 0
            and not self.is_unused(pool, port)
        )

    def wake(self, pool: u32, now: u64) -> None:
        """End the rest of all ports whose time has come."""
        base: u32 = pool << 16
        while self.resting[pool] and self.rests_until[base + self.younger[base]] <= now:
            self.end_rest(pool, self.younger[base])

    def random_unused(self, pool: u32) -> u32:
        """A random unused port, or NONE32."""
        left: u32 = self.left[pool]
        if left == 0:
            return NONE32
        return self.order[(pool << 16) + self.generator.below(left)]

    def rank(self, pool: u32, port: u32) -> u32:
        """How many of the pool's ports are smaller."""
        low: u32 = 0
        high: u32 = self.sizes[pool]
        middle: u32
        while low < high:
            middle = (low + high) >> 1
            if self.sorted[(pool << 16) + middle] < port:
                low = middle + 1
            else:
                high = middle
        return low

    def random_within(self, pool: u32, first: u32, last: u32) -> u32:
        """A random port of the pool in first..last, whoever has it; or NONE32."""
        low: u32 = self.rank(pool, first)
        count: u32 = self.rank(pool, last + 1) - low
        if count == 0:
            return NONE32
        return self.sorted[(pool << 16) + low + self.generator.below(count)]

    def scan(self, bits: Words, pool: u32, start: u32, last: u32, parity: u32) -> u32:
        """The first port in start..last whose bit is set, of that parity; or NONE32."""
        word: u64
        fitting: u64 = M64
        if parity == EVEN:
            fitting = EVENS
        elif parity == ODD:
            fitting = EVENS << 1
        beyond: u32 = start & 63
        at: u32
        port: u32
        for at in range(start >> 6, (last >> 6) + 1):
            word = bits[(pool << 10) + at] & fitting & (M64 << beyond)
            beyond = 0
            if word:
                port = at << 6 | lowest_bit(word)
                return port if port <= last else NONE32
        return NONE32

    def next_unused(self, pool: u32, start: u32, first: u32, last: u32, parity: u32) -> u32:
        """The first unused port from `start` upward, going round in first..last; or NONE32."""
        port: u32 = self.scan(self.unused, pool, start, last, parity)
        if port == NONE32 and start > first:
            port = self.scan(self.unused, pool, first, start - 1, parity)
        return port

    def next_port(self, pool: u32, port: u32, first: u32, last: u32, parity: u32) -> u32:
        """The pool's port after `port`, going round in first..last; or NONE32 if there is none."""
        found: u32 = NONE32
        if port < last:
            found = self.scan(self.permitted, pool, port + 1, last, parity)
        if found == NONE32:
            found = self.scan(self.permitted, pool, first, last, parity)
        return found
