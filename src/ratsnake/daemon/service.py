"""The life of `ratsnake run`: everything is set up in one order and undone in the reverse.

    signals noted → control socket claimed → device → engine → routing → worker → "ready"

One thread moves packets (the worker, without the GIL); this one waits: for signals, for the
worker's end, for control clients, and once a second for a status request.
"""

import errno
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from .. import __version__
from ..device.linux_tun import LinuxTun
from ..nat.build import COMPILED
from ..nat.nat import Nat
from .control import ControlServer, Page
from .control_path import Claim
from .engine import make_nat
from .errors import RunError
from .options import RunOptions
from .seed import fresh
from .status import Facts, row_pages, status, summary
from .surroundings import fit, request_of
from .wakeup import WORKER_ENDED, Wakeup
from .worker import Worker
from .worker_thread import WorkerThread

# The device must never be the narrowest link of a path: a packet too big for the way out is then
# refused there, with the true MTU, and the ICMP error goes through the NAT (RFC 5508 section 7).
MTU = 65535

TICK_SECONDS = 1.0  # how often housekeeping is due; a status request is answered no oftener
STATUS_REQUEST = "status-request"
USUAL = ("tcp", "udp", "icmp")  # the protocols whose NAT types are always told

log = logging.getLogger(__name__)


def serve(options: RunOptions, announce: Callable[[str], None]) -> None:
    """Run the NAT until a signal stops it; `announce` gets one line once all is ready.

    Raises RunError or DeviceError, always after undoing what was done.
    """
    fitted = fit(options)
    options = fitted.options
    for note in fitted.notes:
        log.info("%s", note)
    for warning in fitted.warnings:
        log.warning("%s", warning)
    with ExitStack() as undo:
        wakeup = undo.enter_context(Wakeup())
        claim = undo.enter_context(Claim(options.control))
        device = _open_device(options.device, undo)
        nat = make_nat(options.nat.settings, fresh())
        device.bring_up(MTU)
        if options.lan is not None:
            _install_routing(options, options.lan, undo)
        worker = Worker(nat, device.fileno(), device.vnet_header)
        undo.callback(worker.close)
        facts = _facts(options, device)
        with WorkerThread(worker, wakeup.worker_ended) as thread:
            _Service(facts, nat, worker, claim, wakeup).run(lambda: announce(_ready(facts)))
        log.info("stopping")
        _check_end(facts.device, thread)


def _open_device(name: str, undo: ExitStack) -> LinuxTun:
    device = LinuxTun(name)
    undo.callback(device.close)
    for note in device.notes:
        log.warning("%s", note)
    return device


def _install_routing(options: RunOptions, lan: str, undo: ExitStack) -> None:
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

    def take_back() -> None:
        for failure in installed.undo():
            log.error("%s", failure)

    undo.callback(take_back)


def _facts(options: RunOptions, device: LinuxTun) -> Facts:
    return Facts(
        version=__version__,
        device=device.name,
        compiled=COMPILED,
        offload=tuple(device.features),
        external=tuple(
            (str(external.address), str(external.ports) if external.ports else None)
            for external in options.nat.settings.externals
        ),
        types=options.nat.types,
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
        self, facts: Facts, nat: Nat, worker: Worker, claim: Claim, wakeup: Wakeup
    ) -> None:
        self._facts = facts
        self._nat = nat
        self._worker = worker
        self._claim = claim
        self._wakeup = wakeup
        self._started = time.monotonic()
        self._status_requests = 0

    def run(self, announce: Callable[[], None]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup, selectors.EVENT_READ)
            server = ControlServer(
                self._claim,
                {
                    "status": self._status_page,
                    "mappings": lambda: row_pages(self._nat.mapping_rows, self._locked, _now),
                    "sessions": lambda: row_pages(self._nat.session_rows, self._locked, _now),
                },
                selector,
                allowed=frozenset((0, os.geteuid())),
            )
            announce()
            due = self._started + TICK_SECONDS
            while not self._stop():
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    if key.data:
                        key.data()
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_SECONDS
                    server.drop_late()
                    self._log_status_if_asked()
            server.close()

    def _stop(self) -> bool:
        noted = self._wakeup.noted()
        for number in noted:
            if number != WORKER_ENDED:
                log.info("%s", signal.Signals(number).name)
        return bool(noted)

    def _locked(self) -> Any:
        return self._worker.locked()

    def _status(self) -> dict[str, Any]:
        return status(self._facts, self._nat, self._locked, time.monotonic() - self._started)

    def _status_page(self) -> Iterator[Page]:
        yield [self._status()]

    def _log_status_if_asked(self) -> None:
        with self._locked():
            requests = self._nat.counters()["dropped"][STATUS_REQUEST]
        if requests != self._status_requests:
            self._status_requests = requests
            log.info("%s", summary(self._status()))


def _now() -> int:
    """The worker's clock: CLOCK_MONOTONIC in milliseconds."""
    return time.monotonic_ns() // 1_000_000
