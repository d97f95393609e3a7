"""What a run has to do with the host around it: settings that depend on what the host has, and what
is asked of the kernel's routing."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from ..host.child import ChildError
from ..host.request import Request, Shared
from ..host.survey import Survey, survey
from ..nat.settings.forwarding import FORWARDABLE, resolve
from ..nat.settings.settings import LEAST_MTU, External, Settings
from ..portset import PortSet
from .configuration.options import RunOptions
from .errors import RunError

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


@dataclass(frozen=True)
class Fitted:
    """Options that fit this host, and what a user should know of how they came about."""

    options: RunOptions
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def fit(options: RunOptions) -> Fitted:
    """Let the host keep its part of shared addresses, and find the MTU of the way out.

    Raises RunError.
    """
    if not options.share_address and (options.wan is None or not options.find_mtu):
        return Fitted(options)
    try:
        host = survey()
    except ChildError as error:
        raise RunError(f"cannot look at this host: {error}") from None
    settings = options.nat.settings
    notes: list[str] = []
    warnings: list[str] = []
    if options.share_address:
        settings = _shared(settings, host, notes, warnings)
    mtu = _mtu(options, host)
    if mtu:
        settings = replace(settings, mtu=mtu)
        notes.append(f"MTU {mtu}, as that of {options.wan}: the MSS of TCP is lowered to it")
    return Fitted(
        replace(options, nat=replace(options.nat, settings=settings)),
        tuple(notes),
        tuple(warnings),
    )


def request_of(options: RunOptions, lan: str) -> Request:
    """What the kernel is asked for, of options that fit."""
    settings = options.nat.settings
    return Request(
        options.device,
        lan,
        settings.external_side,
        settings.internal_side,
        wan=options.wan,
        shared=tuple(
            Shared(external.address, tuple(_ports(settings, external)))
            for external in settings.externals
            if external.shared and isinstance(external.address, IPv4Address)
        ),
    )


def _mtu(options: RunOptions, host: Survey) -> int | None:
    """The WAN's MTU, if the LAN's is larger: then what hosts offer may not fit."""
    if options.wan is None or options.lan is None or not options.find_mtu:
        return None
    wan, lan = host.mtus.get(options.wan, 0), host.mtus.get(options.lan, 0)
    return wan if LEAST_MTU <= wan < lan else None


def _shared(settings: Settings, host: Survey, notes: list[str], warnings: list[str]) -> Settings:
    externals = [
        _share(external, host, notes)
        if external.address in host.assigned
        and external.ports is not None
        and external.address.version == 4
        else external
        for external in settings.externals
    ]
    shared = [external.address for external in externals if external.shared]
    if not shared:
        warnings.append("--share-address: no external IPv4 address is assigned to this host")
    for forward in settings.forwards:
        address = resolve(forward, settings.addresses).external
        if address not in shared:
            continue
        if forward.last_port == UNRULY:
            raise RunError(
                f"--forward {forward}: port {UNRULY} of {address} cannot be shared with the host;"
                " right is any other"
            )
        for first, last in host.bound_at(address):
            if forward.first_port <= first and last <= forward.last_port:
                warnings.append(
                    f"--forward {forward}: takes port {first} of {address} from a program of this "
                    "host that uses it"
                )
    try:
        return replace(settings, externals=tuple(externals))
    except ValueError as error:
        raise RunError(f"--share-address leaves too few ports: {error}") from None


def _share(external: External, host: Survey, notes: list[str]) -> External:
    """The same with the ports that the host does not need."""
    assert external.ports is not None
    own = PortSet.of([host.ephemeral]).without(host.reserved)
    left = external.ports.without((*own, *host.bound_at(external.address), (UNRULY, UNRULY)))
    if not left:
        raise RunError(
            f"--ports {external.ports}: all of them are this host's own on {external.address}: its "
            f"connections use {host.ephemeral[0]}-{host.ephemeral[1]}; set "
            "net.ipv4.ip_local_port_range to other ports, or give others"
        )
    ports = PortSet(left)
    kept = PortSet.of(((1, 65535),)).without(left)
    notes.append(
        f"{external.address} is shared: the NAT has ports {ports}, this host "
        f"{PortSet(kept) if kept else 'none'}"
    )
    return replace(external, ports=ports, shared=True)


def _ports(
    settings: Settings, external: External
) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    """What of a shared address is the NAT's, by protocol number: its ports, and what forwards
    take."""
    for name, number in NUMBERS.items():
        forwarded = [
            (forward.first_port, forward.last_port)
            for forward in settings.forwards
            if name in forward.protocols
            and resolve(forward, settings.addresses).external == external.address
        ]
        own = external.ports.ranges if external.ports else ()
        yield number, PortSet.of((*own, *forwarded)).ranges
