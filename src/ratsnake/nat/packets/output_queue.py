"""Packets to be sent besides the one that came in, first in, first out."""

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import Bytes, u32

from .packet_pool import PacketPool


class OutputQueue:
    """A slot belongs to the output queue once it is pushed, link and all."""

    def __init__(self, packet_pool: PacketPool) -> None:
        self.packet_pool = packet_pool
        self.first = 0
        self.last = 0
        self.waiting = 0

    def push(self, slot: u32) -> None:
        """Append a stored packet that nobody else holds."""
        if self.waiting:
            self.packet_pool.link(self.last, slot)
        else:
            self.first = slot
        self.last = slot
        self.waiting += 1

    def pop(self, b: Bytes) -> u32:
        """Move the oldest packet to b, which has room for LARGEST octets; its size, or 0."""
        if self.waiting == 0:
            return 0
        slot: u32 = self.first
        self.first = self.packet_pool.following(slot)
        self.waiting -= 1
        size: u32 = self.packet_pool.copy_out(slot, b)
        self.packet_pool.drop(slot)
        return size
