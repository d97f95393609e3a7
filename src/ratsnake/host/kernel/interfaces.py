"""The interfaces of this host: their names, indices and addresses.  Only read."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .ip_family import AnyAddress, known

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_SCOPE_UNIVERSE = 0


def link_index(netlink: IPRoute, name: str) -> int | None:
    """The index of the interface called `name`, or None."""
    found = netlink.link_lookup(ifname=name)
    return int(found[0]) if found else None


def interface_names(netlink: IPRoute) -> dict[int, str]:
    return {link["index"]: link.get_attr("IFLA_IFNAME") for link in netlink.get_links()}


def addresses(netlink: IPRoute) -> Iterator[tuple[int, AnyAddress]]:
    """The host's own addresses, each with the index of its interface."""
    for family in known():
        for address in netlink.get_addr(family=family.number):
            if address["scope"] == _SCOPE_UNIVERSE:
                value = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
                yield address["index"], ip_address(value)
