"""What a host makes of options: addresses of interfaces, the NAT's ports of shared ones, the MTU.

The helper finds them out (`settings_for_host`) and tells them as a line of JSON to the NAT's
process, which may not look and applies them to the same options.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, TypeAlias

from ...host.kernel.interface_address import InterfaceAddress
from ...nat.settings.address_realm import Address
from ...nat.settings.setting_types import External
from ...portset import PortSet
from ..configuration.option_parsing import RunOptions
from ..configuration.placeholder_addresses import Known, known_settings, sources
from ..configuration.value_parsers import interface_address
from ..user_errors import RunError

#: What is left to the NAT, of an address and the ports that were asked for.
Shares: TypeAlias = Mapping[tuple[Address, PortSet], PortSet]
_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class HostValues:
    """`addresses` are the last known ones; `lost` says of those that are not there now what there
    is instead.  `mtu` is that of the way out in octets, 0 where it need not be known.  `serial`
    grows with each that is told.
    """

    addresses: Known = field(default_factory=lambda: _EMPTY)
    lost: Mapping[InterfaceAddress, str] = field(default_factory=lambda: _EMPTY)
    shares: Shares = field(default_factory=lambda: _EMPTY)
    mtu: int = 0
    serial: int = field(default=0, compare=False)

    def moves_since(
        self, before: "HostValues"
    ) -> Iterator[tuple[InterfaceAddress, Address | None, Address]]:
        """Each address that is another, with what it was."""
        for source, address in self.addresses.items():
            old = before.addresses.get(source)
            if old != address:
                yield source, old, address

    def shares_since(self, before: "HostValues") -> Iterator[str]:
        """A line for each shared address of which the NAT has other ports."""
        for (address, asked), left in self.shares.items():
            if before.shares.get((address, asked), left) != left:
                yield f"{address}: the NAT's ports are {left} now"

    def losses_since(self, before: "HostValues") -> Iterator[str]:
        """A line for each address that is there no more."""
        for source, problem in self.lost.items():
            if problem != before.lost.get(source):
                address = self.addresses.get(source)
                stays = f"; {address} stays until there is another" if address else ""
                yield f"{source}: {problem}{stays}"

    def returns_since(self, before: "HostValues") -> Iterator[str]:
        """A line for each that is there again."""
        for source in before.lost.keys() - self.lost.keys():
            address = self.addresses.get(source)
            if address is not None and address == before.addresses.get(source):
                yield f"{source}: {address} is there again"

    def line(self, **more: Any) -> str:
        """For `read_host_values`; `more` is for others."""
        return json.dumps(
            {
                **more,
                "addresses": {str(source): str(one) for source, one in self.addresses.items()},
                "lost": {str(source): problem for source, problem in self.lost.items()},
                "shares": [
                    [str(address), str(asked), str(left)]
                    for (address, asked), left in self.shares.items()
                ],
                "mtu": self.mtu,
                "serial": self.serial,
            }
        )


NOTHING = HostValues()


def read_host_values(line: str) -> HostValues:
    """The reverse of `HostValues.line`."""
    told = json.loads(line)
    return HostValues(
        {interface_address(source): ip_address(one) for source, one in told["addresses"].items()},
        {interface_address(source): problem for source, problem in told["lost"].items()},
        {
            (ip_address(address), PortSet.parse(asked)): PortSet.parse(left)
            for address, asked, left in told["shares"]
        },
        told["mtu"],
        told["serial"],
    )


def fitted_options(options: RunOptions, host_values: HostValues) -> RunOptions:
    """The options as they are on that host; raises RunError where they cannot be."""
    settings = options.nat.settings
    try:
        known = known_settings(settings, host_values.addresses)
    except ValueError as error:
        told = [f"{source} is {address}" for source, address in host_values.addresses.items()]
        raise RunError(f"{', '.join(told)}: --{error}") from None
    if known is None:
        raise RunError(
            "; ".join(
                f"--external {source}: {host_values.lost.get(source, 'has no address yet')}"
                for source in sources(settings)
                if source not in host_values.addresses
            )
        )
    try:
        settings = replace(
            known,
            externals=tuple(_shared(external, host_values.shares) for external in known.externals),
            mtu=host_values.mtu if options.find_mtu and host_values.mtu else known.mtu,
        )
    except ValueError as error:
        raise RunError(f"--share-address leaves too few ports: {error}") from None
    return replace(options, nat=replace(options.nat, settings=settings))


def _shared(external: External, shares: Shares) -> External:
    if external.ports is None or (external.address, external.ports) not in shares:
        return external
    return replace(external, ports=shares[external.address, external.ports], shared=True)
