"""External ports: which of the permitted ones are unused, in one pool per protocol and address.

In each pool `order` holds the permitted ports with the `left` unused ones first, so that taking a
random unused port, a given port, or giving one back is O(1) and the last free port costs no more
than the first.  `unused` is the same set as bits, for the next free port in numeric order.
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32, u64

    from .records import (
        NONE32,
        Numbers,
        Shorts,
        Words,
        lowest_bit,
        new_numbers,
        new_shorts,
        new_words,
        release,
    )

from .generator import Generator


class PortPools:
    """Arguments are not checked: rows, pools and ports must be in range."""

    order: Shorts
    place: Numbers
    users: Numbers
    left: Numbers
    unused: Words

    def __init__(self, pools: int, ports: Sequence[int], generator: Generator) -> None:
        """`pools` pools with the same permitted `ports` (distinct, 0..65535, at least one)."""
        self.generator = generator
        self.pools = pools
        self.size = len(ports)
        self.order = new_shorts(pools * self.size)
        self.place = new_numbers(pools << 16)
        self.users = new_numbers(pools << 16)
        self.left = new_numbers(pools)
        self.unused = new_words(pools << 10)
        pool: u32
        port: u32
        k: u32
        one: u64 = 1
        for pool in range(pools):
            self.left[pool] = self.size
            for port in range(1 << 16):
                self.place[pool << 16 | port] = NONE32
            for k, port in enumerate(ports):
                self.order[pool * self.size + k] = port
                self.place[pool << 16 | port] = k
                self.unused[pool << 10 | port >> 6] |= one << (port & 63)

    def __dealloc__(self) -> None:
        release(self.order)
        release(self.place)
        release(self.users)
        release(self.left)
        release(self.unused)

    def has(self, port: u32) -> bool:
        """Whether the port is one of the permitted."""
        return self.place[port] != NONE32

    def users_of(self, pool: u32, port: u32) -> u32:
        """How many mappings have the port."""
        return self.users[pool << 16 | port]

    def unused_ports(self, pool: u32) -> u32:
        return self.left[pool]

    def swap(self, pool: u32, a: u32, b: u32) -> None:
        """Exchange two places of a pool's order."""
        base: u32 = pool * self.size
        x: u32 = self.order[base + a]
        y: u32 = self.order[base + b]
        self.order[base + a] = y
        self.order[base + b] = x
        self.place[pool << 16 | y] = a
        self.place[pool << 16 | x] = b

    def take(self, pool: u32, port: u32) -> None:
        """One more mapping has the permitted port."""
        at: u32 = pool << 16 | port
        one: u64 = 1
        if self.users[at] == 0:
            self.left[pool] -= 1
            self.swap(pool, self.place[at], self.left[pool])
            self.unused[pool << 10 | port >> 6] ^= one << (port & 63)
        self.users[at] += 1

    def give(self, pool: u32, port: u32) -> None:
        """One mapping less has the port."""
        at: u32 = pool << 16 | port
        one: u64 = 1
        self.users[at] -= 1
        if self.users[at] == 0:
            self.swap(pool, self.place[at], self.left[pool])
            self.left[pool] += 1
            self.unused[pool << 10 | port >> 6] ^= one << (port & 63)

    def random_unused(self, pool: u32) -> u32:
        """A random port nobody has, or NONE32."""
        left: u32 = self.left[pool]
        if left == 0:
            return NONE32
        return self.order[pool * self.size + self.generator.below(left)]

    def next_unused(self, pool: u32, port: u32) -> u32:
        """The first port nobody has from `port` upward, going round at 65535; or NONE32."""
        if self.left[pool] == 0:
            return NONE32
        all_ones: u64 = 0
        all_ones = ~all_ones
        word: u64 = self.unused[pool << 10 | port >> 6] & all_ones << (port & 63)
        at: u32 = port >> 6
        while word == 0:
            at = at + 1 & 1023
            word = self.unused[pool << 10 | at]
        return at << 6 | lowest_bit(word)

    def random_port(self, pool: u32) -> u32:
        """A random permitted port, whoever has it."""
        return self.order[pool * self.size + self.generator.below(self.size)]

    def next_port(self, port: u32) -> u32:
        """The permitted port after `port`, going round."""
        port = port + 1 & 0xFFFF
        while self.place[port] == NONE32:
            port = port + 1 & 0xFFFF
        return port
