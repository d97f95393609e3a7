"""Answering on the WAN's link for external addresses: proxy ARP, and proxy NDP (RFC 4861 7.2.8).

The kernel answers for an address that has such an entry at an interface if it forwards, and if its
own way to the address leads by another interface; IPv6 asks for `proxy_ndp` besides.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from ..kernel.interfaces import link_index
from ..kernel.ip_family import AnyAddress, AnyNetwork, family_of
from ..kernel.kernel_state import NTF_PROXY, proxies
from ..kernel.route_dump import PROTOCOL, interface_routes
from .routing_changes import ip_command

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

_UNICAST = 1  # RTN_UNICAST
_THERE = "there"
_GONE = (errno.ENOENT, errno.ESRCH, errno.ENODEV)


@dataclass(frozen=True)
class ProxyNeighbour:
    """The host answers for the address at the interface."""

    address: str
    interface: str

    def __str__(self) -> str:
        ip = ip_command(family_of(self.address))
        return f"{ip} neigh add proxy {self.address} dev {self.interface} protocol {PROTOCOL}"

    def apply(self, netlink: IPRoute) -> str | None:
        """Returns whether somebody else had made the entry, who then keeps it."""
        arguments = self._arguments(netlink)
        for entry in proxies(netlink):
            if entry.get_attr("NDA_DST") == self.address and (
                entry["ifindex"] == arguments["ifindex"]
            ):
                return _THERE
        netlink.neigh("add", protocol=PROTOCOL, **arguments)
        return None

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        return before if self.apply(netlink) == _THERE else None

    def in_force(self, kernel: KernelState) -> bool:
        return (kernel.index(self.interface), self.address) in kernel.proxies

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        from pyroute2 import NetlinkError

        if before == _THERE or link_index(netlink, self.interface) is None:
            return
        try:
            netlink.neigh("del", **self._arguments(netlink))
        except NetlinkError as error:
            if error.code not in _GONE:
                raise

    def _arguments(self, netlink: IPRoute) -> dict[str, Any]:
        index = link_index(netlink, self.interface)
        if index is None:
            raise OSError(errno.ENODEV, f"no interface {self.interface}")
        return {
            "family": family_of(self.address).number,
            "dst": self.address,
            "ifindex": index,
            "flags": NTF_PROXY,
        }


def links_of(netlink: IPRoute, address: AnyAddress | AnyNetwork) -> set[int]:
    """The indices of the interfaces on whose link the address, or some of the prefix, would be
    looked for: those that have it, or its subnet."""
    network = ip_network(str(address))
    return {
        route.get_attr("RTA_OIF")
        for route in interface_routes(netlink, family_of(str(address)))
        if route["type"] == _UNICAST
        and route.get_attr("RTA_GATEWAY") is None
        and 0 < route["dst_len"] < network.max_prefixlen
        and network.overlaps(ip_network(f"{route.get_attr('RTA_DST')}/{route['dst_len']}"))
    }


def answered(netlink: IPRoute) -> set[tuple[int, AnyAddress]]:
    """Which addresses the host answers for, and at which interface."""
    return {(entry["ifindex"], ip_address(entry.get_attr("NDA_DST"))) for entry in proxies(netlink)}


def left_over(netlink: IPRoute, live: Iterable[AnyNetwork]) -> tuple[ProxyNeighbour, ...]:
    """Our entries for addresses that no live run has."""
    networks = tuple(live)
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in netlink.get_links()}
    return tuple(
        ProxyNeighbour(entry.get_attr("NDA_DST"), names[entry["ifindex"]])
        for entry in proxies(netlink)
        if entry.get_attr("NDA_PROTOCOL") == PROTOCOL
        and entry["ifindex"] in names
        and not any(ip_address(entry.get_attr("NDA_DST")) in network for network in networks)
    )
