"""The seed a NAT is started with: its hash keys and its random ports."""

import os

from ratsnake.nat.nat import SEED_BYTES


def fresh() -> bytes:
    """A seed nobody can predict, from the operating system."""
    return os.urandom(SEED_BYTES)


def reproducible(number: int) -> bytes:
    """The same seed for the same number: SHAKE-256 of its decimal digits."""
    # hashlib brings OpenSSL with it: not into the memory of a NAT that only needs fresh().
    from hashlib import shake_256

    return shake_256(str(number).encode()).digest(SEED_BYTES)
