"""The host's side of a NAT that runs: its routing, changed while packets pass, and the addresses of
interfaces, which are followed.

It lives in the keeper where there is one (host/keeper.py), and there is one wherever an address is
followed.  What a keeper does it derives from the kernel, and from the configuration file where it
was at the start.  Of the NAT, which may be anybody's by then, it takes only which forwards there
are, and gives them no port of a shared address that is the host's (`hosting_orders`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...host.address_watch import AddressWatch
from ...host.child import ChildError
from ...host.interface_address import Found, InterfaceAddress, look
from ...host.request import RoutingError
from ...nat.settings.scope import Address
from ..configuration.file import Asked
from ..configuration.followed import sources
from ..configuration.options import RunOptions
from ..errors import RunError
from .findings import Findings, fitted_options
from .fitting import Fitted, fit, request_of

if TYPE_CHECKING:
    from ...host.routing import Installed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """Options as they were asked for, and what this host made of them."""

    options: RunOptions
    findings: Findings


class Hosting:
    def __init__(
        self,
        options: RunOptions,
        findings: Findings,
        watch: AddressWatch,
        installed: "Installed | None",
    ) -> None:
        """`installed` is None where the routing is the user's."""
        self.state = self._before = State(options, findings)
        self._watch = watch
        self._installed = installed

    @property
    def findings(self) -> Findings:
        return self.state.findings

    def undo(self) -> Sequence[str]:
        """Take back what is in force; returns a message for everything that failed."""
        return () if self._installed is None else self._installed.undo()

    def close(self) -> None:
        """Follow no more."""
        self._watch.close()

    def fileno(self) -> int:
        return self._watch.fileno()

    def attend(self) -> str:
        """Let the routing follow the addresses; the findings as a line where they have changed."""
        if not self._watch.heard():
            return ""
        before = self.state
        try:
            found = look(self._watch.wanted)
            self._watch.note(found)
            findings = self._followed(found)
        except (ChildError, OSError) as error:
            log.error("what interfaces have become cannot be looked up: %s", error)
            return ""
        if findings == before.findings:
            return ""
        self._note(State(before.options, findings))
        return self.findings.line()

    def fit(self, asked: Asked, lasting: bool) -> Fitted:
        """What is asked for on this host, with what is shared as it is; raises RunError.

        `lasting`: it is what the configuration says.
        """
        # Where one is followed there is a keeper, which does not come here.
        for source in sources(asked.options.nat.settings):
            raise RunError(f"--external {source}: nobody follows it in this NAT; restart it")
        return self.fit_options(asked.options)

    def fit_options(self, options: RunOptions) -> Fitted:
        return fit(options, with_addresses(options, self.findings))

    def change(self, asked: Asked, fitted: Fitted) -> tuple[str, ...]:
        """Let the routing be what is asked for, which fits so; returns warnings.

        Raises RunError with all as it was.
        """
        return self.become(State(asked.options, fitted.findings), fitted.options)

    def change_back(self) -> None:
        """Take the last change back; raises RunError."""
        before = self._before
        self.become(before, fitted_options(before.options, before.findings))

    def become(self, state: State, fitted: RunOptions) -> tuple[str, ...]:
        """Likewise, of any state, whose options fit so."""
        warnings = self._route(fitted)
        self._before = self.state
        self._note(state)
        self._watch.wanted = sources(state.options.nat.settings)
        return warnings

    def _note(self, state: State) -> None:
        serial = self.findings.serial + 1
        self.state = replace(state, findings=replace(state.findings, serial=serial))

    def _followed(self, found: Mapping[InterfaceAddress, Found]) -> Findings:
        before = self.state.findings
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
        return fitted.findings

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
        return (*failures, *(one for one in installed.warnings if one not in known))


def with_addresses(options: RunOptions, findings: Findings) -> Findings:
    """Looked up where the findings have none; raises RunError."""
    wanted = sources(options.nat.settings)
    addresses = {one: findings.addresses[one] for one in wanted if one in findings.addresses}
    lost = {one: findings.lost[one] for one in wanted if one in findings.lost}
    if unknown := [one for one in wanted if one not in addresses]:
        try:
            more, missing = chosen(look(unknown), {})
        except ChildError as error:
            raise RunError(f"the addresses of interfaces cannot be looked up: {error}") from None
        addresses |= more
        lost |= missing
    return replace(findings, addresses=addresses, lost=lost)


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
