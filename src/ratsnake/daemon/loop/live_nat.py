"""A NAT whose packet loop runs, for threads that come to its tables: no packet waits for them.

Another NAT may take its place.  Who looked at the first one meanwhile sees it as it was then.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from ...nat.explain.explanation import Endpoint, Explanation
from ...nat.handover.flow_transfer import Transfer, restore, transfer
from ...nat.nat import Nat
from ...nat.views.host_traffic import HostLook, HostNaming, HostTraffic
from ...nat.views.row_filter import RowFilter
from ...nat.views.row_tuples import MappingRow, PortRow, SessionRow
from ...nat.views.totals import Totals
from .packet_loop import PacketLoop

#: Makes the tables stand still for a moment, for a thread beside the packet loop.
TableLock = Callable[[], AbstractContextManager[object]]


class LiveNat:
    """Its methods are Nat's, for any thread, also before the loop begins and after its end; those
    that say so, for one thread and while the packet loop is locked.

    `generation` grows with each NAT: rows of a table have other numbers then.
    """

    def __init__(self, nat: Nat, packet_loop: PacketLoop) -> None:
        self._nat = nat
        self._overview = nat.overview
        self._packet_loop = packet_loop
        self._wanted = 0
        self.generation = 0

    def replace(self, nat: Nat, now: Callable[[], int]) -> Transfer:
        """Let `nat` take over, with all flows that it may have; from the thread that listens.

        `now` is the packet loop's clock in milliseconds.  Packets wait meanwhile.
        """
        nat.listen(self._wanted)
        before = self._nat  # its memory goes when packets wait no more
        with self._packet_loop.locked():
            moved = transfer(before, nat, now())
            self._packet_loop.replace(nat)
        self._nat, self._overview = nat, nat.overview
        self.generation += 1
        return moved

    def restore(self, flows: bytearray, now: int, later: int) -> int:
        """See flow_transfer.py; only before the loop begins."""
        return restore(self._nat, flows, now, later)

    def expire(self, now: int, budget: int) -> int:
        """Only while the packet loop is locked."""
        return self._nat.expire(now, budget)

    def explain(
        self, protocol: str, source: Endpoint, destination: Endpoint, now: int, kind: int | None
    ) -> Explanation:
        """Only while the packet loop is locked."""
        return self._nat.explain(protocol, source, destination, now, kind)

    def totals(self) -> Totals:
        """`counters` and `usage`, of one moment."""
        return self._packet_loop.send(self._overview.totals())

    def mapping_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[MappingRow], int]:
        return self._packet_loop.send(
            self._overview.mapping_page(start, count, now, wanted)
        ).result()

    def session_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[SessionRow], int]:
        return self._packet_loop.send(
            self._overview.session_page(start, count, now, wanted)
        ).result()

    def port_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[PortRow], int]:
        return self._packet_loop.send(self._overview.port_page(start, count, wanted)).result()

    def flow_page(self, start: int, count: int, now: int) -> tuple[bytes, int]:
        """The flows of at most `count` table rows from `start` (0 first) in their form outside the
        tables; next start, or 0."""
        return self._packet_loop.send(self._overview.flow_page(start, count, now)).result()

    def host_traffic(self, wanted: RowFilter, most: int) -> HostTraffic:
        return self._overview.host_traffic(wanted, most)

    def look(self, traffic: HostTraffic, start: int, count: int, now: int) -> int:
        """`traffic.look`, for a NAT's `host_traffic`."""
        return self._packet_loop.send(HostLook(traffic, start, count, now)).result()

    def name(self, traffic: HostTraffic) -> None:
        """`traffic.name` likewise."""
        self._packet_loop.send(HostNaming(traffic))

    def flush(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> tuple[int, int, int]:
        page = self._nat.flush_page(start, count, began, now, wanted, by_remote)
        return self._packet_loop.send(page).result()

    def listen(self, wanted: int) -> None:
        self._wanted = wanted
        self._packet_loop.send(self._overview.listening(wanted))

    def take_events(self, most: int) -> tuple[bytes, int]:
        return self._packet_loop.send(self._overview.event_batch(most)).result()
