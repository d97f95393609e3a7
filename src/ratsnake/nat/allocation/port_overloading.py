"""Which shared ports a flow cannot have: those in use toward its remote, and, where an internal
endpoint may have none twice, those that it has.

Each of these sets is kept in the counter table by position (port_positions.py): in words of 64
positions, above them words that say which of 64 words are full, and above those one that says which
of 64 of these are.  So the next port that is not in a set is found in a few look-ups, however many
are, and a set takes a word for each of its ports at most, and one for every 64 more.

Between two sets that only together have all ports, the words are looked at one after another: 1,024
at most.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M64, u32, u64

    from ..tables.bit_operations import lowest_bit
    from ..tables.row_layouts import NONE32
    from .counter_table import PORTS_OF_ENDPOINT, PORTS_TOWARD_REMOTE

    # Parts of an owner: the words of positions, then those of full words, then that of full ones.
    FULL_WORDS = 1024
    FULL_GROUPS = 1040

from .counter_table import CounterTable, owner_of
from .port_pools import PortPools


def rows_needed(mappings: int) -> int:
    """How many numbers of the counter table so many mappings can need."""
    return 2 * (mappings + mappings // 64 + mappings // 4096)


class PortConflicts:
    """Arguments are not checked: positions must be in range, and what is given back was taken."""

    def __init__(self, counters: CounterTable, pools: PortPools) -> None:
        self.counters = counters
        self.pools = pools
        self.pool = self.level = 0
        self.sparing = False
        self.remote = self.high = self.low = self.endpoint = 0

    def look(
        self,
        pool: u32,
        remote_high: u64,
        remote_low: u64,
        remote_port: u32,
        endpoint: u32,
    ) -> None:
        """Whose ports the other methods are about: a remote's, and an endpoint's unless it is 0.

        The remote's port is 0 where it does not tell flows apart.
        """
        self.pool = pool
        self.remote = owner_of(PORTS_TOWARD_REMOTE, pool, remote_port)
        self.high = remote_high
        self.low = remote_low
        self.endpoint = owner_of(PORTS_OF_ENDPOINT, endpoint, 0) if endpoint else 0
        self.level = 0

    def keep_to(self, level: u32, sparing: bool) -> None:
        """In a mixed pool, count only ports that mappings of this level may have as free."""
        self.level = level
        self.sparing = sparing

    def enter(self, position: u32) -> None:
        """The port is in use now."""
        self.add(self.remote, self.high, self.low, position)
        if self.endpoint:
            self.add(self.endpoint, self.pool, 0, position)

    def leave(self, position: u32) -> None:
        """The port is no longer in use."""
        self.remove(self.remote, self.high, self.low, position)
        if self.endpoint:
            self.remove(self.endpoint, self.pool, 0, position)

    def add(self, owner: u64, high: u64, low: u64, position: u32) -> None:
        word: u64 = self.counters.set_bit(owner + (position >> 6), high, low, position & 63)
        if word != M64:
            return
        group: u32 = position >> 12
        word = self.counters.set_bit(owner + FULL_WORDS + group, high, low, position >> 6 & 63)
        if word == M64:
            self.counters.set_bit(owner + FULL_GROUPS, high, low, group)

    def remove(self, owner: u64, high: u64, low: u64, position: u32) -> None:
        word: u64 = self.counters.clear_bit(owner + (position >> 6), high, low, position & 63)
        if word != M64:
            return
        group: u32 = position >> 12
        word = self.counters.clear_bit(owner + FULL_WORDS + group, high, low, position >> 6 & 63)
        if word == M64:
            self.counters.clear_bit(owner + FULL_GROUPS, high, low, group)

    def free_bits(self, part: u32) -> u64:
        """The bits of a part that are set in neither set."""
        word: u64 = self.counters.get(self.remote + part, self.high, self.low)
        if self.endpoint and word != M64:
            word |= self.counters.get(self.endpoint + part, self.pool, 0)
        if self.level and part < FULL_WORDS:
            word |= self.pools.barred(self.pool, part, self.level, self.sparing)
        return word ^ M64

    def is_free(self, position: u32) -> bool:
        """Whether the flow may have the port."""
        return (self.free_bits(position >> 6) >> (position & 63) & 1) != 0

    def next_free(self, start: u32, begin: u32, end: u32) -> u32:
        """The first port the flow may have from `start` upward, going round in begin..end-1; or
        NONE32."""
        position: u32 = self.free_before(start, end)
        if position == NONE32 and start > begin:
            position = self.free_before(begin, start)
        return position

    def free_before(self, start: u32, end: u32) -> u32:
        """The first port the flow may have in start..end-1, or NONE32."""
        word: u32 = start >> 6
        free: u64 = self.free_bits(word) & M64 << (start & 63)
        position: u32
        while free == 0:
            word = self.next_open(self.after_barred(word + 1, end), end)
            if word == NONE32:
                return NONE32
            free = self.free_bits(word)
        position = word << 6 | lowest_bit(free)
        return position if position < end else NONE32

    def after_barred(self, word: u32, end: u32) -> u32:
        """The first word from this one on that has a port not barred, perhaps one beyond `end`."""
        while (
            self.level
            and word << 6 < end
            and self.pools.barred(self.pool, word, self.level, self.sparing) == M64
        ):
            word += 1
        return word

    def next_open(self, word: u32, end: u32) -> u32:
        """The first word from this one on that is full in neither set; NONE32 from `end` on."""
        if word << 6 >= end:
            return NONE32
        group: u32 = word >> 6
        words: u64 = self.free_bits(FULL_WORDS + group) & M64 << (word & 63)
        groups: u64
        if words == 0:
            groups = self.free_bits(FULL_GROUPS) & M64 << (group + 1)
            while words == 0:
                # There is one: the highest bits are of no group, and never set.
                group = lowest_bit(groups)
                if group << 12 >= end:
                    return NONE32
                groups &= groups - 1
                words = self.free_bits(FULL_WORDS + group)
        word = group << 6 | lowest_bit(words)
        return word if word << 6 < end else NONE32
