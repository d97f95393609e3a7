"""External ports: who has them, in one pool per protocol and address.

Ports are named by their position (port_positions.py).  `taken` has a bit for each: set where a
mapping has the port, or it rests.  `sections` and `groups` count the bits set in 8 and in 64 words,
so that the number of unused ports in any run of positions, and any one of them by its number, come
in few steps, the last as fast as the first.  Nothing has to be filled in before the first use.

A port may have to *rest* after its last mapping, so that a stranger's late packets do not reach the
next user (RFC 6888 REQ-8): it is then neither used nor unused until its time has come, or until
nothing else is left.  Resting ports form rings, oldest first: one for each set of ports that a flow
may have to find one in, so that none but those are looked at.  Shared ports do not rest: their
filters keep strangers out.

Where some hosts have NAT types of their own, a pool may be *mixed*: some of its mappings need a
port each, others share one if their remotes differ in address (level 1), or in address or port
(level 2).  An inbound packet can be assigned only if all mappings of its port are told apart in the
same way, so a port in use belongs to one level: `levels` has a bit for each port and level.  A
quarter of the ports is spared for mappings that cannot share, as long as the others find a port to
share.
"""

from collections.abc import Collection, Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M64, u32, u64

    from ..tables.bit_operations import count_bits, lowest_bit, nth_bit
    from ..tables.row_layouts import (
        NONE32,
        Numbers,
        Octets,
        Ports,
        Shorts,
        Words,
        new_numbers,
        new_octets,
        new_ports,
        new_shorts,
        new_words,
        prefetch_port,
        release,
    )

    WOKEN_AT_ONCE = 32
    GUESSES = 2
    # Bits of `mixed`.
    MIXED = 1
    SPARING = 2

from ..tables.random_generator import Generator
from .port_positions import Positions


class PortPools:
    """Arguments are not checked: pools, positions and rings must be in range."""

    shared: Octets
    mixed: Octets
    levels: Words
    first_group: Numbers
    counts: Numbers
    resting: Numbers
    taken: Words
    sections: Shorts
    groups: Shorts
    oldest: Shorts
    youngest: Shorts
    rows: Ports

    def __init__(
        self,
        positions: Positions,
        levels: Sequence[Collection[int]],
        rings: int,
        generator: Generator,
        spares: bool = True,
    ) -> None:
        """Pools of these positions; `levels`: how mappings of each may share a port (0: they may
        not; 1, 2: as `share` of their policies).

        A port rests in one of `rings` rings.  `spares`: mixed pools spare ports.
        """
        self.positions = positions
        self.generator = generator
        pools = positions.pools
        self.shared = new_octets(pools)
        self.mixed = new_octets(pools)
        self.first_group = new_numbers(pools)
        self.counts = new_numbers(pools)
        self.resting = new_numbers(pools)
        groups = 0
        for pool in range(pools):
            self.shared[pool] = max(levels[pool]) > 0
            if len(set(levels[pool])) > 1:
                self.mixed[pool] = MIXED | (SPARING if spares and 0 in levels[pool] else 0)
            self.first_group[pool] = groups
            groups += (positions.size(pool) + 4095) // 4096
        self.taken = new_words(groups << 6)
        self.levels = new_words(groups << 7 if any(self.mixed[k] for k in range(pools)) else 0)
        self.sections = new_shorts(groups << 3)
        self.groups = new_shorts(groups)
        self.rows = new_ports(groups << 12)
        # Links are positions and 1, for 0 is none.
        self.oldest = new_shorts(rings)
        self.youngest = new_shorts(rings)

    def __dealloc__(self) -> None:
        release(self.shared)
        release(self.mixed)
        release(self.levels)
        release(self.first_group)
        release(self.counts)
        release(self.resting)
        release(self.taken)
        release(self.sections)
        release(self.groups)
        release(self.rows)
        release(self.oldest)
        release(self.youngest)

    def at(self, pool: u32, position: u32) -> u32:
        """Where a port's own entries are."""
        return (self.first_group[pool] << 12) + position

    def used_ports(self, pool: u32) -> u32:
        """How many ports have mappings."""
        return self.counts[pool] - self.resting[pool]

    def unused_ports(self, pool: u32) -> u32:
        """How many ports nobody has, and do not rest."""
        return self.positions.size(pool) - self.counts[pool]

    def is_unused(self, pool: u32, position: u32) -> bool:
        """Whether nobody has the port and it does not rest."""
        return (self.taken[self.at(pool, position) >> 6] >> (position & 63) & 1) == 0

    def is_used(self, pool: u32, position: u32) -> bool:
        """Whether a mapping has the port."""
        return not self.is_unused(pool, position) and not self.rests(pool, position)

    def mark(self, pool: u32, position: u32, taken: bool) -> None:
        """A port that was not is taken now, or the reverse."""
        one: u64 = 1
        at: u32 = self.at(pool, position)
        self.taken[at >> 6] ^= one << (position & 63)
        if taken:
            self.counts[pool] += 1
            self.sections[at >> 9] += 1
            self.groups[at >> 12] += 1
        else:
            self.counts[pool] -= 1
            self.sections[at >> 9] -= 1
            self.groups[at >> 12] -= 1

    def take(self, pool: u32, position: u32) -> None:
        """One more mapping has the port, which is unused or shared."""
        if self.shared[pool]:
            at: u32 = self.at(pool, position)
            self.rows[at].users += 1
            if self.rows[at].users > 1:
                return
        self.mark(pool, position, True)

    def give(self, pool: u32, position: u32) -> None:
        """One mapping less has the port, which after the last is unused."""
        if self.shared[pool]:
            at: u32 = self.at(pool, position)
            self.rows[at].users -= 1
            if self.rows[at].users:
                return
            if self.mixed[pool]:
                self.end_sharing(at)
        self.mark(pool, position, False)

    def end_sharing(self, at: u32) -> None:
        """A port has no level any more."""
        one: u64 = 1
        bit: u64 = one << (at & 63)
        word: u32 = at >> 6 << 1
        self.levels[word] &= bit ^ M64
        self.levels[word + 1] &= bit ^ M64

    def share(self, pool: u32, position: u32, level: u32) -> None:
        """The port of a mixed pool, just taken, is shared by mappings of this level (1 or 2)."""
        one: u64 = 1
        at: u32 = self.at(pool, position)
        self.levels[(at >> 6 << 1) + level - 1] |= one << (at & 63)

    def barred(self, pool: u32, word: u32, level: u32, sparing: bool) -> u64:
        """The bits of the ports of a mixed pool, in one word of its positions, that a mapping of
        this level (1 or 2) cannot share: others have them, or they rest; where `sparing` is set,
        also those nobody has."""
        at: u32 = (self.first_group[pool] << 6) + word
        others: u64 = self.levels[(at << 1) + level - 1] ^ M64
        return others if sparing else others & self.taken[at]

    def spares(self, pool: u32) -> bool:
        """Whether unused ports are left to mappings that need one of their own."""
        return self.mixed[pool] & SPARING != 0 and self.unused_ports(
            pool
        ) << 2 <= self.positions.size(pool)

    def rest(self, pool: u32, position: u32, ring: u32, until: u64) -> None:
        """The mapping that has the port ended, and the port rests until then, which is not 0."""
        at: u32 = self.at(pool, position)
        youngest: u32 = self.youngest[ring]
        self.resting[pool] += 1
        # What counted its mappings counts none while it rests.
        self.rows[at].users = 0
        self.rows[at].rests_until = until
        self.rows[at].older = youngest
        self.rows[at].younger = 0
        if youngest:
            self.rows[self.at(pool, youngest - 1)].younger = position + 1
        else:
            self.oldest[ring] = position + 1
        self.youngest[ring] = position + 1

    def rests(self, pool: u32, position: u32) -> bool:
        """Whether the port is neither used nor unused."""
        return self.rows[self.at(pool, position)].rests_until != 0

    def end_rest(self, pool: u32, ring: u32, position: u32) -> None:
        """A port that rests is unused again."""
        at: u32 = self.at(pool, position)
        before: u32 = self.rows[at].older
        after: u32 = self.rows[at].younger
        if self.oldest[ring] == position + 1:
            # The row of the next is far, and what it says of an older one is not asked any more.
            before = 0
            self.oldest[ring] = after
            prefetch_port(self.rows, self.at(pool, after - 1) if after else at)
        else:
            self.rows[self.at(pool, before - 1)].younger = after
            if after:
                self.rows[self.at(pool, after - 1)].older = before
        if after == 0:
            self.youngest[ring] = before
        self.rows[at].rests_until = 0
        self.resting[pool] -= 1
        self.mark(pool, position, False)

    def first_waking(self, pool: u32, ring: u32) -> u64:
        """When the first of the resting ports has rested enough; the end of time if none rests."""
        if self.oldest[ring] == 0:
            return M64
        return self.rows[self.at(pool, self.oldest[ring] - 1)].rests_until

    def wake(self, pool: u32, ring: u32, now: u64) -> None:
        """End the rest of ports whose time has come: of many, the next call goes on."""
        left: u32 = WOKEN_AT_ONCE
        while left and self.first_waking(pool, ring) <= now:
            self.end_rest(pool, ring, self.oldest[ring] - 1)
            left -= 1

    def wake_port(self, pool: u32, ring: u32, position: u32, now: u64) -> None:
        """End the rest of this port if its time has come."""
        if self.rests(pool, position) and self.rows[self.at(pool, position)].rests_until <= now:
            self.end_rest(pool, ring, position)

    def wake_oldest(self, pool: u32, ring: u32) -> bool:
        """End the rest of the port that has rested longest; False if none rests."""
        if self.oldest[ring] == 0:
            return False
        self.end_rest(pool, ring, self.oldest[ring] - 1)
        return True

    def unused_before(self, pool: u32, position: u32) -> u32:
        """How many unused ports have smaller positions."""
        if position == self.positions.size(pool):
            return position - self.counts[pool]
        at: u32 = self.at(pool, position)
        taken: u32 = count_bits(self.taken[at >> 6] & ((M64 << (at & 63) & M64) ^ M64))
        k: u32
        for k in range(self.first_group[pool], at >> 12):
            taken += self.groups[k]
        for k in range(at >> 12 << 3, at >> 9):
            taken += self.sections[k]
        for k in range(at >> 9 << 3, at >> 6):
            taken += count_bits(self.taken[k])
        return position - taken

    def nth_unused(self, pool: u32, n: u32) -> u32:
        """The position of the unused port that has `n` unused ones before it: it must be there."""
        at: u32 = self.first_group[pool]
        unused: u32 = 4096 - self.groups[at]
        while unused <= n:
            n -= unused
            at += 1
            unused = 4096 - self.groups[at]
        at <<= 3
        unused = 512 - self.sections[at]
        while unused <= n:
            n -= unused
            at += 1
            unused = 512 - self.sections[at]
        at <<= 3
        unused = 64 - count_bits(self.taken[at])
        while unused <= n:
            n -= unused
            at += 1
            unused = 64 - count_bits(self.taken[at])
        return (at << 6 | nth_bit(self.taken[at] ^ M64, n)) - self.at(pool, 0)

    def random_unused(self, pool: u32, begin: u32, end: u32) -> u32:
        """A random unused port among the positions begin..end-1, at least one; or NONE32."""
        # Where half of the ports are unused, one is soon met.
        left: u32 = GUESSES if 2 * self.counts[pool] <= self.positions.size(pool) else 0
        position: u32
        while left:
            position = begin + self.generator.below(end - begin)
            if self.is_unused(pool, position):
                return position
            left -= 1
        before: u32 = self.unused_before(pool, begin)
        count: u32 = self.unused_before(pool, end) - before
        if count == 0:
            return NONE32
        return self.nth_unused(pool, before + self.generator.below(count))

    def next_unused(self, pool: u32, start: u32, begin: u32, end: u32) -> u32:
        """The first unused port from `start` upward, going round in begin..end-1; or NONE32."""
        unused: u64 = (self.taken[self.at(pool, start) >> 6] ^ M64) >> (start & 63)
        if unused and start + lowest_bit(unused) < end:
            return start + lowest_bit(unused)
        before: u32 = self.unused_before(pool, start)
        if before < self.unused_before(pool, end):
            return self.nth_unused(pool, before)
        first: u32 = self.unused_before(pool, begin)
        return self.nth_unused(pool, first) if first < before else NONE32
