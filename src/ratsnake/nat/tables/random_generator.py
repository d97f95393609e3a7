"""Unpredictable numbers from a seed: SipHash-2-4 of a counter under a secret 128-bit key.

SipHash is a pseudo-random function (Aumasson and Bernstein 2012): who sees any number of outputs,
such as the external ports a NAT gave out, learns nothing about the next (RFC 6056 section 3.1).
"""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import M32, M64, u32, u64

    # "somepseudorandomlygeneratedbytes", and the last word of an eight-byte message.
    SIP0 = 0x736F6D6570736575
    SIP1 = 0x646F72616E646F6D
    SIP2 = 0x6C7967656E657261
    SIP3 = 0x7465646279746573
    EIGHT_BYTES = 8 << 56


def rotate(x: u64, bits: u32) -> u64:
    return x << bits & M64 | x >> (64 - bits)


class Generator:
    def __init__(self, key0: int, key1: int) -> None:
        """The key's two 64-bit halves."""
        self.key0 = key0
        self.key1 = key1
        self.counter = 0
        self.spare = 0
        self.has_spare = False
        self.v0 = self.v1 = self.v2 = self.v3 = 0

    def round(self) -> None:
        self.v0 = self.v0 + self.v1 & M64
        self.v1 = rotate(self.v1, 13) ^ self.v0
        self.v0 = rotate(self.v0, 32)
        self.v2 = self.v2 + self.v3 & M64
        self.v3 = rotate(self.v3, 16) ^ self.v2
        self.v0 = self.v0 + self.v3 & M64
        self.v3 = rotate(self.v3, 21) ^ self.v0
        self.v2 = self.v2 + self.v1 & M64
        self.v1 = rotate(self.v1, 17) ^ self.v2
        self.v2 = rotate(self.v2, 32)

    def next(self) -> u64:
        """SipHash-2-4 of the counter's eight little-endian bytes."""
        word: u64 = self.counter
        self.counter = self.counter + 1 & M64
        self.v0 = self.key0 ^ SIP0
        self.v1 = self.key1 ^ SIP1
        self.v2 = self.key0 ^ SIP2
        self.v3 = self.key1 ^ SIP3
        self.v3 ^= word
        self.round()
        self.round()
        self.v0 ^= word
        self.v3 ^= EIGHT_BYTES
        self.round()
        self.round()
        self.v0 ^= EIGHT_BYTES
        self.v2 ^= 0xFF
        self.round()
        self.round()
        self.round()
        self.round()
        return self.v0 ^ self.v1 ^ self.v2 ^ self.v3

    def below(self, bound: u32) -> u32:
        """A number in 0..bound-1; the bias is below bound / 2**32.

        Each half of an output serves once: a new mapping takes up to three numbers.
        """
        wide: u64 = self.spare
        if not self.has_spare:
            wide = self.next()
            self.spare = wide & M32
            wide >>= 32
        self.has_spare = not self.has_spare
        return wide * bound >> 32
