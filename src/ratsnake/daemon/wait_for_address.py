"""Waiting until there is an outside address to begin with: a PPP link may come up long after boot.

A NAT begins with those of its addresses that are there; only without any it waits.
"""

import logging
import select
import signal

from ..host.kernel.interface_address import look
from ..host.notifications.address_watch import AddressWatch
from ..host.processes.forked_call import ChildError
from .configuration.option_parsing import RunOptions
from .host_integration.host_setup_manager import chosen
from .host_integration.host_values import NOTHING, HostValues, fitted_options
from .sd_notify import ServiceManager
from .signal_wakeup import Wakeup
from .user_errors import RunError

# How long a service manager is asked to wait yet, and how often it is asked, in seconds.
PATIENCE, AGAIN = 30, 10

log = logging.getLogger(__name__)


def await_addresses(
    options: RunOptions,
    watch: AddressWatch,
    wakeup: Wakeup,
    service_manager: ServiceManager,
    has_file: bool,
) -> HostValues | None:
    """The addresses that interfaces have, once there are enough for a NAT.

    None if a signal ends the wait.  Where there is a configuration file (`has_file`) SIGHUP asks
    for a reload, which the NAT does when it begins.  Raises RunError.
    """
    told = ""
    while True:
        host_values = _look(watch)
        missing = _missing(options, host_values)
        if not missing:
            for source, problem in host_values.lost.items():
                log.warning("%s: begins without it: %s", source, problem)
            return host_values
        if missing != told:
            log.warning("%s", missing)
            told = missing
        if not _wait(watch, wakeup, service_manager, missing, has_file):
            return None


def _missing(options: RunOptions, host_values: HostValues) -> str:
    """What is waited for, "" for nothing.

    An address that the NAT cannot have is no reason to end: a modem may give one of its own until
    the line is up.
    """
    try:
        fitted_options(options, host_values)
    except RunError as error:
        return f"waiting for an outside address: {error}"
    return ""


def _look(watch: AddressWatch) -> HostValues:
    if not watch.wanted:
        return NOTHING
    try:
        found = look(watch.wanted)
    except ChildError as error:
        raise RunError(f"the addresses of interfaces cannot be looked up: {error}") from None
    watch.note(found)
    return HostValues(*chosen(found, {}))


def _wait(
    watch: AddressWatch, wakeup: Wakeup, service_manager: ServiceManager, why: str, has_file: bool
) -> bool:
    """Until there is a reason to look again; False: a signal came."""
    while True:
        service_manager.tell(EXTEND_TIMEOUT_USEC=str(PATIENCE * 1_000_000), STATUS=why)
        ready = select.select([watch.fileno(), wakeup.fileno()], [], [], AGAIN)[0]
        if wakeup.fileno() in ready:
            noted = wakeup.noted()
            for number in noted:
                log.info("%s", signal.Signals(number).name)
            if not has_file or noted != [signal.SIGHUP]:
                return False
            wakeup.put_back(signal.SIGHUP)
        if watch.fileno() in ready and watch.heard():
            return True
