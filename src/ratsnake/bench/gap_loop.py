"""The packet loop of daemon/worker.py without a device: under the worker's lock, a batch at a time,
sweeping after each; and how long it was from packet to packet.

What it takes to write the packets of a batch is left out.
"""

import cython

if not cython.compiled:
    from time import monotonic_ns as nanoseconds

    from ratsnake.daemon.lock import give, take
    from ratsnake.nat.timers import SWEEP
    from ratsnake.wire.types import u32, u64

    from .engine_load import slot

from ratsnake.daemon.worker import Worker

from .engine_load import Load
from .histogram import Histogram


class GapLoop:
    """`gaps` are the nanoseconds from one packet to the next, `waits` those for the lock."""

    def __init__(self, load: Load, worker: Worker, idle: bool = False) -> None:
        """`worker` must be of the load's NAT, and not run.

        `idle`: do all but the NAT's part, to see what the machine does by itself.
        """
        self.nat = load.nat
        self.load = load
        self.worker = worker
        self.idle = idle
        self.gaps = Histogram()
        self.waits = Histogram()
        self.stopping = False
        self.last = self.writing = 0

    def exchange(self, flows: int, packets: int) -> None:
        """Send packets of the first `flows` flows in random order, at most so many."""
        among: u32 = flows
        most: u64 = packets
        with cython.nogil:
            self.exchange_all(among, most)

    def open(self, first: int, count: int) -> None:
        """Open `count` flows, the first of which is `first`."""
        begin: u32 = first
        number: u32 = count
        with cython.nogil:
            self.open_all(begin, number)

    def stop(self) -> None:
        """End it before its time; from another thread."""
        self.stopping = True

    def exchange_all(self, flows: u32, packets: u64) -> None:
        count: u32
        self.last = nanoseconds()
        while packets and not self.stopping:
            self.hold()
            count = self.load.write_random(flows, packets)
            self.send(count)
            self.let_go()
            packets -= count

    def open_all(self, first: u32, left: u32) -> None:
        count: u32
        self.last = nanoseconds()
        while left and not self.stopping:
            self.hold()
            count = self.load.write_openings(first, left, 1)
            self.send(count)
            self.let_go()
            first += count
            left -= count

    def hold(self) -> None:
        asked: u64 = nanoseconds()
        take(self.worker.lock)
        self.writing = nanoseconds()
        self.waits.note(self.writing - asked)

    def let_go(self) -> None:
        if not self.idle:
            self.nat.sweep(self.load.now, SWEEP)
        give(self.worker.lock)

    def send(self, count: u32) -> None:
        """Send the batch that was written since the lock was taken."""
        k: u32
        now: u64
        clock: u64 = self.load.now
        self.last += nanoseconds() - self.writing
        for k in range(count):
            if not self.idle:
                self.nat.process(slot(self.load.buffer, k), self.load.sizes[k], False, clock)
            now = nanoseconds()
            self.gaps.note(now - self.last)
            self.last = now
        self.load.tick(count)
