"""How often which value occurred, to one part in sixteen: every power of two has 16 buckets."""

import cython

if not cython.compiled:
    from ratsnake.nat.tables.row_layouts import Words, new_words, release
    from ratsnake.wire.integer_types import u32, u64

    STEPS = 16
    STEP_BITS = 4
    BUCKETS = 1024

    def highest_bit(x: u64) -> u32:
        return x.bit_length() - 1


class Histogram:
    """`count` values were noted, the largest was `largest`."""

    buckets: Words

    def __init__(self) -> None:
        self.buckets = new_words(BUCKETS)
        self.count = self.largest = 0

    def __dealloc__(self) -> None:
        release(self.buckets)

    def note(self, value: u64) -> None:
        at: u64 = value
        power: u32
        if value >= STEPS:
            power = highest_bit(value) - STEP_BITS
            at = (power << STEP_BITS) + (value >> power)
        self.buckets[at] += 1
        self.count += 1
        if value > self.largest:
            self.largest = value

    def percentile(self, share: float) -> int:
        """The least bound that `share` (0 to 1) of the values do not exceed; 0 of none."""
        wanted = share * self.count
        seen = 0
        for at in range(BUCKETS):
            seen += self.buckets[at]
            if seen and seen >= wanted:
                return min(self._last(at), int(self.largest))
        return 0

    def _last(self, at: int) -> int:
        """The largest value of a bucket."""
        if at < 2 * STEPS:
            return at
        power = (at >> STEP_BITS) - 1
        return ((at - (power << STEP_BITS) + 1) << power) - 1
