"""A NAT goes on with the flows of another one, or with those it had before it was started again.

What may go on is told in flow_insertion.py.
"""

from dataclasses import dataclass

from ..nat import Nat
from .flow_restoration import Restoration
from .nat_replacement import NatReplacement


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
    replacement = NatReplacement(old, new)
    replacement.run(now)
    return Transfer(replacement.kept, replacement.ended)


def restore(nat: Nat, forms: bytearray, now: int, later: int) -> int:
    """Enter flows in the form of flow_record.py, as far as they may go on; return how many do.

    `forms` may hold anything, in any order: what makes no sense is left out.  `now` is in
    milliseconds, as the NAT is told it; `later` is how many milliseconds ago (0..2**40) they were
    written.  Raises MemoryError.
    """
    restoration = Restoration(nat)
    restoration.run(forms, now, later)
    return int(restoration.kept)
