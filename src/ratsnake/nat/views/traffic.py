"""Packets and bytes translated in each direction, and packets by the reason they ended with."""

import cython

if not cython.compiled:
    from ratsnake.wire.types import u32

    from ..rules.reasons import REASONS_COUNT
    from ..tables.records import Words, new_words, release


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
