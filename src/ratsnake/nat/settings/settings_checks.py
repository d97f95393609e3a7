"""What a NAT's settings must not say, or not together.

Each check raises ValueError "key: what is wrong and what is right".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

from ratsnake.portset import PortSet

from .address_realm import (
    ROUTER_ADDRESS,
    ROUTER_ADDRESS_6,
    STATUS_ADDRESS,
    UNROUTABLE,
    Address,
    Network,
)
from .deterministic_nat_factory import deterministic_table
from .setting_types import DEFAULT_PORTS, External, Pooling
from .static_forward import Forward, resolve
from .unvalidated_settings import RawSettings

LEAST_MTU = 576  # RFC 791: what every host must be able to receive
MOST_MTU = 65535
MOST_EXTERNALS = 1024
# A host that has no port left has each of its blocks searched, packet by packet.
MOST_BLOCKS = 64
# Addresses with a meaning of their own.
TAKEN = {
    STATUS_ADDRESS: "asks for the status",
    ROUTER_ADDRESS: "is the router's own toward the NAT",
    ROUTER_ADDRESS_6: "is the router's own toward the NAT",
}


def check_externals(externals: Sequence[External], internal: Sequence[Network]) -> None:
    addresses = [external.address for external in externals]
    if not addresses:
        raise ValueError("external: at least one address is needed, such as 203.0.113.1")
    if len(addresses) > MOST_EXTERNALS:
        raise ValueError(f"external: {len(addresses)} addresses; at most {MOST_EXTERNALS} work")
    for external in externals:
        address = external.address
        key = "one-to-one" if external.ports is None else "external"
        if addresses.count(address) > 1:
            raise ValueError(f"{key}: {address} stands twice; right is once")
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        if mapped:
            raise ValueError(f"{key}: {address} is an IPv4 address in disguise; right is {mapped}")
        if external.shared and (external.ports is None or address.version != 4):
            raise ValueError(
                f"{key}: {address} cannot be shared with the host; right is an IPv4 address with "
                "ports, or one that is not assigned to the host"
            )
        if any(address in prefix for prefix in UNROUTABLE):
            raise ValueError(f"{key}: {address} is no address a host can have on the internet")
        if address in TAKEN:
            raise ValueError(f"{key}: {address} {TAKEN[address]}; right is another address")
        for prefix in internal:
            if address in prefix:
                raise ValueError(
                    f"{key}: {address} lies inside the internal prefix {prefix}; the NAT could "
                    f"not tell inside from outside. Give --internal the prefix of the LAN only, or "
                    f"--internal-except that of the WAN"
                )


def check_internal(settings: RawSettings) -> None:
    if not settings.internal:
        raise ValueError("internal: at least one prefix is needed, such as 192.168.0.0/16")
    for hole in settings.internal_except:
        if not any(
            prefix.version == hole.version and hole.subnet_of(prefix)  # type: ignore[arg-type]
            for prefix in settings.internal
        ):
            raise ValueError(
                f"internal-except: {hole} lies in none of the internal prefixes, so it is outside "
                "anyway; leave it out"
            )
    if not settings.inside:
        raise ValueError("internal-except: leaves nothing inside; right are parts of internal")


def check_mtu(mtu: int) -> None:
    if mtu and not LEAST_MTU <= mtu <= MOST_MTU:
        raise ValueError(f"mtu: {mtu} is not in {LEAST_MTU}..{MOST_MTU} bytes")


def check_families(settings: RawSettings) -> None:
    """IPv4 hosts need an IPv4 address outside, IPv6 hosts an IPv6 one, and the reverse."""
    inside = {prefix.version for prefix in settings.inside}
    for external in settings.externals:
        if external.address.version not in inside:
            raise ValueError(
                f"external: {external.address} serves IPv{external.address.version} hosts, but no "
                f"internal prefix is of IPv{external.address.version}; give --internal theirs"
            )
    if settings.nptv6 is None:
        return
    internal, outside = settings.nptv6
    for prefix in settings.internal:
        if prefix.version == 6 and prefix.overlaps(outside):
            raise ValueError(f"nptv6: {outside} overlaps the internal prefix {prefix}")
    for address in settings.addresses:
        if address in outside or address in internal:
            raise ValueError(
                f"nptv6: {internal}={outside} holds the external address {address}; hosts are "
                f"translated by prefix or by port, not both"
            )


def check_one_to_one(externals: Iterable[External], forwards: Iterable[Forward]) -> None:
    taken = {forward.external for forward in forwards if forward.one_to_one}
    for external in externals:
        if external.ports is not None and external.address in taken:
            raise ValueError(
                f"one-to-one: {external.address} belongs to one internal host, so it cannot serve "
                f"others; leave it out of --external"
            )


def check_forwarded_ports(settings: RawSettings) -> None:
    """A forward of a port that another customer has, as on a MAP-E line, would never be reached.

    The default set is no such restriction: it only spares the ports below 1024; nor is that of an
    address shared with the host, where a forward comes first.
    """
    rows = settings.addresses
    for forward in settings.forwards:
        external = resolve(forward, rows).external
        owner = next(one for one in settings.externals if one.address == external)
        ports = owner.ports
        if ports is None or ports == DEFAULT_PORTS or owner.shared or forward.one_to_one:
            continue
        asked = PortSet.of([(forward.first_port, forward.last_port)])
        outside = asked.without(ports.ranges)
        if outside:
            raise ValueError(
                f"forward: {forward}: port {PortSet(outside)} is none of the address's ports, "
                f"which are {ports}"
            )


def check_blocks(settings: RawSettings) -> None:
    sizes = {external.address: len(external.ports or ()) for external in settings.externals}
    if settings.port_block < 0:
        raise ValueError("port-block: right is a number of ports from 1, or 0 for single ports")
    if not 1 <= settings.blocks_per_host <= MOST_BLOCKS:
        raise ValueError(
            f"blocks-per-host: {settings.blocks_per_host}; right is from 1 to {MOST_BLOCKS}, and "
            f"for more ports a larger port-block"
        )
    if settings.port_block and settings.pooling is Pooling.ARBITRARY:
        raise ValueError(
            "port-block: blocks are of one address for each host, which contradicts arbitrary "
            "pooling; leave --pooling out"
        )
    for address, size in sizes.items():
        if size and settings.port_block > size:
            raise ValueError(
                f"port-block: {settings.port_block} is more than the {size} ports of {address}"
            )
    for forward in settings.forwards if settings.port_block else ():
        external = next(
            one
            for one in settings.externals
            if one.address == resolve(forward, settings.addresses).external
        )
        taken = [(forward.first_port, forward.last_port)]
        left = external.ports.without(taken) if external.ports else ()
        if external.ports and sum(b - a + 1 for a, b in left) < settings.port_block:
            raise ValueError(
                f"port-block: {forward} leaves no {settings.port_block} ports of "
                f"{external.address}; right is a smaller block"
            )
    if settings.deterministic and settings.pooling is Pooling.ARBITRARY:
        raise ValueError(
            "deterministic: the address of each host is computed, which contradicts arbitrary "
            "pooling; leave --pooling out"
        )


def check_shares(settings: RawSettings) -> None:
    """A port that is computed to be a host's may lead to no other: `who` would be wrong."""
    if not settings.deterministic:
        return
    table = deterministic_table(settings)
    for forward in settings.forwards:
        if forward.one_to_one or isinstance(forward.internal, IPv6Address):
            continue
        external = forward.external or table.externals[0]
        if external not in table.externals:
            continue
        for port in range(forward.first_port, forward.last_port + 1):
            owner = table.subscriber_of(external, port)  # type: ignore[arg-type]
            if owner is not None and owner != forward.internal:
                raise ValueError(
                    f"forward: {forward}: with --deterministic port {port} is {owner}'s; right is "
                    f"one of {forward.internal}'s own, or one that is not shared out"
                )


def check_untranslated(settings: RawSettings) -> None:
    """What passes as it is, and prefixes that are exchanged, must not hold what is translated."""
    for prefix in settings.no_nat:
        for outside in settings.external_side:
            if _overlap(prefix, outside):
                raise ValueError(
                    f"no-nat: {prefix} holds {outside}, which is the NAT's; give remotes only"
                )
    for prefix in settings.internal:
        for special in (*UNROUTABLE, ROUTER_ADDRESS, ROUTER_ADDRESS_6):
            if _overlap(prefix, special):
                raise ValueError(
                    f"internal: {prefix} overlaps {special}, where no host can be; give the prefix "
                    f"of the LAN only"
                )
    if settings.nptv6 is None:
        return
    for prefix in settings.nptv6:
        if any(_overlap(prefix, special) for special in UNROUTABLE):
            raise ValueError(f"nptv6: {prefix} is none that hosts can have")
    for forward in settings.forwards:
        if forward.internal in settings.nptv6[0]:
            raise ValueError(
                f"forward: {forward}: {forward.internal} has an outside address of its own by "
                f"--nptv6; remotes can reach it there"
            )


def _overlap(one: Network, other: Address | Network) -> bool:
    if isinstance(other, IPv4Address | IPv6Address):
        return other in one
    return one.version == other.version and one.overlaps(other)
