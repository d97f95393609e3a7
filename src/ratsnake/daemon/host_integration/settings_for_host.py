"""What a run has to do with the host around it: settings that depend on what the host has, and what
is asked of the kernel's routing."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from ...host.processes.forked_call import ChildError
from ...host.routing.routing_request import Request, Shared
from ...host.sockets.host_addresses_and_ports import Survey, survey
from ...host.sockets.listening_sockets import Bound
from ...nat.settings.address_realm import Address
from ...nat.settings.setting_types import External
from ...nat.settings.settings_checks import LEAST_MTU
from ...nat.settings.static_forward import FORWARDABLE, resolve
from ...nat.settings.validated_settings import Settings
from ...portset import PortSet
from ..configuration.option_parsing import RunOptions
from ..user_errors import RunError
from .host_values import NOTHING, HostValues, Shares, fitted_options

# The protocols with ports, by IANA's numbers; Python has no name for DCCP.
NUMBERS = {
    "tcp": socket.IPPROTO_TCP,
    "udp": socket.IPPROTO_UDP,
    "udplite": socket.IPPROTO_UDPLITE,
    "dccp": 33,
    "sctp": socket.IPPROTO_SCTP,
}
assert NUMBERS.keys() == FORWARDABLE.keys()
# The kernel takes no rule about this port (fib_rule_port_range_valid).
UNRULY = 65535
_LARGEST_MTU = 65535


@dataclass(frozen=True)
class Fitted:
    """Options that fit this host by these host values, and what a user should know of how they came
    about."""

    options: RunOptions
    host_values: HostValues = NOTHING
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def fit(
    options: RunOptions, found: HostValues = NOTHING, taken: frozenset[Bound] | None = None
) -> Fitted:
    """Let the host keep its part of shared addresses, and find the MTU of the way out.

    `found` has the addresses of interfaces, and shares that stay as they are; `taken` are the ports
    that programs keep, None for all that have a socket now.  Raises RunError.
    """
    if not options.share_address and (options.wan is None or not options.find_mtu):
        found = replace(found, shares={}, mtu=0)
        return Fitted(fitted_options(options, found), found)
    try:
        host = survey()
    except ChildError as error:
        raise RunError(f"cannot look at this host: {error}") from None
    if taken is not None:
        host = replace(host, bound=taken)
    notes: list[str] = []
    warnings: list[str] = []
    settings = fitted_options(options, replace(found, shares={}, mtu=0)).nat.settings
    shares: Shares = {}
    if options.share_address:
        shares = _shares(settings, host, found, notes)
        warnings += _taken_from_host(settings, host, shares)
    mtu = mtu_of(options, host.mtus)
    if mtu:
        notes.append(mtu_note(mtu, options))
    found = replace(found, shares=shares, mtu=mtu)
    return Fitted(fitted_options(options, found), found, tuple(notes), tuple(warnings))


def request_of(options: RunOptions) -> Request:
    """What the kernel is asked for, of options that fit."""
    settings = options.nat.settings
    return Request(
        options.device,
        options.lans,
        settings.external_side,
        settings.internal_side,
        wan=options.wan,
        untranslated=settings.no_nat,
        shared=tuple(
            Shared(
                external.address,
                tuple((number, external.ports.ranges) for number in NUMBERS.values())
                if external.ports
                else (),
                tuple(_forwarded(settings, external)),
            )
            for external in settings.externals
            if external.shared and isinstance(external.address, IPv4Address)
        ),
    )


def mtu_of(options: RunOptions, mtus: Mapping[str, int]) -> int:
    """The WAN's MTU, if that of a LAN is larger: then what its hosts offer may not fit.  Else 0.

    `mtus` in octets, by interface.  A LAN that is still to come counts as one of the largest.
    """
    if options.wan is None or not options.lans or not options.find_mtu:
        return 0
    wan = mtus.get(options.wan, 0)
    lan = max(mtus.get(lan, _LARGEST_MTU) for lan in options.lans)
    return wan if LEAST_MTU <= wan < lan else 0


def mtu_note(mtu: int, options: RunOptions) -> str:
    return f"MTU {mtu}, as that of {options.wan}: the MSS of TCP is lowered to it"


def _shares(settings: Settings, host: Survey, found: HostValues, notes: list[str]) -> Shares:
    """What the NAT gets of each external address that is this host's too."""
    assigned = host.assigned.union(found.addresses.values())
    shares: dict[tuple[Address, PortSet], PortSet] = {}
    for external in settings.externals:
        address, asked = external.address, external.ports
        if address not in assigned or asked is None or address.version != 4:
            continue
        if (address, asked) in found.shares:
            shares[address, asked] = found.shares[address, asked]
        else:
            shares[address, asked] = _left(address, asked, host, notes)
    return shares


def _taken_from_host(settings: Settings, host: Survey, shares: Shares) -> Iterator[str]:
    """Warnings of what the host loses, and of sharing nothing; raises RunError."""
    shared = {address for address, _ in shares}
    if not shared:
        yield "--share-address: no external IPv4 address is assigned to this host"
    for forward in settings.forwards:
        address = resolve(forward, settings.addresses).external
        if address not in shared:
            continue
        if forward.last_port == UNRULY:
            raise RunError(
                f"--forward {forward}: port {UNRULY} of {address} cannot be shared with the host;"
                " right is any other"
            )
        for first, last in host.published:
            if first <= forward.last_port and forward.first_port <= last:
                yield (
                    f"--forward {forward}: destination NAT of this host (nftables) has port"
                    f" {first if first == last else f'{first}-{last}'}, and comes first"
                )
        for first, last in host.bound_at(address):
            if forward.first_port <= first and last <= forward.last_port:
                yield (
                    f"--forward {forward}: takes port {first} of {address} from a program of this "
                    "host that uses it"
                )


def ports_of_host(address: Address, host: Survey) -> tuple[tuple[int, int], ...]:
    """What the host needs of an address, and what cannot be shared."""
    own = PortSet.of([host.ephemeral]).without(host.reserved)
    return (*own, *host.bound_at(address), *host.published, (UNRULY, UNRULY))


def _left(address: Address, asked: PortSet, host: Survey, notes: list[str]) -> PortSet:
    """The ports asked for that the host does not need."""
    left = asked.without(ports_of_host(address, host))
    if not left:
        raise RunError(
            f"--ports {asked}: all of them are this host's own on {address}: its "
            f"connections use {host.ephemeral[0]}-{host.ephemeral[1]}; set "
            "net.ipv4.ip_local_port_range to other ports, or give others"
        )
    ports = PortSet(left)
    kept = PortSet.of(((1, 65535),)).without(left)
    notes.append(
        f"{address} is shared: the NAT has ports {ports}, this host "
        f"{PortSet(kept) if kept else 'none'}"
    )
    return ports


def _forwarded(
    settings: Settings, external: External
) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    """What forwards take of a shared address, by protocol number."""
    for name, number in NUMBERS.items():
        forwarded = [
            (forward.first_port, forward.last_port)
            for forward in settings.forwards
            if name in forward.protocols
            and resolve(forward, settings.addresses).external == external.address
        ]
        if forwarded:
            yield number, PortSet.of(forwarded).ranges
