"""The host's side of a NAT that runs: its routing, changed while packets pass, and the addresses of
interfaces, which are followed.

It lives in the helper (host/processes/privileged_helper.py).  What that does it derives from the
kernel, and from the configuration file where it was at the start.  Of the NAT, which may be
anybody's by then, it takes only which forwards there are, and gives them no port of a shared
address that is the host's (`hosting_orders`).
"""

import logging
import math
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...host.installation.install_changes import Installed, install
from ...host.kernel.interface_address import Found, InterfaceAddress, look
from ...host.notifications.address_watch import AddressWatch
from ...host.processes.forked_call import ChildError
from ...host.routing.routing_request import RoutingError
from ...nat.settings.address_realm import Address
from ..configuration.option_parsing import RunOptions
from ..configuration.placeholder_addresses import sources
from ..user_errors import RunError
from .host_monitoring import Monitor
from .host_report import Report
from .host_values import HostValues, fitted_options
from .ports_in_use import PortsInUse
from .settings_for_host import Fitted, fit, mtu_note, mtu_of, request_of

RETRY_SECONDS = 5.0  # after a look at addresses that failed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """Options as they were asked for, and what this host made of them."""

    options: RunOptions
    host_values: HostValues


class HostSetup:
    def __init__(
        self,
        options: RunOptions,
        host_values: HostValues,
        watch: AddressWatch,
        monitor: Monitor | None = None,
    ) -> None:
        """Without a monitor nobody looks whether what is set up stays."""
        self.state = self._before = State(options, host_values)
        self._watch = watch
        self._ports = PortsInUse()
        self._said = ""  # the last problem with them
        self._monitor = monitor
        self._told = host_values.serial, Report()
        self._again = math.inf  # when addresses are looked at though nothing is heard
        self._installed: Installed | None = None  # where the routing is the user's too

    @property
    def host_values(self) -> HostValues:
        return self.state.host_values

    def begin(self) -> tuple[str, ...]:
        """Set up what was asked for; returns warnings.  Raises RunError with nothing changed."""
        fitted = fitted_options(self.state.options, self.host_values)
        if not fitted.lans:
            return ()
        try:
            self._installed = install(request_of(fitted))
        except RoutingError as error:
            raise RunError(str(error)) from None
        except ChildError as error:
            raise RunError(f"--lan {', '.join(fitted.lans)}: {error}") from None
        self._watch_over(self._installed)
        return self._installed.warnings

    def undo(self) -> Sequence[str]:
        """Take back what is in force, for good; returns a message for everything that failed.

        Raises ChildError where that cannot begin, and all is as it was.
        """
        failures = () if self._installed is None else self._installed.undo()
        self._installed = None
        return failures

    def close(self) -> None:
        """Follow no more."""
        self._watch.close()
        if self._monitor is not None:
            self._monitor.close()

    def record(self) -> bytes:
        """What `undo` needs to know, for another process."""
        return pickle.dumps(self._installed)

    def recall(self, record: bytes) -> None:
        self._installed = pickle.loads(record)

    def filenos(self) -> Sequence[int]:
        """All of them at first: only what is among them may be then."""
        watched = () if self._monitor is None else self._monitor.filenos()
        return (self._watch.fileno(), *watched)

    def due(self) -> float:
        ports = self._ports.due() if self.host_values.shares else math.inf
        ports = min(ports, self._again)
        watched = self._monitor is not None and self._installed is not None
        return min(ports, self._monitor.due() if self._monitor and watched else math.inf)

    def attend(self) -> str:
        """Let the routing follow the addresses, and what the host's programs have of shared ones;
        make again what others have undone of it.

        The host values and the report as a line, where they have changed.
        """
        if self._watch.heard() or time.monotonic() >= self._again:
            self._follow_addresses()
        self._follow_ports()
        if self._monitor is not None:
            if self._installed is None:
                self._monitor.pass_over()
            else:
                self._installed = self._monitor.attend(self._installed)
                self._follow_mtu(self._monitor.mtus)
        told, self._told = self._told, (self.host_values.serial, self.report)
        return "" if self._told == told else self.line()

    @property
    def report(self) -> Report:
        return Report() if self._monitor is None else self._monitor.report

    def look(self) -> Report:
        """Look at once whether what is set up is in force, and make it so."""
        if self._monitor is not None and self._installed is not None:
            self._installed = self._monitor.look(self._installed)
            self._follow_mtu(self._monitor.mtus)
        return self.report

    def line(self) -> str:
        """The host values, and the report with them."""
        return self.host_values.line(report=self.report.row())

    def _watch_over(self, installed: Installed) -> None:
        if self._monitor is not None:
            self._monitor.begin(installed)

    def _follow_mtu(self, mtus: Mapping[str, int]) -> None:
        """As the addresses; what hosts are told of it changes with the host values."""
        options, host_values = self.state.options, self.host_values
        mtu = mtu_of(options, mtus) if mtus else host_values.mtu
        if mtu == host_values.mtu:
            return
        self._note(State(options, replace(host_values, mtu=mtu)))
        rises = f"the MTU of {options.wan} is no less than the LAN's: the MSS of TCP is not lowered"
        log.info("%s", mtu_note(mtu, options) if mtu else rises)

    def _follow_ports(self) -> None:
        """Programs that keep a port of the NAT's get it, and the NAT what the host has left."""
        options, host_values = self.state.options, self.host_values
        if not host_values.shares or not self._ports.look():
            return
        if not self._ports.differ_from(host_values.shares):
            return
        try:
            anew = replace(host_values, shares={})
            fitted = fit(options, anew, self._ports.taken())
            warnings = self._route(fitted.options)
        except RunError as error:
            self._say_once(f"the ports of shared addresses stay as they are: {error}")
            return
        self._said = ""
        for note in fitted.notes:
            log.info("%s", note)
        for warning in warnings:
            log.warning("%s", warning)
        if fitted.host_values != host_values:
            self._note(State(options, fitted.host_values))

    def _say_once(self, problem: str) -> None:
        """Of what is tried again and again."""
        if problem != self._said:
            log.error("%s", problem)
        self._said = problem

    def _follow_addresses(self) -> None:
        before = self.state
        self._again = time.monotonic() + RETRY_SECONDS  # unless it succeeds
        try:
            found = look(self._watch.wanted)
            self._watch.note(found)
            host_values = self._followed(found)
        except (ChildError, OSError) as error:
            log.error("what interfaces have become cannot be looked up: %s", error)
            return
        self._again = math.inf
        if host_values != before.host_values:
            self._note(State(before.options, host_values))

    def fit(self, options: RunOptions, anew: bool) -> Fitted:
        """`anew`: the ports of shared addresses are divided by what the host has now."""
        found = with_addresses(options, self.host_values)
        if anew:
            return fit(options, replace(found, shares={}), self._ports.taken())
        return fit(options, found)

    def change_back(self) -> None:
        """Take the last change back, on this host as it is now; raises RunError."""
        options = self._before.options
        fitted = self.fit(options, anew=False)
        self.become(State(options, fitted.host_values), fitted.options)

    def become(self, state: State, fitted: RunOptions) -> tuple[str, ...]:
        """Let the routing be that of the state, whose options fit so; returns warnings.

        Raises RunError with all as it was.
        """
        warnings = self._route(fitted)
        self._before = self.state
        self._note(state)
        self._watch.wanted = sources(state.options.nat.settings)
        return warnings

    def _note(self, state: State) -> None:
        serial = self.host_values.serial + 1
        self.state = replace(state, host_values=replace(state.host_values, serial=serial))

    def _followed(self, found: Mapping[InterfaceAddress, Found]) -> HostValues:
        before = self.state.host_values
        addresses, lost = chosen(found, before.addresses)
        if addresses == before.addresses and not before.lost.keys() - lost.keys():
            return replace(before, lost=lost)
        try:
            fitted = fit(self.state.options, replace(before, addresses=addresses, lost=lost))
            warnings = self._route(fitted.options, anew=True)
        except RunError as error:
            moved = addresses.items() - before.addresses.items()
            return replace(before, lost={**lost, **{one: str(error) for one, _ in moved}})
        for note in fitted.notes:
            log.info("%s", note)
        for warning in (*fitted.warnings, *warnings):
            log.warning("%s", warning)
        return fitted.host_values

    def _route(self, fitted: RunOptions, anew: bool = False) -> tuple[str, ...]:
        """Change the routing to what fits; returns warnings that are new.  Raises RunError.

        `anew`: also if it is the same, for an interface has come back.
        """
        if (self._installed is None) == bool(fitted.lans):
            raise RunError("--lan: cannot be given or left out while the NAT runs; restart it")
        if self._installed is None:
            return ()
        request = request_of(fitted)
        if request == self._installed.request and not anew:
            return ()
        try:
            installed, failures = self._installed.change(request)
        except (RoutingError, ChildError) as error:
            raise RunError(str(error)) from None
        known, self._installed = self._installed.warnings, installed
        self._watch_over(installed)
        return (*failures, *(one for one in installed.warnings if one not in known))


def with_addresses(options: RunOptions, host_values: HostValues) -> HostValues:
    """Looked up where the host values have none; raises RunError."""
    wanted = sources(options.nat.settings)
    addresses = {one: host_values.addresses[one] for one in wanted if one in host_values.addresses}
    lost = {one: host_values.lost[one] for one in wanted if one in host_values.lost}
    if unknown := [one for one in wanted if one not in addresses]:
        try:
            more, missing = chosen(look(unknown), {})
        except ChildError as error:
            raise RunError(f"the addresses of interfaces cannot be looked up: {error}") from None
        addresses |= more
        lost |= missing
    return replace(host_values, addresses=addresses, lost=lost)


def chosen(
    found: Mapping[InterfaceAddress, Found], before: Mapping[InterfaceAddress, Address]
) -> tuple[dict[InterfaceAddress, Address], dict[InterfaceAddress, str]]:
    """The address of each, the last known one where none is there; and what there is then."""
    addresses = dict(before)
    lost = {}
    for source, there in found.items():
        address = there.choose(before.get(source))
        if address is None:
            lost[source] = there.problem
        else:
            addresses[source] = address
    return addresses, lost
