"""How long the packet loop keeps a packet waiting, in situations that could stall it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ratsnake.daemon.control.control_server import json_lines
from ratsnake.daemon.loop.live_nat import LiveNat
from ratsnake.daemon.loop.packet_loop import PacketLoop
from ratsnake.daemon.views.row_pages import row_pages
from ratsnake.nat.nat import Nat
from ratsnake.nat.rules.timeout_classes import SWEEP
from ratsnake.wire.packet_fields import TCP, UDP

from .engine_load import Load
from .engine_nat import REST, make_nat
from .gap_loop import GapLoop

BUSY = 1000  # TCP flows whose packets never cease
UDP_EXPIRY = 301_000  # milliseconds: the default timeout, and a second
BATCH = 64  # packets
ENDLESS = 1 << 60


@dataclass(frozen=True)
class Gaps:
    """Nanoseconds from packet to packet.

    `own`: without the time in which the system let something else run on the loop's processor, so
    that the NAT's gaps can be told from the machine's.
    """

    situation: str
    packets: int
    p50: int
    p99: int
    p99_99: int
    largest: int
    own_p99_99: int
    own_largest: int


class Course:
    """One NAT whose packet loop is measured, going through one situation after another."""

    def __init__(self, nat: Nat, packet_loop: PacketLoop, sessions: int) -> None:
        self.nat = nat
        self.packet_loop = packet_loop
        self.live = LiveNat(nat, packet_loop)
        self.sessions = sessions
        self.busy = Load(nat, TCP, BUSY)
        self.many = Load(nat, UDP, sessions)
        self.busy.open(0, BUSY)

    def grow(self) -> Gaps:
        loop = GapLoop(self.many, self.packet_loop)
        self._keep_up(self.many)
        loop.open(0, self.sessions)
        self._keep_up(self.busy)
        return self._seen(loop, f"0 to {self.sessions:,} sessions")

    def alone(self, packets: int, idle: bool) -> Gaps:
        loop = GapLoop(self.busy, self.packet_loop, idle)
        loop.exchange(BUSY, packets)
        return self._seen(loop, "no NAT" if idle else "nothing else")

    def beside_thread(self, idle: bool, rows: int) -> Gaps:
        """Beside a thread that keeps Python as busy as a listing does, and reads no table."""
        row = next(row_pages(self.live.session_rows, self._now))[0]

        def format_rows() -> None:
            for _ in range(rows):
                json.dumps(row, separators=(",", ":")).encode()

        what = "no NAT" if idle else "nothing else"
        return self._beside(format_rows, f"{what}, a busy Python thread beside", idle)

    def listing(self) -> Gaps:
        def list_sessions() -> None:
            for page in row_pages(self.live.session_rows, self._now):
                json_lines(page)

        return self._beside(list_sessions, f"a listing of {self.sessions:,} sessions", False)

    def expiry(self) -> Gaps:
        self.busy.wait(UDP_EXPIRY)
        loop = GapLoop(self.busy, self.packet_loop)
        loop.exchange(BUSY, (self.sessions // SWEEP + 1) * BATCH)
        return self._seen(loop, f"{self.sessions:,} sessions expire")

    def awakening(self) -> Gaps:
        """All ports have rested, and are wanted again."""
        self._keep_up(self.many)
        self.many.wait(REST * 1000)
        loop = GapLoop(self.many, self.packet_loop)
        loop.open(0, self.sessions // 10 + 1)
        self._keep_up(self.busy)
        return self._seen(loop, f"the ports of {self.sessions:,} mappings end their rest")

    def _now(self) -> int:
        return self.busy.now

    def _keep_up(self, load: Load) -> None:
        """Let the clock of a load be no earlier than that of the other."""
        load.wait(max(self.busy.now, self.many.now) - load.now)

    def _beside(self, work: Callable[[], None], situation: str, idle: bool) -> Gaps:
        """The loop runs in a thread of its own for as long as the work takes here."""
        loop = GapLoop(self.busy, self.packet_loop, idle)
        thread = threading.Thread(target=loop.exchange, args=(BUSY, ENDLESS))
        thread.start()
        try:
            work()
        finally:
            loop.stop()
            thread.join()
        return self._seen(loop, situation)

    def _seen(self, loop: GapLoop, situation: str) -> Gaps:
        self.busy.check()
        self.many.check()
        gaps = loop.gaps
        return Gaps(
            situation,
            gaps.count,
            gaps.percentile(0.5),
            gaps.percentile(0.99),
            gaps.percentile(0.9999),
            gaps.largest,
            loop.own.percentile(0.9999),
            loop.own.largest,
        )


@contextmanager
def course(sessions: int) -> Iterator[Course]:
    nat = make_nat()
    packet_loop = PacketLoop(
        nat, -1, False
    )  # it has no device: its loop is never run, its lock is used
    try:
        yield Course(nat, packet_loop, sessions)
    finally:
        packet_loop.close()


def measure(sessions: int, packets: int) -> Iterator[Gaps]:
    """`sessions` in the table; `packets` where nothing else says how many are sent."""
    with course(sessions) as on:
        yield on.alone(packets, idle=True)
        yield on.grow()
        yield on.alone(packets, idle=False)
        yield on.beside_thread(idle=True, rows=sessions)
        yield on.beside_thread(idle=False, rows=sessions)
        yield on.listing()
        yield on.expiry()
        yield on.awakening()
