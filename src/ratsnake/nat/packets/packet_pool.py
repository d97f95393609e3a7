"""Copies of packets that cannot be sent yet, bounded in number and in octets together.

Whoever holds a copy holds its slot's number, and may chain slots: a slot has room for one link.
"""

import cython

if not cython.compiled:
    from typing import TypeAlias

    from ratsnake.wire.integer_types import Bytes, u32

    from ..tables.row_layouts import Numbers, new_numbers, release

    LARGEST = 40 + 65535  # octets of an IPv6 packet: its payload length does not count the header

    Copies: TypeAlias = list[bytes]

    def new_copies(n: int) -> Copies:
        return [b""] * n

    def keep(copies: Copies, slot: u32, b: Bytes, size: u32) -> bool:
        """Copy b[:size] into the slot; False where there is no memory."""
        copies[slot] = bytes(b[:size])
        return True

    def paste(copies: Copies, slot: u32, b: Bytes, size: u32) -> None:
        b[:size] = copies[slot]

    def discard(copies: Copies, slot: u32) -> None:
        copies[slot] = b""


class PacketPool:
    """Slots are numbered from 1, so that 0 means none.  Arguments are not checked."""

    copies: Copies
    sizes: Numbers
    links: Numbers

    def __init__(self, count: int, octets: int) -> None:
        """At most `count` copies, with `octets` octets together."""
        self.capacity = count
        self.room = octets
        self.sizes = new_numbers(count + 1)
        self.links = new_numbers(count + 1)
        self.copies = new_copies(count + 1)
        self.free = 0
        self.fresh = 1
        self.count = 0
        self.octets = 0

    def __dealloc__(self) -> None:
        slot: u32
        for slot in range(1, self.fresh):
            discard(self.copies, slot)
        release(self.copies)
        release(self.sizes)
        release(self.links)

    def store(self, b: Bytes, size: u32) -> u32:
        """Copy b[:size] (1..LARGEST octets); its slot, linked to none, or 0 if there is no room."""
        if self.count >= self.capacity or size > LARGEST or size > self.room - self.octets:
            return 0
        slot: u32 = self.free or self.fresh
        if not keep(self.copies, slot, b, size):
            return 0
        if self.free:
            self.free = self.links[slot]
        else:
            self.fresh += 1
        self.sizes[slot] = size
        self.links[slot] = 0
        self.count += 1
        self.octets += size
        return slot

    def size_of(self, slot: u32) -> u32:
        return self.sizes[slot]

    def copy_out(self, slot: u32, b: Bytes) -> u32:
        """Write the copy to b, which has room for LARGEST octets; return its size."""
        paste(self.copies, slot, b, self.sizes[slot])
        return self.sizes[slot]

    def drop(self, slot: u32) -> None:
        """Give the slot back, and its octets."""
        discard(self.copies, slot)
        self.count -= 1
        self.octets -= self.sizes[slot]
        self.links[slot] = self.free
        self.free = slot

    def following(self, slot: u32) -> u32:
        """The slot this one is linked to, or 0."""
        return self.links[slot]

    def link(self, slot: u32, following: u32) -> None:
        self.links[slot] = following
