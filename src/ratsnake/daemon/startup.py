"""How `ratsnake run` starts and ends: set up step by step, and undone in the reverse.

The privileged helper changes the host and undoes that, whatever becomes of this process
(host/processes/privileged_helper.py, host_integration/host_setup_manager.py).
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from ..device.linux_tun import LinuxTun
from ..host.notifications.address_watch import AddressWatch
from ..host.notifications.kernel_watch import KernelWatch
from ..host.processes.forked_call import ChildError
from ..host.processes.privileged_helper import Undoing
from . import privilege_drop
from .configuration import placeholder_addresses
from .configuration.configuration_file import Asked, Sources
from .control.socket_path import Claim
from .events.event_outputs import Events, open_log
from .host_integration.helper_requests import ClientHostSetup, HelperHostSetup
from .host_integration.host_monitoring import Monitor
from .host_integration.settings_for_host import fit
from .loop.engine_factory import make_nat
from .loop.live_nat import LiveNat
from .loop.packet_loop import PacketLoop
from .loop.packet_loop_thread import PacketLoopThread, going_first
from .random_seed import fresh
from .reconfiguration.active_settings import ActiveSettings
from .run_description import facts_of, ready
from .sd_notify import ServiceManager
from .service import Service, now_ms
from .signal_wakeup import Wakeup
from .state.state_file_lock import StateLock
from .state.state_restore import bring_back
from .state.state_writer import StateWriter, check_folder, make_folder
from .user_errors import RunError
from .wait_for_address import await_addresses

if TYPE_CHECKING:
    from .metrics.metrics_server import MetricsServer

# The device must never be the narrowest link of a path: a packet too big for the way out is then
# refused there, with the true MTU, and the ICMP error goes through the NAT (RFC 5508 section 7).
MTU = 65535

log = logging.getLogger(__name__)


def serve(sources: Sources, asked: Asked, announce: Callable[[str], None]) -> None:
    """Run the NAT until a signal stops it; `announce` gets one line once all is ready.

    `sources` are where `asked` was read and is read again.
    Raises UsageError, RunError or DeviceError, always after undoing what was done.
    """
    with ExitStack() as undo:
        startup = _Startup(sources, asked, undo)
        if not startup.await_external_addresses():
            return
        startup.fit_settings_to_host()
        startup.claim_control_socket()
        startup.open_event_log()
        startup.listen_for_metrics()
        startup.open_device()
        startup.claim_state_file()
        startup.start_helper()
        startup.make_engine()
        startup.set_up_host()
        startup.note_events()
        startup.start_packet_loop()
        startup.answer_clients(announce)


class _Startup:
    """What each step makes for those after it.  `undo` takes all of it back, the last first."""

    def __init__(self, sources: Sources, asked: Asked, undo: ExitStack) -> None:
        self._sources = sources
        self._asked = asked
        self._undo = undo
        self._service_manager = ServiceManager()
        undo.callback(self._service_manager.close)
        self._wakeup = undo.enter_context(Wakeup())
        self._metrics: MetricsServer | None = None

    def await_external_addresses(self) -> bool:
        """False where a signal ended the wait."""
        options = self._asked.options
        self._watch = AddressWatch(placeholder_addresses.sources(options.nat.settings))
        self._undo.callback(self._watch.close)
        has_file = self._sources.file is not None
        found = await_addresses(options, self._watch, self._wakeup, self._service_manager, has_file)
        if found is None:
            return False
        self._found = found
        return True

    def fit_settings_to_host(self) -> None:
        fitted = fit(self._asked.options, self._found)
        for note in fitted.notes:
            log.info("%s", note)
        for warning in fitted.warnings:
            log.warning("%s", warning)
        self._options = fitted.options
        self._host_values = fitted.host_values

    def claim_control_socket(self) -> None:
        self._undoing = Undoing()
        self._undo.callback(self._undoing.close)
        self._claim = Claim(self._options.socket_path, self._options.access)
        self._undo.callback(self._claim.close)
        self._undo.callback(self._undoing.perform, self._undoing.add(self._claim.remove))

    def open_event_log(self) -> None:
        self._sink = open_log(self._options.events)

    def listen_for_metrics(self) -> None:
        """Already here, for a port below 1024 takes a privilege."""
        if self._options.metrics is None:
            return
        from .metrics.metrics_server import MetricsServer

        self._metrics = MetricsServer(self._options.metrics)
        self._undo.callback(self._metrics.close)

    def open_device(self) -> None:
        self._device = LinuxTun(self._options.device)
        self._undo.callback(self._device.close)
        for note in self._device.notes:
            log.warning("%s", note)

    def claim_state_file(self) -> None:
        """Have the folder of the file, and the file for this NAT alone."""
        state, user = self._options.state, self._options.user
        if state is None:
            return
        make_folder(state.path, user)
        if user is None:
            check_folder(state.path)
        self._undo.callback(StateLock(state.path, self._options.device, user).close)

    def start_helper(self) -> None:
        """Leave the host's side to it, and keep no copy here."""
        self._device.bring_up(MTU)
        monitor = self._monitor()
        host_setup = HelperHostSetup(
            self._sources, self._asked.options, self._host_values, self._watch, monitor
        )
        self._undo.callback(self._undoing.perform, self._undoing.add(host_setup.undo))
        try:
            self._undoing.leave_to_helper(host_setup)
        except ChildError as error:
            raise RunError(str(error)) from None
        self._host = ClientHostSetup(self._host_values, self._undoing)
        host_setup.close()

    def _monitor(self) -> Monitor | None:
        """Where there is something to watch over; it hears of all that happens from here."""
        try:
            return Monitor(KernelWatch()) if self._options.lans else None
        except OSError as error:
            raise RunError(f"the kernel cannot be listened to: {error.strerror}") from None

    def make_engine(self) -> None:
        """Only `live` and the packet loop hold the NAT: it goes when another takes its place."""
        nat = make_nat(self._options.nat.settings, fresh())
        self._packet_loop = PacketLoop(nat, self._device.fileno(), self._device.vnet_header)
        self._undo.callback(self._packet_loop.close)
        self._live = LiveNat(nat, self._packet_loop)

    def set_up_host(self) -> None:
        for warning in self._host.begin():
            log.warning("%s", warning)
        self._facts = facts_of(self._options, self._host_values, self._device)

    def note_events(self) -> None:
        self._events = Events(self._live, self._options.events, self._sink, now_ms)
        self._undo.callback(self._events.close)

    def start_packet_loop(self) -> None:
        """With the flows of the state file, and without the privileges that set-up needed."""
        self._thread = PacketLoopThread(self._packet_loop, self._wakeup.packet_loop_ended)
        self._undo.push(self._check_end)
        state, writer = self._options.state, None
        if state is not None:
            writer = StateWriter(state.path, state.period, self._live, now_ms)
            # Writes for the last time when the packet loop has ended.
            self._undo.callback(writer.close)
        with going_first():
            if privilege_drop.are_to_go(self._options.user):
                self._undoing.may_undo = False
                privilege_drop.give_up(self._options.user, self._claim)
            if state is not None:
                check_folder(state.path)
                bring_back(self._live, state.path, now_ms())
            self._undo.enter_context(self._thread)
        if writer is not None:
            writer.start()

    def answer_clients(self, announce: Callable[[str], None]) -> None:
        """Until a signal, or the packet loop's end."""
        for warning in self._sources.warnings():
            log.warning("%s", warning)
        # A wait for the helper is no reason for a service manager to take the NAT for dead.
        self._undoing.meanwhile = self._service_manager.again
        active_settings = ActiveSettings(
            self._asked, self._options, self._live, self._events, self._host, now_ms
        )
        service = Service(
            self._facts,
            self._sources,
            active_settings,
            self._host,
            self._live,
            self._packet_loop,
            self._events,
            self._claim,
            self._wakeup,
            self._service_manager,
        )
        if self._metrics is not None:
            from .metrics.prometheus_metrics import Picture, registry

            self._undo.callback(self._metrics.close)
            self._metrics.start(registry(lambda: Picture(service.status(), service.ports())))
        service.run(lambda: announce(ready(self._facts)))
        self._service_manager.tell(STOPPING="1", STATUS="stopping")

    def _check_end(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Behind the packet loop's end: why it came, where nothing else has failed."""
        if failure is not None:
            return
        log.info("stopping")
        device, thread = self._options.device, self._thread
        if thread.failure is not None:
            raise RunError(f"device {device}: the packet loop failed: {thread.failure!r}")
        if thread.error:
            name = errno.errorcode.get(thread.error, "unknown error")
            is_gone = thread.error in (errno.EBADFD, errno.ENODEV)
            gone = "; was the device removed?" if is_gone else ""
            raise RunError(f"device {device}: {os.strerror(thread.error)} ({name}){gone}")
