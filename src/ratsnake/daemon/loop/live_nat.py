"""A NAT whose packet loop runs, for threads that come to its tables: no packet waits for them.

Another NAT may take its place.  Who looked at the first one meanwhile sees it as it was then.
"""

from collections.abc import Callable

from ...nat.explain.explanation import Endpoint, Explanation
from ...nat.nat import Nat
from ...nat.succession.adoption import Transfer, transfer
from ...nat.views.host_traffic import HostLook, HostNaming, HostTraffic
from ...nat.views.row_filter import RowFilter
from ...nat.views.rows import MappingRow, PortRow, SessionRow
from ...nat.views.totals import Totals
from .worker import Worker


class LiveNat:
    """Its methods are Nat's, for any thread, also before the loop begins and after its end; those
    that say so, for one thread and while the worker is locked.

    `generation` grows with each NAT: rows of a table have other numbers then.
    """

    def __init__(self, nat: Nat, worker: Worker) -> None:
        self._nat = nat
        self._overview = nat.overview
        self._worker = worker
        self._wanted = 0
        self.generation = 0

    def replace(self, nat: Nat, now: Callable[[], int]) -> Transfer:
        """Let `nat` take over, with all flows that it may have; from the thread that listens.

        `now` is the worker's clock in milliseconds.  Packets wait meanwhile.
        """
        nat.listen(self._wanted)
        before = self._nat  # its memory goes when packets wait no more
        with self._worker.locked():
            moved = transfer(before, nat, now())
            self._worker.replace(nat)
        self._nat, self._overview = nat, nat.overview
        self.generation += 1
        return moved

    def expire(self, now: int, budget: int) -> int:
        """Only while the worker is locked."""
        return self._nat.expire(now, budget)

    def explain(
        self, protocol: str, source: Endpoint, destination: Endpoint, now: int, kind: int | None
    ) -> Explanation:
        """Only while the worker is locked."""
        return self._nat.explain(protocol, source, destination, now, kind)

    def totals(self) -> Totals:
        """`counters` and `usage`, of one moment."""
        return self._worker.send(self._overview.totals())

    def mapping_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[MappingRow], int]:
        return self._worker.send(self._overview.mapping_page(start, count, now, wanted)).result()

    def session_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[SessionRow], int]:
        return self._worker.send(self._overview.session_page(start, count, now, wanted)).result()

    def port_rows(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> tuple[list[PortRow], int]:
        return self._worker.send(self._overview.port_page(start, count, wanted)).result()

    def host_traffic(self, wanted: RowFilter, most: int) -> HostTraffic:
        return self._overview.host_traffic(wanted, most)

    def look(self, traffic: HostTraffic, start: int, count: int, now: int) -> int:
        """`traffic.look`, for a NAT's `host_traffic`."""
        return self._worker.send(HostLook(traffic, start, count, now)).result()

    def name(self, traffic: HostTraffic) -> None:
        """`traffic.name` likewise."""
        self._worker.send(HostNaming(traffic))

    def flush(
        self, start: int, count: int, began: int, now: int, wanted: RowFilter, by_remote: bool
    ) -> tuple[int, int, int]:
        page = self._nat.flush_page(start, count, began, now, wanted, by_remote)
        return self._worker.send(page).result()

    def listen(self, wanted: int) -> None:
        self._wanted = wanted
        self._worker.send(self._overview.listening(wanted))

    def take_events(self, most: int) -> tuple[bytes, int]:
        return self._worker.send(self._overview.event_batch(most)).result()
