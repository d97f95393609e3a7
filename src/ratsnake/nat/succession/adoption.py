"""A NAT takes the place of another one, and goes on with its flows as far as it may.

What may go on is told in adopter.py.
"""

from dataclasses import dataclass

from ..nat import Nat
from .succession import Succession


@dataclass(frozen=True, slots=True)
class Transfer:
    """How many sessions went over, and how many were alive and ended."""

    kept: int
    ended: int


def transfer(old: Nat, new: Nat, now: int) -> Transfer:
    """Move everything of `old` into `new`, which has other settings and has translated nothing.

    `now` is in milliseconds, as both are told it.  No packet may be translated meanwhile; it takes
    about a microsecond a session.  Counters go on, and so do events: what ended is told as ended.
    Afterwards `old` is good for nothing but to be thrown away.  Raises ValueError where `new` has
    sessions already, and MemoryError; then nothing has changed.
    """
    succession = Succession(old, new)
    succession.run(now)
    return Transfer(succession.kept, succession.ended)
