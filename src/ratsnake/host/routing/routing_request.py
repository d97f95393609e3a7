"""What `ratsnake run` asks of this host, and the error that says what cannot be had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, collapse_addresses, ip_network
from typing import TypeAlias

from ..kernel.ip_family import FAMILIES, AnyAddress, AnyNetwork, Family


class RoutingError(Exception):
    """The host cannot be set up as asked; the message is one line for the user."""


#: Ranges of ports (the first and the last) by protocol number.
Ranges: TypeAlias = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True)
class Shared:
    """An external address that is the host's own too, and what of it is the NAT's: for each
    protocol number the ranges of its ports, and of those that forwards take."""

    address: IPv4Address
    ports: Ranges
    forwarded: Ranges = ()

    def by_protocol(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """All of it, as it comes."""
        found = dict(self.ports)
        for protocol, ranges in self.forwarded:
            found[protocol] = (*found.get(protocol, ()), *ranges)
        return found


@dataclass(frozen=True)
class Request:
    """Names of interfaces, addresses and prefixes of any family.

    `lans` are the interfaces behind which inside hosts are, one at least.  `external` are all of
    them, those of `shared` too; an external prefix is as good as all its addresses.  `wan` is the
    interface on whose link external addresses may be looked for, and by which nothing with an
    internal source leaves, but to remotes that are `untranslated`.
    """

    device: str
    lans: tuple[str, ...]
    external: tuple[AnyAddress | AnyNetwork, ...]
    internal: tuple[AnyNetwork, ...]
    wan: str | None = None
    shared: tuple[Shared, ...] = ()
    untranslated: tuple[AnyNetwork, ...] = ()

    def lan_names(self, conjunction: str = "or") -> str:
        """The LANs' interfaces, for a sentence."""
        return listed(self.lans, conjunction)

    def interfaces(self) -> tuple[str, ...]:
        """The names of all: the device, the LANs, the WAN."""
        return (self.device, *self.lans, *((self.wan,) if self.wan else ()))

    def families(self) -> tuple[Family, ...]:
        """Those that an address or prefix belongs to."""
        versions = {value.version for value in (*self.external, *self.internal)}
        return tuple(family for family in FAMILIES if family.version in versions)

    def shared_addresses(self) -> frozenset[AnyAddress | AnyNetwork]:
        return frozenset(one.address for one in self.shared)

    def own(self) -> tuple[AnyAddress | AnyNetwork, ...]:
        """The external addresses and prefixes that are the NAT's alone."""
        shared = self.shared_addresses()
        return tuple(external for external in self.external if external not in shared)

    def own_prefixes(self, family: Family) -> tuple[str, ...]:
        """Likewise, as prefixes: as few as hold them all and nothing else."""
        return _prefixes(_networks(self.own()), family)

    def external_networks(self) -> tuple[AnyNetwork, ...]:
        """Each of `external` as a prefix."""
        return _networks(self.external)

    def internal_prefixes(self, family: Family) -> tuple[str, ...]:
        return _prefixes(self.internal, family)


def listed(names: Iterable[str], conjunction: str) -> str:
    """ "a", "a or b", "a, b or c"."""
    *others, last = names
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def _networks(values: Sequence[AnyAddress | AnyNetwork]) -> tuple[AnyNetwork, ...]:
    return tuple(ip_network(str(value)) for value in values)


def _prefixes(networks: Sequence[AnyNetwork], family: Family) -> tuple[str, ...]:
    ours = [network for network in networks if network.version == family.version]
    return tuple(str(network) for network in collapse_addresses(ours))  # type: ignore[type-var]
