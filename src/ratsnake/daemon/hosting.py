"""The host's side of a NAT that runs: its routing, changed while packets pass, and the addresses of
interfaces, which are followed.

It lives in the keeper where there is one (host/keeper.py), and there is one wherever an address is
followed.  What a keeper does it derives from the kernel and from what was fixed before the first
packet.  Of the NAT, which may be anybody's by then, it takes only which forwards there are, and
gives them no port of a shared address that is the host's.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..host.address_watch import AddressWatch
from ..host.child import ChildError
from ..host.interface_address import Found, InterfaceAddress, look
from ..host.request import Request, RoutingError
from ..host.survey import survey
from ..nat.settings.forward_text import parse_forward
from ..nat.settings.forwarding import Forward
from ..nat.settings.scope import Address
from ..portset import PortSet
from .configuration.options import RunOptions
from .errors import RunError
from .findings import Findings, fitted_options
from .surroundings import Fitted, fit, ports_of_host, request_of

if TYPE_CHECKING:
    from ..host.routing import Installed

log = logging.getLogger(__name__)


class Hosting:
    def __init__(
        self,
        options: RunOptions,
        findings: Findings,
        watch: AddressWatch,
        installed: "Installed | None",
    ) -> None:
        """`options` are as they were asked for, `findings` what this host made of them; `installed`
        is None where the routing is the user's."""
        self.findings = findings
        self._options = options
        self._watch = watch
        self._installed = installed

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
        before = self.findings
        self.findings = self._followed()
        return self.findings.line() if self.findings != before else ""

    def answer(self, question: str) -> str:
        """Let there be the forwards of a question: "" if there are, or why there cannot be."""
        try:
            texts = json.loads(question)["forwards"]
            forwards = tuple(parse_forward(str(text)) for text in texts)
        except (ValueError, LookupError, TypeError):
            return "nothing else than forwards can be asked for"
        try:
            self._forward(forwards)
        except RunError as error:
            return str(error)
        return ""

    def change(self, options: RunOptions, fitted: Fitted) -> tuple[str, ...]:
        """Let the routing be what options ask for that fit so; returns warnings.

        Raises RunError with all as it was.
        """
        warnings = self._route(fitted.options)
        self._options, self.findings = options, fitted.findings
        return warnings

    def _followed(self) -> Findings:
        before = self.findings
        try:
            found = look(self._watch.wanted)
        except ChildError as error:
            log.error("the addresses of interfaces cannot be looked up: %s", error)
            return before
        self._watch.note(found)
        addresses, lost = chosen(found, before.addresses)
        if addresses == before.addresses and not before.lost.keys() - lost.keys():
            return replace(before, lost=lost)
        try:
            fitted = fit(self._options, replace(before, addresses=addresses, lost=lost))
            warnings = self._route(fitted.options)
        except RunError as error:
            log.error("%s", error)
            moved = {
                one for one, address in addresses.items() if address != before.addresses.get(one)
            }
            return replace(before, lost={**lost, **dict.fromkeys(moved, str(error))})
        for note in fitted.notes:
            log.info("%s", note)
        for warning in (*fitted.warnings, *warnings):
            log.warning("%s", warning)
        return fitted.findings

    def _route(self, fitted: RunOptions) -> tuple[str, ...]:
        """Change the routing to what fits; returns warnings that are new.  Raises RunError."""
        if self._installed is None or fitted.lan is None:
            return ()
        try:
            installed, failures = self._installed.change(request_of(fitted, fitted.lan))
        except (RoutingError, ChildError) as error:
            raise RunError(str(error)) from None
        known, self._installed = self._installed.warnings, installed
        return (*failures, *(one for one in installed.warnings if one not in known))

    def _forward(self, forwards: tuple[Forward, ...]) -> None:
        settings = self._options.nat.settings
        others = tuple(forward for forward in settings.forwards if forward.one_to_one)
        try:
            settings = replace(settings, forwards=(*forwards, *others))
        except ValueError as error:
            raise RunError(f"--{error}") from None
        options = replace(self._options, nat=replace(self._options.nat, settings=settings))
        fitted = fitted_options(options, self.findings)
        if self._installed is not None and fitted.lan is not None:
            _refuse_ports_of_host(self._installed.request, request_of(fitted, fitted.lan))
        for warning in self._route(fitted):
            log.warning("%s", warning)
        self._options = options


def question(forwards: Iterable[Forward]) -> str:
    """For `Hosting.answer`."""
    return json.dumps({"forwards": [str(one) for one in forwards if not one.one_to_one]})


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


def _refuse_ports_of_host(before: Request, after: Request) -> None:
    """Raise RunError where another port of the host's would become the NAT's."""
    try:
        host = survey()
    except ChildError as error:
        raise RunError(f"cannot look at this host: {error}") from None
    had = {one.address: dict(one.ports) for one in before.shared}
    for shared in after.shared:
        own = ports_of_host(shared.address, host)
        for protocol, ranges in shared.ports:
            more = PortSet.of(ranges).without(had.get(shared.address, {}).get(protocol, ()))
            free = PortSet(more).without(own) if more else ()
            if free != more:
                refused = PortSet(more).without(free)
                raise RunError(
                    f"ports {PortSet(refused)} of {shared.address} are this host's; a forward that"
                    " takes one has to be in the configuration when it is read"
                )
