"""What a NAT tells about itself, as packet-loop calls: run one, then ask for its `result`."""

from ..error_responses.error_policy import ErrorPolicy
from ..events.event_recorder import Events
from ..translation.flow_lifecycle import Flows
from .event_batch import EventBatch, Listening
from .flow_page import FlowPage
from .host_traffic import HostTraffic
from .packet_loop_call import PacketLoopCall
from .port_usage import PortPage
from .row_filter import RowFilter
from .table_pages import MappingPage, SessionPage
from .totals import Totals
from .traffic_counters import Traffic

EVERYTHING = RowFilter()


class Overview:
    def __init__(
        self, flows: Flows, error_policy: ErrorPolicy, traffic: Traffic, events: Events
    ) -> None:
        self._flows = flows
        self._error_policy = error_policy
        self._traffic = traffic
        self._events = events

    def totals(self) -> Totals:
        """For `Nat.counters` and `Nat.usage`."""
        return Totals(self._flows, self._error_policy, self._traffic)

    def mapping_page(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> MappingPage:
        """For `Nat.mapping_rows`."""
        return MappingPage(self._flows, start, count, now, wanted or EVERYTHING)

    def session_page(
        self, start: int, count: int, now: int, wanted: RowFilter | None = None
    ) -> SessionPage:
        """For `Nat.session_rows`."""
        return SessionPage(self._flows, start, count, now, wanted or EVERYTHING)

    def port_page(self, start: int, count: int, wanted: RowFilter | None = None) -> PortPage:
        """For `Nat.port_rows`."""
        return PortPage(self._flows, start, count, wanted or EVERYTHING)

    def flow_page(self, start: int, count: int, now: int) -> FlowPage:
        """The flows of at most `count` table rows, to be kept outside."""
        return FlowPage(self._flows, start, count, now)

    def host_traffic(self, wanted: RowFilter, most: int) -> HostTraffic:
        """What hosts move by the wanted sessions; it tells `most` of them at once."""
        return HostTraffic(self._flows, wanted, most)

    def event_batch(self, most: int) -> EventBatch:
        """For `Nat.take_events`."""
        return EventBatch(self._events.ring, most)

    def listening(self, wanted: int) -> PacketLoopCall:
        """For `Nat.listen`."""
        return Listening(self._events, wanted)
