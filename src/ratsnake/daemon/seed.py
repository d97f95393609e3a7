"""The seed a NAT is started with: its hash keys and its random ports."""

import os

SEED_BYTES = 64  # as long as SHA-512's result; Nat needs at least 32


def fresh() -> bytes:
    """A seed nobody can predict, from the operating system."""
    return os.urandom(SEED_BYTES)


def reproducible(number: int) -> bytes:
    """The same seed for the same number: SHA-512 of its decimal digits."""
    # hashlib brings OpenSSL with it: not into the memory of a NAT that only needs fresh().
    from hashlib import sha512

    return sha512(str(number).encode()).digest()
