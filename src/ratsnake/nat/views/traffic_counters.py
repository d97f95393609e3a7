"""Packets and bytes translated in each direction, and packets by the reason they ended with."""

from __future__ import annotations

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32

    from ..rules.drop_reasons import REASONS_COUNT
    from ..tables.row_layouts import Words, new_words, release


class Traffic:
    """`drops` also counts, under TRANSLATED, the packets that were none."""

    drops: Words

    def __init__(self) -> None:
        self.drops = new_words(REASONS_COUNT)
        self.packets_out = self.bytes_out = self.packets_in = self.bytes_in = 0

    def __dealloc__(self) -> None:
        release(self.drops)

    def pass_on(self, is_outbound: bool, size: u32) -> None:
        """A packet of `size` bytes was translated."""
        if is_outbound:
            self.packets_out += 1
            self.bytes_out += size
        else:
            self.packets_in += 1
            self.bytes_in += size

    def end(self, reason: u32) -> None:
        """The verdict on a packet is known."""
        self.drops[reason] += 1

    def add(self, other: Traffic) -> None:
        """What another NAT has counted counts here too."""
        k: u32
        for k in range(REASONS_COUNT):
            self.drops[k] += other.drops[k]
        self.packets_out += other.packets_out
        self.bytes_out += other.bytes_out
        self.packets_in += other.packets_in
        self.bytes_in += other.bytes_in
