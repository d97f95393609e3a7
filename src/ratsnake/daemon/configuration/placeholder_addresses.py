"""Outside addresses given as interface:IFACE, until and when somebody knows which they are.

Settings are checked as a whole, so that an address which is not known yet has another in its place,
one that nobody else has; as text it is what the user wrote.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

from ...host.kernel.interface_address import InterfaceAddress
from ...nat.settings.address_realm import Address, Network
from ...nat.settings.setting_types import External
from ...nat.settings.static_forward import resolve
from ...nat.settings.validated_settings import Settings
from ...portset import PortSet

# Of IETF protocol assignments and the discard prefix: no host's (RFC 6890, RFC 6666).
POOLS: dict[int, Network] = {4: IPv4Network("192.0.0.0/24"), 6: IPv6Network("100::/64")}
FIRST = 16  # behind those of a pool that have a meaning


@dataclass(frozen=True)
class OfInterface:
    """As `External`, of an address to be found out; `ports` None: as for all."""

    source: InterfaceAddress
    ports: PortSet | None


class StandIn4(IPv4Address):
    __slots__ = ("source",)

    def __init__(self, number: int, source: InterfaceAddress) -> None:
        super().__init__(number)
        self.source = source

    def __str__(self) -> str:
        return str(self.source)


class StandIn6(IPv6Address):
    __slots__ = ("source",)

    def __init__(self, number: int, source: InterfaceAddress) -> None:
        super().__init__(number)
        self.source = source

    def __str__(self) -> str:
        return str(self.source)


StandIn: TypeAlias = StandIn4 | StandIn6
Known: TypeAlias = Mapping[InterfaceAddress, Address]


def stand_ins(
    sources: Iterable[InterfaceAddress], taken: Iterable[Address | Network]
) -> dict[InterfaceAddress, StandIn]:
    """An address for each, in none of those `taken`; raises ValueError as Settings does."""
    networks = [ip_network(one) for one in taken]
    free = {version: _free(version, networks) for version in POOLS}
    made: dict[InterfaceAddress, StandIn] = {}
    for source in dict.fromkeys(sources):
        number = next(free[source.version], None)
        if number is None:
            raise ValueError(f"external: {source}: there are too many of them")
        made[source] = StandIn4(number, source) if source.version == 4 else StandIn6(number, source)
    return made


def sources(settings: Settings) -> tuple[InterfaceAddress, ...]:
    """Those of the settings whose addresses are not known."""
    return tuple(one.source for one in settings.addresses if isinstance(one, StandIn))


def known_settings(settings: Settings, known: Known) -> Settings | None:
    """The settings with the addresses that are known, without the others and what leads to them.

    None where that leaves none a NAT can have.

    Raises ValueError as Settings does, where an address that is known is none they can have.
    """
    whole = replace(
        settings, externals=tuple(_known(external, known) for external in settings.externals)
    )
    missing = {one for one in whole.addresses if isinstance(one, StandIn)}
    if not missing:
        return whole
    forwards = [resolve(forward, whole.addresses) for forward in whole.forwards]
    try:
        return replace(
            whole,
            externals=tuple(one for one in whole.externals if one.address not in missing),
            forwards=tuple(one for one in forwards if one.external not in missing),
        )
    except ValueError:
        return None


def _known(external: External, known: Known) -> External:
    address = external.address
    if isinstance(address, StandIn) and address.source in known:
        return replace(external, address=known[address.source])
    return external


def _free(version: int, taken: list[Network]) -> Iterator[int]:
    pool = POOLS[version]
    for number in range(int(pool.network_address) + FIRST, int(pool.broadcast_address)):
        address = IPv4Address(number) if version == 4 else IPv6Address(number)
        if not any(address in network for network in taken):
            yield number
