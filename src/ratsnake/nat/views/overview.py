"""What a NAT tells about itself, each thing as an errand: run it, then ask for its `result`."""

from ..answers.answers import Answers
from ..events.events import Events
from ..translation.flows import Flows
from .errand import Errand
from .event_batch import EventBatch, Listening
from .host_traffic import HostTraffic
from .port_page import PortPage
from .row_filter import RowFilter
from .totals import Totals
from .traffic import Traffic
from .views import MappingPage, SessionPage

EVERYTHING = RowFilter()


class Overview:
    def __init__(self, flows: Flows, answers: Answers, traffic: Traffic, events: Events) -> None:
        self._flows = flows
        self._answers = answers
        self._traffic = traffic
        self._events = events

    def totals(self) -> Totals:
        """For `Nat.counters` and `Nat.usage`."""
        return Totals(self._flows, self._answers, self._traffic)

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

    def host_traffic(self, wanted: RowFilter, most: int) -> HostTraffic:
        """What hosts move by the wanted sessions; it tells `most` of them at once."""
        return HostTraffic(self._flows, wanted, most)

    def event_batch(self, most: int) -> EventBatch:
        """For `Nat.take_events`."""
        return EventBatch(self._events.ring, most)

    def listening(self, wanted: int) -> Errand:
        """For `Nat.listen`."""
        return Listening(self._events, wanted)
