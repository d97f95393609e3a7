"""Packets to be sent besides the one that came in, first in, first out."""

import cython

if not cython.compiled:
    from ratsnake.wire.types import Bytes, u32

from .parcels import Parcels


class Outbox:
    """A slot belongs to the outbox once it is pushed, link and all."""

    def __init__(self, parcels: Parcels) -> None:
        self.parcels = parcels
        self.first = 0
        self.last = 0
        self.waiting = 0

    def push(self, slot: u32) -> None:
        """Append a parcel that nobody else holds."""
        if self.waiting:
            self.parcels.link(self.last, slot)
        else:
            self.first = slot
        self.last = slot
        self.waiting += 1

    def pop(self, b: Bytes) -> u32:
        """Move the oldest packet to b, which has room for LARGEST octets; its size, or 0."""
        if self.waiting == 0:
            return 0
        slot: u32 = self.first
        self.first = self.parcels.following(slot)
        self.waiting -= 1
        size: u32 = self.parcels.copy_out(slot, b)
        self.parcels.drop(slot)
        return size
