"""The life of `ratsnake run`: everything is set up in one order and undone in the reverse.

    signals noted → an outside address there → control socket claimed → device → keeper → engine →
    routing → privileges given up → flows brought back → worker → "ready"

The host's side lives in the keeper, a process that sets up what has to be undone, and undoes it
whatever becomes of this one (host/processes/keeper.py, surroundings/hosting.py).

One thread moves packets (the worker, without the GIL); this one waits: for signals, for the
worker's end, for control clients, and once a second for a status request.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..device.linux_tun import LinuxTun
from ..host.notifications.address_watch import AddressWatch
from ..host.notifications.kernel_watch import KernelWatch
from ..host.processes.child import ChildError
from ..host.processes.keeper import Undoing
from . import privileges
from .awaiting import await_addresses
from .changing.in_force import InForce
from .changing.live_forwards import LiveForwards
from .changing.reloading import Reloading
from .configuration import followed
from .configuration.file import Asked, Sources
from .configuration.listen import Listen
from .configuration.options import RunOptions, StateOptions
from .control.control import ControlServer, Page, Request
from .control.control_path import Claim
from .control.peer import allowed_by
from .duty import Duty
from .errors import RunError
from .events.events import Events, open_log
from .facts import facts_of, outside, ready, state
from .loop.engine import make_nat
from .loop.live_nat import LiveNat
from .loop.worker import Worker
from .loop.worker_thread import WorkerThread, going_first
from .seed import fresh
from .state.keeper import StateKeeper, check_folder, make_folder
from .state.lock import StateLock
from .state.restoring import bring_back
from .supervisor import Supervisor
from .surroundings.findings import Findings
from .surroundings.fitting import Fitted, fit
from .surroundings.host_report import Report, events_since
from .surroundings.hosting_orders import AskingHosting, KeptHosting
from .surroundings.monitoring import Monitor
from .views.busiest import Busiest
from .views.capturing import Capturing
from .views.explaining import Explainer
from .views.flushing import Flusher
from .views.rates import Rates
from .views.row_pages import Pages, ReadRows, row_pages
from .views.row_request import read_request
from .views.status import Facts, status, summary
from .wakeup import WORKER_ENDED, Wakeup

if TYPE_CHECKING:
    from .metrics.server import MetricsServer

# The device must never be the narrowest link of a path: a packet too big for the way out is then
# refused there, with the true MTU, and the ICMP error goes through the NAT (RFC 5508 section 7).
MTU = 65535

TICK_SECONDS = 1.0  # how often housekeeping is due; a status request is answered no oftener
STATUS_REQUEST = "status-request"

log = logging.getLogger(__name__)


def serve(sources: Sources, asked: Asked, announce: Callable[[str], None]) -> None:
    """Run the NAT until a signal stops it; `announce` gets one line once all is ready.

    `sources` are where `asked` was read and is read again.
    Raises UsageError, RunError or DeviceError, always after undoing what was done.
    """
    with ExitStack() as undo:
        supervisor = Supervisor()
        undo.callback(supervisor.close)
        wakeup = undo.enter_context(Wakeup())
        watch = AddressWatch(followed.sources(asked.options.nat.settings))
        undo.callback(watch.close)
        has_file = sources.file is not None
        found = await_addresses(asked.options, watch, wakeup, supervisor, has_file)
        if found is None:
            return
        fitted = _fit(asked.options, found)
        options = fitted.options
        undoing = Undoing()
        undo.callback(undoing.close)
        claim = Claim(options.socket_path, options.access)
        undo.callback(claim.close)
        undo.callback(undoing.perform, undoing.add(claim.remove))
        sink = open_log(options.events)
        metrics = _open_metrics(options.metrics, undo)
        device = _open_device(options.device, undo)
        if options.state is not None:
            _claim_state(options.state, options, undo)
        device.bring_up(MTU)
        monitor = _monitor(options)
        hosting = KeptHosting(sources, asked.options, fitted.findings, watch, monitor)
        host = _host(hosting, undoing, undo)
        hosting.close()
        worker, live = _packet_loop(options, device)
        undo.callback(worker.close)
        for warning in host.begin():
            log.warning("%s", warning)
        facts = facts_of(options, fitted.findings, device)
        events = Events(live, options.events, sink, _now)
        undo.callback(events.close)
        thread = WorkerThread(worker, wakeup.worker_ended)
        with ExitStack() as running:
            state_keeper = _state_keeper(options.state, live, running)
            with going_first():
                if privileges.are_to_go(options.user):
                    undoing.may_undo = False
                    privileges.give_up(options.user, claim)
                if options.state is not None:
                    check_folder(options.state.path)
                    bring_back(live, options.state.path, _now())
                running.enter_context(thread)
            if state_keeper is not None:
                state_keeper.start()
            for warning in sources.warnings():
                log.warning("%s", warning)
            # A wait for the keeper is no reason for a service manager to take the NAT for dead.
            undoing.meanwhile = supervisor.again
            in_force = InForce(asked, options, live, events, host, _now)
            service = _Service(
                facts, sources, in_force, host, live, worker, events, claim, wakeup, supervisor
            )
            if metrics is not None:
                running.callback(metrics.close)
                _start_metrics(metrics, service)
            service.run(lambda: announce(ready(facts)))
            supervisor.tell(STOPPING="1", STATUS="stopping")
        log.info("stopping")
        _check_end(facts.device, thread)


def _claim_state(state: StateOptions, options: RunOptions, undo: ExitStack) -> None:
    """Have the folder of the file, and the file for this NAT alone."""
    make_folder(state.path, options.user)
    if options.user is None:
        check_folder(state.path)
    undo.callback(StateLock(state.path, options.device, options.user).close)


def _state_keeper(state: StateOptions | None, live: LiveNat, undo: ExitStack) -> StateKeeper | None:
    """It writes for the last time when the packet loop has ended."""
    if state is None:
        return None
    keeper = StateKeeper(state.path, state.period, live, _now)
    undo.callback(keeper.close)
    return keeper


def _fit(options: RunOptions, found: Findings) -> Fitted:
    fitted = fit(options, found)
    for note in fitted.notes:
        log.info("%s", note)
    for warning in fitted.warnings:
        log.warning("%s", warning)
    return fitted


def _open_metrics(listen: Listen | None, undo: ExitStack) -> MetricsServer | None:
    """Listen already, for that may take a privilege."""
    if listen is None:
        return None
    from .metrics.server import MetricsServer

    server = MetricsServer(listen)
    undo.callback(server.close)
    return server


def _start_metrics(server: MetricsServer, service: _Service) -> None:
    from .metrics.metrics import Picture, registry

    server.start(registry(lambda: Picture(service.status(), service.ports())))


def _open_device(name: str, undo: ExitStack) -> LinuxTun:
    device = LinuxTun(name)
    undo.callback(device.close)
    for note in device.notes:
        log.warning("%s", note)
    return device


def _packet_loop(options: RunOptions, device: LinuxTun) -> tuple[Worker, LiveNat]:
    """Nobody else holds the NAT, so that it goes when another takes its place."""
    nat = make_nat(options.nat.settings, fresh())
    worker = Worker(nat, device.fileno(), device.vnet_header)
    return worker, LiveNat(nat, worker)


def _host(hosting: KeptHosting, undoing: Undoing, undo: ExitStack) -> AskingHosting:
    """Leave the host's side to a keeper."""
    undo.callback(undoing.perform, undoing.add(hosting.undo))
    try:
        undoing.leave_to_keeper(hosting)
    except ChildError as error:
        raise RunError(str(error)) from None
    return AskingHosting(hosting.findings, undoing)


def _monitor(options: RunOptions) -> Monitor | None:
    """Where there is something to watch over; it hears of all that happens from here."""
    try:
        return Monitor(KernelWatch()) if options.lans else None
    except OSError as error:
        raise RunError(f"the kernel cannot be listened to: {error.strerror}") from None


def _check_end(device: str, thread: WorkerThread) -> None:
    if thread.failure is not None:
        raise RunError(f"device {device}: the packet loop failed: {thread.failure!r}")
    if thread.error:
        name = errno.errorcode.get(thread.error, "unknown error")
        gone = "; was the device removed?" if thread.error in (errno.EBADFD, errno.ENODEV) else ""
        raise RunError(f"device {device}: {os.strerror(thread.error)} ({name}){gone}")


class _Service:
    """The waiting thread, from ready to stop."""

    def __init__(
        self,
        facts: Facts,
        sources: Sources,
        in_force: InForce,
        host: AskingHosting,
        nat: LiveNat,
        worker: Worker,
        events: Events,
        claim: Claim,
        wakeup: Wakeup,
        supervisor: Supervisor,
    ) -> None:
        self._facts = facts
        self._in_force = in_force
        self._host = host
        self._nat = nat
        self._worker = worker
        self._events = events
        self._capturing = Capturing(worker.capture, worker.locked)
        self._claim = claim
        self._allowed = allowed_by(in_force.fitted.access)
        self._wakeup = wakeup
        self._supervisor = supervisor
        self._started = time.monotonic()
        self._status_requests = 0
        self._report = Report()
        self._rates = Rates()
        self._busiest = Busiest(nat, _now)
        self._explainer = Explainer(nat, worker.locked, _now)
        self._flusher = Flusher(nat, _now, lambda: nat.generation)
        in_force.tell = self._changed
        self._reloading = Reloading(sources, in_force, supervisor, lambda: state(self._facts))
        self._forwards = LiveForwards(in_force)

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
            self._supervisor.tell(READY="1", STATUS=state(self._facts))

            def housekeeping() -> None:
                server.drop_late()
                self._busiest.forget_idle()
                self._look_at_counters()
                self._in_force.give_up_addresses()

            duties = [Duty(TICK_SECONDS, housekeeping)]
            if self._supervisor.period is not None:
                duties.append(Duty(self._supervisor.period, self._sign_of_life))
            streams = (self._events, self._capturing)
            while not self._is_over():
                due = min(*(one.due for one in streams), *(one.due for one in duties))
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    if key.data:
                        key.data()
                for stream in streams:
                    if time.monotonic() >= stream.due:
                        stream.pump()
                for duty in duties:
                    duty.perform()
            server.close()

    def _is_over(self) -> bool:
        """Deal with what has been noted; whether it is the end."""
        noted = set(self._wakeup.noted())
        for number in noted - {WORKER_ENDED}:
            log.info("%s", signal.Signals(number).name)
        if noted == {signal.SIGHUP} and self._reloading.has_file:
            self._reloading.by_signal()
            return False
        return bool(noted)

    def _follow_host(self) -> None:
        """Raises RunError where nobody looks after the host any more."""
        findings = self._host.news()
        self._tell_report(self._host.report)
        if findings is not None:
            self._in_force.follow(findings)
            self._supervisor.tell(STATUS=state(self._facts))

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
            self._supervisor.tell(STATUS=state(self._facts))

    def _doctor(self) -> Iterator[Page]:
        """What is wrong now: it is looked at anew."""
        yield [{**self._host.look().row(), "external": self.status()["external"]}]

    def _changed(self) -> None:
        """Other settings are in force, or an address is there or not."""
        options = self._in_force.fitted
        external = outside(options, self._host.findings)
        self._facts = replace(self._facts, external=external, types=options.nat.types)
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
        return row_pages(read, _now, read_request(request), lambda: self._nat.generation)

    def _sign_of_life(self) -> None:
        # The status waits for the packet loop: one that is stuck lets no sign of life out.
        self._supervisor.sign_of_life(self._worker.rounds, lambda: summary(self.status()))

    def _look_at_counters(self) -> None:
        counters = self._nat.totals().counters()
        self._rates.note(time.monotonic(), counters)
        requests = counters["dropped"][STATUS_REQUEST]
        if requests != self._status_requests:
            self._status_requests = requests
            log.info("%s", summary(self.status()))


def _now() -> int:
    """The worker's clock: CLOCK_MONOTONIC in milliseconds."""
    return time.monotonic_ns() // 1_000_000
