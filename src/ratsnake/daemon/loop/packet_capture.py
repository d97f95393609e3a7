"""Copies of packets before and after translation, for who asked: two buffers of a fixed size.

The packet loop fills one while the other is read; they change places under the packet loop's lock,
and what does not fit meanwhile is missed and counted.  A record is HEAD bytes, big-endian: time (ns
since 1970, 64 bits), the packet's number (64), its size (32), side (8), verdict (8), 16 bits
unused; then the packet.  Nothing is allocated while nobody captures.
"""

import cython

if not cython.compiled:
    from ratsnake.device.system_calls import time_of_day
    from ratsnake.nat.rules.drop_reasons import TRANSLATED
    from ratsnake.wire.byte_order import put32, put64
    from ratsnake.wire.integer_types import Bytes, u32, u64
    from ratsnake.wire.ip import parse
    from ratsnake.wire.packet_fields import Packet, new_packet, release_packet

    STORE = 4194304
    HEAD = 24
    BEFORE = 0
    AFTER = 1
    OWN = 2  # sent by the NAT itself: there was nothing before
    ANY_PROTOCOL = 255

    def new_store(size: int) -> Bytes:
        return bytearray(size)

    def no_store() -> Bytes:
        return bytearray()

    def release_store(store: Bytes) -> None:
        """Give the buffer back; the garbage collector does it here."""

    def copy(to: Bytes, at: u32, packet: Bytes, size: u32) -> None:
        to[at : at + size] = packet[:size]

    def copied(store: Bytes, size: u32) -> bytes:
        return bytes(store[:size])


class Capture:
    """`active`: somebody captures.  Call all but `taken` under the packet loop's lock."""

    packet: Packet
    filling: Bytes
    idle: Bytes

    def __init__(self) -> None:
        self.packet = new_packet()
        self.filling = self.idle = no_store()
        self.active = False
        self.protocol = ANY_PROTOCOL
        self.host_high = self.host_low = self.remote_high = self.remote_low = 0
        self.has_protocol = self.has_host = self.has_remote = self.has_room = False
        self.filled = self.start = self.swapped = 0
        self.number = self.missed = 0

    def __dealloc__(self) -> None:
        release_store(self.filling)
        release_store(self.idle)
        release_packet(self.packet)

    def begin(self, protocol: int, host: tuple[int, int], remote: tuple[int, int]) -> None:
        """Copy packets of a protocol's row (ANY_PROTOCOL: of all) with both these addresses among
        theirs, before or after; each as two halves, (0, 0) for any.  Raises MemoryError."""
        self.filling = new_store(STORE)
        self.idle = new_store(STORE)
        self.protocol = protocol
        self.host_high, self.host_low = host
        self.remote_high, self.remote_low = remote
        self.filled = self.swapped = 0
        self.number = self.missed = 0
        self.active = True

    def end(self) -> None:
        self.active = False
        self.filled = self.swapped = 0
        release_store(self.filling)
        release_store(self.idle)
        self.filling = self.idle = no_store()

    def swap(self) -> tuple[int, int]:
        """Let what was copied be `taken`: how many bytes it is, and packets missed since."""
        size, missed = self.filled, self.missed
        self.filling, self.idle = self.idle, self.filling
        self.swapped = size
        self.filled = 0
        self.missed = 0
        return size, missed

    def taken(self, size: int) -> bytes:
        """The records of the last `swap`, so many bytes at most, until the next."""
        return copied(self.idle, min(size, self.swapped))

    def before(self, packet: Bytes, size: u32) -> None:
        """A packet comes in; `after` decides whether it counts."""
        self.number += 1
        self.start = self.filled
        self.has_protocol = self.protocol == ANY_PROTOCOL
        self.has_host = self.host_high == 0 and self.host_low == 0
        self.has_remote = self.remote_high == 0 and self.remote_low == 0
        self.look(packet, size)
        self.has_room = STORE - self.filled >= 2 * (HEAD + size)
        if self.has_room:
            self.store(packet, size, BEFORE, TRANSLATED)

    def after(self, packet: Bytes, size: u32, verdict: u32) -> None:
        """What became of it, and why."""
        if verdict == TRANSLATED:
            self.look(packet, size)
        if not (self.has_protocol and self.has_host and self.has_remote):
            self.filled = self.start
            return
        if not self.has_room:
            self.missed += 1
            return
        self.filling[self.start + 21] = verdict
        if verdict == TRANSLATED:
            self.store(packet, size, AFTER, verdict)

    def own(self, packet: Bytes, size: u32) -> None:
        """A packet of the NAT itself."""
        self.before(packet, size)
        if not (self.has_protocol and self.has_host and self.has_remote):
            self.filled = self.start
        elif not self.has_room:
            self.missed += 1
        else:
            self.filling[self.start + 20] = OWN

    def look(self, packet: Bytes, size: u32) -> None:
        """Note which conditions the packet meets; one whose form is wrong meets none."""
        if parse(packet, size, self.packet):
            return
        if self.packet.protocol == self.protocol:
            self.has_protocol = True
        if self.is_of(self.host_high, self.host_low):
            self.has_host = True
        if self.is_of(self.remote_high, self.remote_low):
            self.has_remote = True

    def is_of(self, high: u64, low: u64) -> bool:
        """Whether the address is one of the packet's."""
        p: Packet = self.packet
        return (p.source_low == low and p.source_high == high) or (
            p.destination_low == low and p.destination_high == high
        )

    def store(self, packet: Bytes, size: u32, side: u32, verdict: u32) -> None:
        at: u32 = self.filled
        put64(self.filling, at, time_of_day())
        put64(self.filling, at + 8, self.number)
        put32(self.filling, at + 16, size)
        put32(self.filling, at + 20, side << 24 | verdict << 16)
        copy(self.filling, at + HEAD, packet, size)
        self.filled = at + HEAD + size
