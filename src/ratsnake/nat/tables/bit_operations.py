"""Bits of 64-bit words; bit_operations.pxd holds the same in C."""

from ratsnake.wire.integer_types import u32, u64


def count_bits(word: u64) -> u32:
    return word.bit_count()


def lowest_bit(word: u64) -> u32:
    """The number of the lowest bit that is set; there must be one."""
    return (word & -word).bit_length() - 1


def nth_bit(word: u64, n: u32) -> u32:
    """The number of the bit above `n` others that are set; there must be more than `n`."""
    for _ in range(n):
        word &= word - 1
    return lowest_bit(word)
