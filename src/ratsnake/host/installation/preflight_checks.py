"""What would not work on this host, found out before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from typing import TYPE_CHECKING

from ..kernel.interfaces import addresses, interface_names, link_index
from ..kernel.ip_family import known
from ..routing.proxy_neighbours import answered, links_of
from ..routing.routing_request import Request, RoutingError

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_LOOPBACK = "lo"
_IFF_UP = 1
_IFF_NOARP = 0x80


def check(netlink: IPRoute, request: Request, with_device: bool) -> None:
    """Raises `RoutingError`; the device has to be there `with_device` only."""
    if with_device and link_index(netlink, request.device) is None:
        raise RoutingError(f"--device {request.device}: no such interface")
    if request.shared and _LOOPBACK in request.lans:
        raise RoutingError(
            f"--lan {_LOOPBACK} with --share-address: the host's own connections have the "
            "address without the NAT; right is an external address of its own"
        )
    for family in request.families():
        if family not in known():
            raise RoutingError(
                f"this kernel has no IPv{family.version}: leave out --external and --internal "
                f"of IPv{family.version}"
            )
    for external, network in zip(request.external, request.external_networks(), strict=True):
        for prefix in request.internal:
            if network.version == prefix.version and network.overlaps(prefix):
                raise RoutingError(
                    f"--external {external}: is inside the internal prefix {prefix}; "
                    "an external address must lie outside all of them"
                )
    names = interface_names(netlink)
    shared = request.shared_addresses()
    for index_of, address in addresses(netlink):
        if address not in shared and any(
            address in network for network in request.external_networks()
        ):
            name = names.get(index_of, "an interface")
            share = "; or share it with the host by --share-address" if address.version == 4 else ""
            raise RoutingError(
                f"--external {address}: is assigned to {name} of this host, which would take "
                f"its packets for itself; remove it (ip address del {address} dev {name}){share}"
            )


def missing(request: Request, there: Collection[str]) -> Iterator[str]:
    """What is said of each LAN and the WAN that is not among the interfaces `there`.

    Rules go by the name of an interface, and are in force before there is one: a VPN, a bridge or
    a PPP link may come late, and nothing of it passes untranslated.
    """
    for flag, name in (*(("--lan", lan) for lan in request.lans), ("--wan", request.wan)):
        if name is not None and name not in there:
            yield not_there_yet(flag, name, there)


def not_there_yet(flag: str, name: str, there: Collection[str]) -> str:
    return (
        f"{flag} {name}: no such interface yet (there are {', '.join(sorted(there))}); "
        "it is taken in as soon as it comes"
    )


def warnings(netlink: IPRoute, request: Request) -> tuple[str, ...]:
    """Interfaces that are missing or down, external addresses nobody answers for, a LAN that is not
    inside."""
    links = {link.get_attr("IFLA_IFNAME"): link for link in netlink.get_links()}
    found = [
        *missing(request, links),
        *(
            f"interface {name} is down: bring it up first"
            for name in (*request.lans, request.wan)
            if name in links and not links[name]["flags"] & _IFF_UP
        ),
    ]
    found += _lan_outside(netlink, request)
    if request.wan is None:
        there = answered(netlink)
        asked = {
            link["index"]: name
            for name, link in links.items()
            if not link["flags"] & _IFF_NOARP and name not in (request.device, *request.lans)
        }
        found += [
            f"{external} lies in the subnet of {asked[index]}, and nobody answers there for it: "
            f"give --wan {asked[index]}"
            for external in request.own()
            for index in sorted(links_of(netlink, external) & asked.keys())
            if (index, external) not in there
        ]
    return tuple(found)


def _lan_outside(netlink: IPRoute, request: Request) -> Iterator[str]:
    """All that comes from such a LAN is dropped, and nothing else says so."""
    names = interface_names(netlink)
    there = [(names.get(index), address) for index, address in addresses(netlink)]
    for lan, version in product(request.lans, (4, 6)):
        ours = [one for name, one in there if name == lan and one.version == version]
        inside = [prefix for prefix in request.internal if prefix.version == version]
        if ours and inside and not any(one in prefix for one in ours for prefix in inside):
            yield (
                f"{lan} has {ours[0]}, which is in none of the internal prefixes: packets "
                "of hosts with such addresses are dropped; name their prefix by --internal"
            )
