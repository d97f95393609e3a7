"""The waiting thread of `ratsnake run`, from ready to stop: it has the clients answered.

One thread moves packets (the packet loop, without the GIL); this one waits: for signals, for the
packet loop's end, for control clients, and once a second for a status request.
"""

import logging
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .configuration.configuration_file import Sources
from .control.control_server import ControlServer, Page, Request
from .control.peer_credentials import allowed_by
from .control.socket_path import Claim
from .events.event_outputs import Events
from .host_integration.helper_requests import ClientHostSetup
from .host_integration.host_report import Report, events_since
from .loop.live_nat import LiveNat
from .loop.packet_loop import PacketLoop
from .periodic_task import PeriodicTask
from .reconfiguration.active_settings import ActiveSettings
from .reconfiguration.live_forwards import LiveForwards
from .reconfiguration.reload import Reloading
from .run_description import host_nat_types, outside, state
from .sd_notify import ServiceManager
from .signal_wakeup import PACKET_LOOP_ENDED, Wakeup
from .user_errors import RunError
from .views.busiest_hosts import Busiest
from .views.capture_stream import Capturing
from .views.explain_response import Explainer
from .views.flush_response import Flusher
from .views.row_pages import Pages, ReadRows, row_pages
from .views.row_request import read_request
from .views.status_object import Facts, status, summary
from .views.traffic_rates import Rates

TICK_SECONDS = 1.0  # how often housekeeping is due; a status request is answered no oftener
STATUS_REQUEST = "status-request"

log = logging.getLogger(__name__)


def now_ms() -> int:
    """The packet loop's clock: CLOCK_MONOTONIC in milliseconds."""
    return time.monotonic_ns() // 1_000_000


class Service:
    def __init__(
        self,
        facts: Facts,
        sources: Sources,
        active_settings: ActiveSettings,
        host: ClientHostSetup,
        nat: LiveNat,
        packet_loop: PacketLoop,
        events: Events,
        claim: Claim,
        wakeup: Wakeup,
        service_manager: ServiceManager,
    ) -> None:
        self._facts = facts
        self._active_settings = active_settings
        self._host = host
        self._nat = nat
        self._packet_loop = packet_loop
        self._events = events
        self._capturing = Capturing(packet_loop.capture, packet_loop.locked)
        self._claim = claim
        self._allowed = allowed_by(active_settings.fitted.access)
        self._wakeup = wakeup
        self._service_manager = service_manager
        self._started = time.monotonic()
        self._status_requests = 0
        self._report = Report()
        self._rates = Rates()
        self._busiest = Busiest(nat, now_ms)
        self._explainer = Explainer(nat, packet_loop.locked, now_ms)
        self._flusher = Flusher(nat, now_ms, lambda: nat.generation)
        active_settings.tell = self._changed
        self._reloading = Reloading(
            sources, active_settings, service_manager, lambda: state(self._facts)
        )
        self._forwards = LiveForwards(active_settings, sources)

    def run(self, announce: Callable[[], None]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup, selectors.EVENT_READ)
            selector.register(self._host, selectors.EVENT_READ, self._follow_host)
            server = ControlServer(
                self._claim,
                {
                    "status": lambda _: self._status_page(),
                    "doctor": lambda _: self._doctor(),
                    "mappings": lambda request: self._rows(self._nat.mapping_rows, request),
                    "sessions": lambda request: self._rows(self._nat.session_rows, request),
                    "ports": lambda request: self._rows(self._nat.port_rows, request),
                    "hosts": self._busiest.answer,
                    "watch": self._events.watch,
                    "capture": self._capturing.start,
                    "explain": self._explainer.answer,
                    "flush": self._flusher.answer,
                    "reload": lambda request: iter([[self._reloading.answer(request)]]),
                    "forward": lambda request: iter([[self._forwards.answer(request)]]),
                    "forwards": self._forwards.rows,
                },
                selector,
                self._allowed,
            )
            self.status()  # has what it needs from now on
            announce()
            self._service_manager.tell(READY="1", STATUS=state(self._facts))

            def housekeeping() -> None:
                server.drop_late()
                self._busiest.forget_idle()
                self._look_at_counters()
                self._active_settings.give_up_addresses()

            periodic_tasks = [PeriodicTask(TICK_SECONDS, housekeeping)]
            if self._service_manager.period is not None:
                periodic_tasks.append(
                    PeriodicTask(self._service_manager.period, self._sign_of_life)
                )
            streams = (self._events, self._capturing)
            while not self._is_over():
                due = min(*(one.due for one in streams), *(one.due for one in periodic_tasks))
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    if key.data:
                        key.data()
                for stream in streams:
                    if time.monotonic() >= stream.due:
                        stream.pump()
                for periodic_task in periodic_tasks:
                    periodic_task.perform()
            server.close()

    def _is_over(self) -> bool:
        """Deal with what has been noted; whether it is the end."""
        noted = set(self._wakeup.noted())
        for number in noted - {PACKET_LOOP_ENDED}:
            log.info("%s", signal.Signals(number).name)
        if noted == {signal.SIGHUP} and self._reloading.has_file:
            self._reloading.by_signal()
            return False
        return bool(noted)

    def _follow_host(self) -> None:
        """Raises RunError where nobody looks after the host any more."""
        host_values = self._host.news()
        self._tell_report(self._host.report)
        if host_values is not None:
            self._active_settings.follow(host_values)
            self._service_manager.tell(STATUS=state(self._facts))

    def _tell_report(self, report: Report) -> None:
        """Let status, metrics and events have what is wrong on the host, and what was put right."""
        before, self._report = self._report, report
        if report == before:
            return
        for name, fields in events_since(report, before):
            self._events.tell(name, **fields)
        told = state(self._facts)
        self._facts = replace(
            self._facts,
            problems=report.problems,
            restored=report.restored,
            guard_dropped=report.counts.guard_dropped,
            own_sockets=report.counts.own_sockets,
        )
        if state(self._facts) != told:
            self._service_manager.tell(STATUS=state(self._facts))

    def _doctor(self) -> Iterator[Page]:
        """What is wrong now: it is looked at anew."""
        yield [{**self._host.look().row(), "external": self.status()["external"]}]

    def _changed(self) -> None:
        """Other settings are in force, or an address is there or not."""
        options = self._active_settings.fitted
        external = outside(options, self._host.host_values)
        self._facts = replace(
            self._facts,
            external=external,
            types=options.nat.types,
            host_types=host_nat_types(options.nat.settings),
        )
        self._busiest.forget_all()

    def status(self) -> dict[str, Any]:
        uptime = time.monotonic() - self._started
        return status(self._facts, self._nat.totals(), uptime, self._rates.now())

    def ports(self) -> list[dict[str, Any]]:
        """Port use by external address and protocol; from any thread, as `status`."""
        while True:
            with suppress(RunError):  # another NAT took over in between
                return [row for page in self._rows(self._nat.port_rows, {}) for row in page]

    def _status_page(self) -> Iterator[Page]:
        yield [self.status()]

    def _rows(self, read: ReadRows, request: Request) -> Pages:
        return row_pages(read, now_ms, read_request(request), lambda: self._nat.generation)

    def _sign_of_life(self) -> None:
        # The status waits for the packet loop: one that is stuck lets no sign of life out.
        self._service_manager.sign_of_life(self._packet_loop.rounds, lambda: summary(self.status()))

    def _look_at_counters(self) -> None:
        counters = self._nat.totals().counters()
        self._rates.note(time.monotonic(), counters)
        requests = counters["dropped"][STATUS_REQUEST]
        if requests != self._status_requests:
            self._status_requests = requests
            log.info("%s", summary(self.status()))
