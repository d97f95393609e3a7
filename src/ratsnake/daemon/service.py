"""The life of `ratsnake run`: everything is set up in one order and undone in the reverse.

    signals noted → control socket claimed → device → engine → routing → privileges given up →
    worker → "ready"

What has to be undone with privileges is left to a keeper when they are given up (host/keeper.py).

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

from .. import __version__
from ..device.linux_tun import LinuxTun
from ..host.keeper import Undoing
from ..nat.build import COMPILED
from . import privileges
from .configuration.file import Asked, Sources
from .configuration.listen import Listen
from .configuration.options import RunOptions
from .control.control import ControlServer, Page, Request
from .control.control_path import Claim
from .control.peer import allowed_by
from .duty import Duty
from .errors import RunError
from .events.events import Events, open_log
from .in_force import InForce
from .live_forwards import LiveForwards
from .loop.engine import make_nat
from .loop.live_nat import LiveNat
from .loop.worker import Worker
from .loop.worker_thread import WorkerThread, going_first
from .reloading import Reloading
from .seed import fresh
from .supervisor import Supervisor
from .surroundings import fit, request_of
from .views.busiest import Busiest
from .views.capturing import Capturing
from .views.explaining import Explainer
from .views.rates import Rates
from .views.row_pages import Pages, ReadRows, row_pages
from .views.row_request import read_request
from .views.status import Facts, status, summary
from .wakeup import WORKER_ENDED, Wakeup

if TYPE_CHECKING:
    from ..host.routing import Installed
    from .metrics.server import MetricsServer

# The device must never be the narrowest link of a path: a packet too big for the way out is then
# refused there, with the true MTU, and the ICMP error goes through the NAT (RFC 5508 section 7).
MTU = 65535

TICK_SECONDS = 1.0  # how often housekeeping is due; a status request is answered no oftener
STATUS_REQUEST = "status-request"
USUAL = ("tcp", "udp", "icmp")  # the protocols whose NAT types are always told

log = logging.getLogger(__name__)


def serve(sources: Sources, asked: Asked, announce: Callable[[str], None]) -> None:
    """Run the NAT until a signal stops it; `announce` gets one line once all is ready.

    `sources` are where `asked` was read and is read again.
    Raises UsageError, RunError or DeviceError, always after undoing what was done.
    """
    fitted = fit(asked.options)
    options = fitted.options
    for note in fitted.notes:
        log.info("%s", note)
    for warning in fitted.warnings:
        log.warning("%s", warning)
    with ExitStack() as undo:
        supervisor = Supervisor()
        undo.callback(supervisor.close)
        wakeup = undo.enter_context(Wakeup())
        undoing = Undoing()
        undo.callback(undoing.close)
        claim = Claim(options.socket_path, options.access)
        undo.callback(claim.close)
        undo.callback(undoing.perform, undoing.add(claim.remove))
        sink = open_log(options.events)
        metrics = _open_metrics(options.metrics, undo)
        device = _open_device(options.device, undo)
        worker, live = _packet_loop(options, device)
        undo.callback(worker.close)
        device.bring_up(MTU)
        if options.lan is not None:
            installed = _install_routing(options, options.lan)
            undo.callback(undoing.perform, undoing.add(installed.undo))
        facts = _facts(options, device)
        events = Events(live, options.events, sink, _now)
        undo.callback(events.close)
        thread = WorkerThread(worker, wakeup.worker_ended)
        with ExitStack() as running:
            if privileges.are_to_go(options.user):
                privileges.leave(options.user, claim, undoing)
            with going_first():
                if privileges.are_to_go(options.user):
                    privileges.give_up(options.user)
                running.enter_context(thread)
            for warning in sources.warnings():
                log.warning("%s", warning)
            service = _Service(
                facts, sources, asked, options, live, worker, events, claim, wakeup, supervisor
            )
            if metrics is not None:
                running.callback(metrics.close)
                _start_metrics(metrics, service)
            service.run(lambda: announce(_ready(facts)))
            supervisor.tell(STOPPING="1", STATUS="stopping")
        log.info("stopping")
        _check_end(facts.device, thread)


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


def _install_routing(options: RunOptions, lan: str) -> Installed:
    from ..host.child import ChildError
    from ..host.request import RoutingError
    from ..host.routing import install

    try:
        installed = install(request_of(options, lan))
    except RoutingError as error:
        raise RunError(str(error)) from None
    except ChildError as error:
        raise RunError(f"--lan {lan}: {error}") from None
    for warning in installed.warnings:
        log.warning("%s", warning)

    return installed


def _facts(options: RunOptions, device: LinuxTun) -> Facts:
    return Facts(
        version=__version__,
        device=device.name,
        compiled=COMPILED,
        offload=tuple(device.features),
        external=_external(options),
        types=options.nat.types,
    )


def _external(options: RunOptions) -> tuple[tuple[str, str | None], ...]:
    return tuple(
        (str(external.address), str(external.ports) if external.ports else None)
        for external in options.nat.settings.externals
    )


def _ready(facts: Facts) -> str:
    types = " ".join(
        f"{protocol}={name}"
        for protocol, name in facts.types.items()
        if protocol in USUAL or name != facts.types[USUAL[0]]
    )
    external = ",".join(address for address, _ in facts.external)
    ports = {ports for _, ports in facts.external if ports}
    shown = ports.pop() if len(ports) == 1 else "several"
    return (
        f"ready: {facts.device} external={external} ports={shown} {types}"
        f" offload={','.join(facts.offload) or 'none'}"
        f" engine={'compiled' if facts.compiled else 'interpreted'}"
    )


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
        asked: Asked,
        options: RunOptions,
        nat: LiveNat,
        worker: Worker,
        events: Events,
        claim: Claim,
        wakeup: Wakeup,
        supervisor: Supervisor,
    ) -> None:
        """`options` are those asked for, as they fit this host."""
        self._facts = facts
        self._nat = nat
        self._worker = worker
        self._events = events
        self._capturing = Capturing(worker.capture, worker.locked)
        self._claim = claim
        self._allowed = allowed_by(options.access)
        self._wakeup = wakeup
        self._supervisor = supervisor
        self._started = time.monotonic()
        self._status_requests = 0
        self._rates = Rates()
        self._busiest = Busiest(nat, _now)
        self._explainer = Explainer(nat, worker.locked, _now)
        in_force = InForce(asked, options, nat, events, _now, self._changed)
        self._reloading = Reloading(sources, in_force, supervisor, lambda: _ready(self._facts))
        self._forwards = LiveForwards(in_force)

    def run(self, announce: Callable[[], None]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup, selectors.EVENT_READ)
            server = ControlServer(
                self._claim,
                {
                    "status": lambda _: self._status_page(),
                    "mappings": lambda request: self._rows(self._nat.mapping_rows, request),
                    "sessions": lambda request: self._rows(self._nat.session_rows, request),
                    "ports": lambda request: self._rows(self._nat.port_rows, request),
                    "hosts": self._busiest.answer,
                    "watch": self._events.watch,
                    "capture": self._capturing.start,
                    "explain": self._explainer.answer,
                    "reload": lambda request: iter([[self._reloading.answer(request)]]),
                    "forward": lambda request: iter([[self._forwards.answer(request)]]),
                    "forwards": self._forwards.rows,
                },
                selector,
                self._allowed,
            )
            announce()
            self._supervisor.tell(READY="1", STATUS=_ready(self._facts))

            def housekeeping() -> None:
                server.drop_late()
                self._busiest.forget_idle()
                self._look_at_counters()

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

    def _changed(self, options: RunOptions) -> None:
        """Other settings are in force."""
        self._facts = replace(self._facts, external=_external(options), types=options.nat.types)
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
