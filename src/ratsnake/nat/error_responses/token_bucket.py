"""How many errors a second may be sent: a token bucket (RFC 1812 4.3.2.8, RFC 4443 section 2.4 f).

A bucket and not an interval, so that a traceroute gets its few answers together while a flood gets
no more than the rate.
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M32, u64

    PARTS = 1000
    HIGHEST = 1_000_000


def checked(name: str, value: int) -> int:
    if not 1 <= value <= HIGHEST:
        raise ValueError(f"{name} {value}: a number from 1 to {HIGHEST:,} is right")
    return value


class TokenBucket:
    """It starts full.  The level is counted in thousandths of a token, of which `rate` come in each
    millisecond, so nothing is ever rounded."""

    def __init__(self, rate_per_second: int, burst: int) -> None:
        """Both 1..1,000,000; ValueError where they are not."""
        self.rate = checked("tokens a second", rate_per_second)
        self.capacity = checked("burst", burst) * PARTS
        self.level = self.capacity
        self.clock = 0

    def take(self, now: u64) -> bool:
        """Take a token if there is one.  `now` is in milliseconds; going back, it stands still."""
        elapsed: u64
        if now > self.clock:
            elapsed = now - self.clock
            self.clock = now
            # 2**32 ms fill any bucket, and times the highest rate still fit into 64 bits.
            if elapsed > M32:
                elapsed = M32
            self.level += elapsed * self.rate
            if self.level > self.capacity:
                self.level = self.capacity
        if self.level < PARTS:
            return False
        self.level -= PARTS
        return True
