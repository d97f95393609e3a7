"""The settings in force, and how others come into force: as a whole or not at all.

    read and checked → nothing that needs a restart → fitted to this host → log and tables there →
    this host changed → the NAT changes places with its successor, under the packet loop's lock

What fails leaves all as it was.  The service's one thread does it, so one change comes after the
other, and a stop after that.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...nat.nat import Nat
from ...nat.settings.address_realm import Address
from ..configuration.configuration_file import Asked
from ..configuration.option_parsing import RunOptions
from ..configuration.settings_diff import Difference, differences
from ..events.event_outputs import Events, open_log
from ..events.log_sinks import Sink
from ..host_integration.host_values import HostValues, fitted_options
from ..host_integration.settings_for_host import Fitted
from ..loop.engine_factory import make_nat
from ..loop.live_nat import LiveNat
from ..random_seed import fresh
from ..user_errors import RunError
from .address_loss import AddressLosses, unavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What has changed, and how many sessions lived on and ended with it.

    `notes` and `warnings` are of how the settings fit this host.
    """

    changed: tuple[Difference, ...]
    kept: int
    ended: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """For the control protocol."""
        return {
            "changed": [{"key": one.key, "old": one.old, "new": one.new} for one in self.changed],
            "kept": self.kept,
            "ended": self.ended,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


class Host(Protocol):
    """The host's side of the NAT (host_integration/helper_requests.py)."""

    @property
    def host_values(self) -> HostValues:
        """What the host made of the options in force."""

    def fit(self, asked: Asked, lasting: bool) -> Fitted:
        """What is asked for on this host; raises RunError.

        `lasting`: it is what the configuration says.
        """

    def change(self, asked: Asked, fitted: Fitted) -> tuple[str, ...]:
        """Set up what was fitted last; returns warnings.

        Raises RunError with nothing changed.
        """

    def change_back(self) -> None:
        """Take the last change back; raises RunError."""


def _nobody() -> None:
    """Is told."""


class ActiveSettings:
    """`asked` is what the user wants, and `configured` what of it lasts; `fitted` is what it comes
    to on this host."""

    def __init__(
        self,
        asked: Asked,
        fitted: RunOptions,
        nat: LiveNat,
        events: Events,
        host: Host,
        now: Callable[[], int],
    ) -> None:
        """`now` is the packet loop's clock in milliseconds; `tell` is called when something here or
        of the host values has changed."""
        self.asked = self.configured = asked
        self.fitted = fitted
        self._nat = nat
        self._events = events
        self.host = host
        self._host_values = host.host_values
        self._now = now
        self._losses = AddressLosses(now)
        self.tell: Callable[[], None] = _nobody

    def change(self, asked: Asked) -> Outcome:
        """Let what is asked for be in force; raises UsageError or RunError with nothing changed."""
        outcome = self._change(asked, lasting=True)
        self.configured = asked
        return outcome

    def change_for_now(self, asked: Asked) -> Outcome:
        """Likewise, until the next change that lasts."""
        return self._change(asked, lasting=False)

    def _change(self, asked: Asked, lasting: bool) -> Outcome:
        changed = differences(self.asked.texts, asked.texts)
        _refuse([one for one in changed if one.restart])
        fitted = self.host.fit(asked, lasting)
        fitted = replace(fitted, options=self._losses.applied(fitted.options, fitted.host_values))
        warnings = fitted.warnings
        kept, ended = self._nat.totals().usage()["sessions"], 0
        differs = fitted.options != self.fitted
        if differs:
            sink = self._other_sink(fitted.options)
            try:
                successor = None
                if fitted.options.nat.settings != self.fitted.nat.settings:
                    successor = make_nat(fitted.options.nat.settings, fresh())
                warnings += self.host.change(asked, fitted)
                if successor is not None:
                    kept, ended = self._move_to(successor)
            except BaseException:
                if sink is not None:
                    sink.close()
                raise
            if fitted.options.events != self.fitted.events:
                self._events.change(fitted.options.events, sink)
        self.asked, self.fitted = asked, fitted.options
        self._host_values = self.host.host_values
        if differs:
            self.tell()
        for line in (*map(str, changed), *fitted.notes):
            log.info("%s", line)
        for line in warnings:
            log.warning("%s", line)
        log.info("settings changed: %d; sessions kept: %d, ended: %d", len(changed), kept, ended)
        return Outcome(changed, kept, ended, fitted.notes, warnings)

    def _move_to(self, successor: Nat) -> tuple[int, int]:
        """Let it take over; returns how many sessions it keeps, and how many end."""
        try:
            moved = self._nat.replace(successor, self._now)
        except MemoryError:
            self.host.change_back()
            raise RunError("there is no memory to move the flows in; nothing has changed") from None
        return moved.kept, moved.ended

    def follow(self, host_values: HostValues) -> None:
        """Let the NAT have the addresses that the host's side has found; what fails is logged."""
        before, lost = self._host_values, unavailable(self.fitted)
        self._losses.note(host_values)
        moved = self._become(host_values)
        if moved is None:
            return
        kept, ended = moved
        for source, old, new in host_values.moves_since(before):
            self._events.tell("address", old=None if old is None else str(old), new=str(new))
            was = old or "no address"
            log.info("%s: %s -> %s; sessions kept: %d, ended: %d", source, was, new, kept, ended)
        for line in host_values.shares_since(before):
            log.info("%s; sessions kept: %d, ended: %d", line, kept, ended)
        for line in host_values.losses_since(before):
            log.warning("%s", line)
        for line in host_values.returns_since(before):
            log.info("%s", line)
        self._tell_losses(lost)

    def give_up_addresses(self) -> None:
        """Let hosts have another external address where theirs has been lost for long enough."""
        given_up = self._losses.give_up(self.fitted, self._host_values)
        if not given_up or self._become(self._host_values) is None:
            return
        for address in given_up:
            self._events.tell("address-given-up", external=str(address))
            log.warning(
                "%s has been away for %d s: hosts paired with it get another outside address for"
                " what is new",
                address,
                self.fitted.nat.settings.timeouts.pairing,
            )

    def _become(self, host_values: HostValues) -> tuple[int, int] | None:
        """Let the NAT have the addresses found; how many sessions it keeps and how many end.

        None where that fails, which is logged.
        """
        kept, ended = self._nat.totals().usage()["sessions"], 0
        try:
            fitted = self._losses.applied(
                fitted_options(self.asked.options, host_values), host_values
            )
            if fitted.nat.settings != self.fitted.nat.settings:
                moved = self._nat.replace(make_nat(fitted.nat.settings, fresh()), self._now)
                kept, ended = moved.kept, moved.ended
        except (RunError, MemoryError) as error:
            log.error("the NAT's addresses stay as they are: %s", str(error) or "no memory")
            return None
        self.fitted, self._host_values = fitted, host_values
        self.tell()
        return kept, ended

    def _tell_losses(self, before: frozenset[Address]) -> None:
        """Which addresses new flows do not get now or do get again, unlike before."""
        lost = unavailable(self.fitted)
        for event, addresses in (("address-lost", lost - before), ("address-back", before - lost)):
            for address in sorted(addresses, key=str):
                self._events.tell(event, external=str(address))
                log.info("%s: %s", address, _TOLD[event])

    def _other_sink(self, options: RunOptions) -> Sink | None:
        """The sink that the log is to go to, if that is another; raises RunError."""
        if options.events.sink == self.fitted.events.sink:
            return None
        return open_log(options.events)


_TOLD = {
    "address-lost": "what is new gets another outside address",
    "address-back": "new flows may have it as before",
}


def _refuse(restart: Sequence[Difference]) -> None:
    if restart:
        raise RunError(
            f"{'; '.join(map(str, restart))}: cannot change while the NAT runs; restart it"
        )
