"""The packet loop of daemon/loop/packet_loop.py without a device: under the packet loop's lock, a
batch at a time, sweeping after each; and how long it was from packet to packet.

What it takes to write the packets of a batch is left out.  Of a long gap it is also told how much
was the loop's own: without the time in which the system let something else run on the processor,
but with all that it slept, which it does for nothing but a lock.
"""

import cython

if not cython.compiled:
    import resource
    from time import monotonic_ns as nanoseconds
    from time import thread_time_ns as running_time

    from ratsnake.daemon.loop.fair_lock import give, take
    from ratsnake.daemon.loop.request_mailbox import is_asked, open_mailbox
    from ratsnake.nat.rules.timeout_classes import SWEEP
    from ratsnake.wire.integer_types import u32, u64

    from .engine_load import slot

    LONG = 20000  # nanoseconds: gaps from which it is asked what they were made of

    def times_asleep() -> u64:
        """How often this thread has gone to sleep by itself."""
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


from ratsnake.daemon.loop.packet_loop import PacketLoop

from .engine_load import Load
from .histogram import Histogram


class GapLoop:
    """`gaps` are the nanoseconds from one packet to the next, `own` the loop's own part of them."""

    def __init__(self, load: Load, packet_loop: PacketLoop, idle: bool = False) -> None:
        """`packet_loop` must be of the load's NAT, and not run.

        `idle`: do all but the NAT's part, to see what the machine does by itself.
        """
        self.nat = load.nat
        self.load = load
        self.packet_loop = packet_loop
        self.idle = idle
        self.gaps = Histogram()
        self.own = Histogram()
        self.stopping = False
        self.last = self.writing = self.ran = self.slept = 0

    def exchange(self, flows: int, packets: int) -> None:
        """Send packets of the first `flows` flows in random order, at most so many."""
        among: u32 = flows
        most: u64 = packets
        open_mailbox(self.packet_loop.mailbox)
        with cython.nogil:
            self.exchange_all(among, most)
        self.packet_loop.leave_mailbox()

    def open(self, first: int, count: int) -> None:
        """Open `count` flows, the first of which is `first`."""
        begin: u32 = first
        number: u32 = count
        open_mailbox(self.packet_loop.mailbox)
        with cython.nogil:
            self.open_all(begin, number)
        self.packet_loop.leave_mailbox()

    def stop(self) -> None:
        """End `exchange` after the batch it is at; from another thread."""
        self.stopping = True

    def exchange_all(self, flows: u32, packets: u64) -> None:
        count: u32
        self.begin()
        while packets:
            self.hold()
            count = self.load.write_random(flows, packets)
            self.send(count)
            self.let_go()
            packets -= count
            if self.stopping:
                return

    def open_all(self, first: u32, left: u32) -> None:
        count: u32
        self.begin()
        while left:
            self.hold()
            count = self.load.write_openings(first, left, 1)
            self.send(count)
            self.let_go()
            first += count
            left -= count

    def begin(self) -> None:
        self.last = nanoseconds()
        self.ran = running_time()
        self.slept = times_asleep()

    def hold(self) -> None:
        take(self.packet_loop.lock)
        self.writing = nanoseconds()

    def let_go(self) -> None:
        if not self.idle:
            self.nat.sweep(self.load.now, SWEEP)
        if is_asked(self.packet_loop.mailbox):
            self.packet_loop.run_request()
        give(self.packet_loop.lock)

    def send(self, count: u32) -> None:
        """Send the batch that was written since the lock was taken."""
        k: u32
        now: u64 = self.last
        clock: u64 = self.load.now
        self.last += nanoseconds() - self.writing
        if not self.idle:
            self.load.announce(count)
        for k in range(count):
            if not self.idle:
                self.nat.process(slot(self.load.buffer, k), self.load.sizes[k], False, clock)
            now = nanoseconds()
            self.gaps.note(now - self.last)
            self.own.note(self.own_part(now - self.last))
            self.last = now
        self.load.tick(count)
        self.ran = running_time()
        self.slept = times_asleep()
        self.last += nanoseconds() - now

    def own_part(self, gap: u64) -> u64:
        """At most how much of a gap that ends now was the loop's own."""
        if gap < LONG:
            return gap
        ran: u64 = self.ran
        slept: u64 = self.slept
        self.ran = running_time()
        self.slept = times_asleep()
        return gap if self.slept != slept else min(gap, self.ran - ran)
