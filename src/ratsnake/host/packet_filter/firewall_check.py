"""What packet filters on this host do to the NAT's traffic: looked at, never changed.

Every packet is forwarded twice, from the LAN to the NAT's device and from there to the WAN (and so
back): a packet filter written for two interfaces does not know the third.  Each base chain is asked
what becomes of the first packet of a flow on each of these ways, as far as its device is the NAT's.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from ..kernel.default_routes import ways_out
from ..kernel.interfaces import addresses, interface_names
from ..kernel.ip_family import AnyAddress, Family
from ..routing.routing_request import Request
from .filter_chains import Chain, Packet, Table, refuses, translating
from .firewall_advice import remedies, without_translation
from .iptables_chains import iptables_tables
from .nft_chains import nft_tables

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: The versions of IP whose packets the chains of a family see.
_VERSIONS = {"inet": (4, 6), "ip": (4,), "ip6": (6,), "netdev": (4, 6)}
_WHAT = {
    "forward": "forwarded packets",
    "prerouting": "packets before they are routed",
    "postrouting": "packets that are about to leave",
    "ingress": "packets that come in",
    "egress": "packets that leave",
}
_LEGACY = {"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}


def firewall_warnings(netlink: IPRoute, request: Request) -> tuple[str, ...]:
    """A warning for each chain that refuses the NAT's packets, or translates once more what the
    NAT has translated; with what to type."""
    ways = _ways(netlink, request)
    indices = {name: index for index, name in interface_names(netlink).items()}
    found: list[str] = []
    try:
        for (_, _), table in nft_tables(indices).items():
            found += _of(table, "nftables", "", request, ways)
    except OSError as error:
        if error.errno == errno.EPERM:
            found.append("nftables cannot be looked at without root")
    for family in ("ip", "ip6"):
        if not any(one.version in _VERSIONS[family] for one in request.families()):
            continue
        tables, unseen = iptables_tables(family)
        program = _LEGACY[family]
        for table in tables.values():
            found += _of(table, program, program, request, ways)
        if unseen:
            found.append(
                f"{program}: has rules that cannot be looked at; if nothing passes, type "
                f"`{program} -I FORWARD -i {request.device} -j ACCEPT && "
                f"{program} -I FORWARD -o {request.device} -j ACCEPT`"
            )
    return tuple(found)


#: Packets by the hook they are on their way through.
_Ways = Mapping[str, Sequence[Packet]]


def _of(table: Table, who: str, program: str, request: Request, ways: _Ways) -> Iterator[str]:
    for chain in table.values():
        if chain.hook is None or chain.hook not in ways:
            continue
        packets = [
            packet
            for packet in ways[chain.hook]
            if packet.version in _VERSIONS[chain.family]
            and (not chain.interfaces or {packet.into, packet.out} & chain.interfaces)
        ]
        whys = [why for packet in packets if (why := refuses(table, chain, packet))]
        if whys:
            typed = " && ".join(remedies(chain, table, request.device, program))
            yield (
                f"{_place(who, chain)} drops {_WHAT[chain.hook]} {whys[0]}: for those from and to "
                f"{request.device} type `{typed}`"
            )
        if chain.kind == "nat" and chain.hook == "postrouting":
            yield from _translated_again(table, chain, who, packets)


def _translated_again(
    table: Table, chain: Chain, who: str, packets: Sequence[Packet]
) -> Iterator[str]:
    rules = {
        rule.removal(): (name, rule)
        for packet in packets
        if packet.source is not None
        for name, rule in translating(table, chain, packet)
    }
    for name, rule in rules.values():
        typed = " && ".join(without_translation(name, rule, chain.table))
        place = f"{who}: table {chain.family} {chain.table}, chain {name}"
        yield (
            f"{place} gives another source to what ratsnake has translated (masquerade or snat): "
            f"take it out by `{typed}` and where it is configured, or let it be for addresses of "
            "other LANs only"
        )


def _place(who: str, chain: Chain) -> str:
    return f"{who}: table {chain.family} {chain.table}, chain {chain.name}"


def _ways(netlink: IPRoute, request: Request) -> _Ways:
    """What passes each hook by the device, of each version of IP."""
    ways: dict[str, list[Packet]] = {}
    wans = _wans(netlink, request)
    for family in request.families():
        version = family.version
        own = _first(request.external, version)
        outside = own.packed if own else None
        inside = _lan_address(netlink, request, family)
        device = request.device
        # As they come out of the device: to the internet, and to the LAN.
        out = (
            Packet(version, device, None, outside),
            Packet(version, device, None, is_answered_there=False),
        )
        ways.setdefault("prerouting", []).extend(out)
        ways.setdefault("ingress", []).extend(out)
        leaving = [Packet(version, device, wan, outside) for wan in wans]
        ways.setdefault("forward", []).extend(
            (
                *(Packet(version, lan, device, inside) for lan in request.lans),
                *leaving,
                *(Packet(version, wan, device) for wan in wans),
                *(Packet(version, device, lan) for lan in request.lans),
            )
        )
        ways.setdefault("postrouting", []).extend(
            (
                Packet(version, None, device, inside),
                *leaving,
            )
        )
    return ways


def _wans(netlink: IPRoute, request: Request) -> list[str]:
    """The ways out: as it was said, or as the default routes say; none where there are none."""
    if request.wan is not None:
        return [request.wan]
    return sorted(ways_out(netlink, request.families()))


def _lan_address(netlink: IPRoute, request: Request, family: Family) -> bytes | None:
    """One as hosts of the LAN have."""
    names = interface_names(netlink)
    for index, address in addresses(netlink):
        if address.version == family.version and names.get(index) in request.lans:
            return address.packed
    return None


def _first(values: Sequence[object], version: int) -> AnyAddress | None:
    for value in values:
        if isinstance(value, IPv4Address | IPv6Address) and value.version == version:
            return value
    return None
