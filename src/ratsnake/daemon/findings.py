"""What a host makes of options: addresses of interfaces, the NAT's ports of shared ones, the MTU.

Found out where one may look (`surroundings`), as a line of JSON told to a process that may not, and
applied there to the same options.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, TypeAlias

from ..host.interface_address import InterfaceAddress
from ..nat.settings.scope import Address
from ..nat.settings.settings import External
from ..portset import PortSet
from .configuration.followed import Known, known_settings, sources
from .configuration.options import RunOptions
from .configuration.values import interface_address
from .errors import RunError

#: What is left to the NAT, of an address and the ports that were asked for.
Shares: TypeAlias = Mapping[tuple[Address, PortSet], PortSet]
_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Findings:
    """`addresses` are the last known ones; `lost` says of those that are not there now what there
    is instead.  `mtu` is that of the way out in octets, 0 where it need not be known.
    """

    addresses: Known = field(default_factory=lambda: _EMPTY)
    lost: Mapping[InterfaceAddress, str] = field(default_factory=lambda: _EMPTY)
    shares: Shares = field(default_factory=lambda: _EMPTY)
    mtu: int = 0

    def line(self) -> str:
        return json.dumps(
            {
                "addresses": {str(source): str(one) for source, one in self.addresses.items()},
                "lost": {str(source): problem for source, problem in self.lost.items()},
                "shares": [
                    [str(address), str(asked), str(left)]
                    for (address, asked), left in self.shares.items()
                ],
                "mtu": self.mtu,
            }
        )


NOTHING = Findings()


def read_findings(line: str) -> Findings:
    """The reverse of `Findings.line`."""
    told = json.loads(line)
    return Findings(
        {interface_address(source): ip_address(one) for source, one in told["addresses"].items()},
        {interface_address(source): problem for source, problem in told["lost"].items()},
        {
            (ip_address(address), PortSet.parse(asked)): PortSet.parse(left)
            for address, asked, left in told["shares"]
        },
        told["mtu"],
    )


def fitted_options(options: RunOptions, findings: Findings) -> RunOptions:
    """The options as they are on that host; raises RunError where they cannot be."""
    settings = options.nat.settings
    try:
        known = known_settings(settings, findings.addresses)
    except ValueError as error:
        told = [f"{source} is {address}" for source, address in findings.addresses.items()]
        raise RunError(f"{', '.join(told)}: --{error}") from None
    if known is None:
        raise RunError(
            "; ".join(
                f"--external {source}: {findings.lost.get(source, 'has no address yet')}"
                for source in sources(settings)
                if source not in findings.addresses
            )
        )
    try:
        settings = replace(
            known,
            externals=tuple(_shared(external, findings.shares) for external in known.externals),
            mtu=findings.mtu or known.mtu,
        )
    except ValueError as error:
        raise RunError(f"--share-address leaves too few ports: {error}") from None
    return replace(options, nat=replace(options.nat, settings=settings))


def _shared(external: External, shares: Shares) -> External:
    if external.ports is None or (external.address, external.ports) not in shares:
        return external
    return replace(external, ports=shares[external.address, external.ports], shared=True)
