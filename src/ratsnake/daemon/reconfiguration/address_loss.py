"""External addresses that interfaces have lost, beside others: when new flows get those instead.

From the loss on no new mapping gets the address.  Hosts paired with it (RFC 4787 REQ-2) wait for
it as long as `timeouts.pairing` says, for many a line is back within seconds; then it is given up,
and they get another.  Where no other address of the family is there, nothing changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ...host.kernel.interface_address import InterfaceAddress
from ...nat.settings.address_realm import Address
from ...nat.settings.setting_types import Availability, External, Pooling
from ..configuration.option_parsing import RunOptions
from ..host_integration.host_values import HostValues


class AddressLosses:
    """Since when each is lost, by `now`, a clock in milliseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._since: dict[InterfaceAddress, int] = {}
        self._given_up: set[InterfaceAddress] = set()

    def note(self, host_values: HostValues) -> None:
        """What is lost now, and what is no more."""
        for source in self._since.keys() - host_values.lost.keys():
            del self._since[source]
            self._given_up.discard(source)
        for source in host_values.lost:
            self._since.setdefault(source, self._now())

    def give_up(self, options: RunOptions, host_values: HostValues) -> tuple[Address, ...]:
        """The addresses that have been lost for long enough from now on, each told once."""
        settings = options.nat.settings
        if settings.pooling is not Pooling.PAIRED:
            return ()
        patience = settings.timeouts.pairing * 1000
        replaced = {external.address for external in settings.externals if _is_lost(external)}
        found = []
        for source, since in self._since.items():
            address = host_values.addresses.get(source)
            if (
                address in replaced
                and source not in self._given_up
                and self._now() - since >= patience
            ):
                self._given_up.add(source)
                found.append(address)
        return tuple(found)

    def applied(self, options: RunOptions, host_values: HostValues) -> RunOptions:
        """Options that fit the host, with the availability of each external address."""
        settings = options.nat.settings
        externals = tuple(self._marked(settings.externals, host_values))
        return replace(
            options, nat=replace(options.nat, settings=replace(settings, externals=externals))
        )

    def _marked(
        self, externals: tuple[External, ...], host_values: HostValues
    ) -> Iterator[External]:
        lost = {
            host_values.addresses[source]: source
            for source in host_values.lost
            if source in host_values.addresses
        }
        served = {one.address.version for one in externals if one.ports and one.address not in lost}
        for one in externals:
            kind = Availability.PRESENT
            if one.address in lost and one.address.version in served:
                given_up = lost[one.address] in self._given_up
                kind = Availability.GIVEN_UP if given_up else Availability.LOST
            yield replace(one, availability=kind)


def unavailable(options: RunOptions) -> frozenset[Address]:
    """The addresses that new mappings do not get."""
    return frozenset(one.address for one in options.nat.settings.externals if _is_lost(one))


def _is_lost(external: External) -> bool:
    return external.availability is not Availability.PRESENT
