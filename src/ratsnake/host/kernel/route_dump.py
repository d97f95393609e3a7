"""The kernel's routes, as far as the kernel picks them out: a router may have a million."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .ip_family import Family, known

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Marks our rules and routes (`ip rule`, `ip route` show it as "proto 82"); 82 is nobody's in
#: iproute2's rt_protos.
PROTOCOL = 82

MAIN_TABLE = 254
#: RTPROT_… of linux/rtnetlink.h: what the kernel makes of an address, `ip route` (boot), programs
#: that set up interfaces (static, DHCP), and what routers advertise.  Daemons of routing protocols
#: have others.
RA = 9
_OF_INTERFACES = (2, 3, 4, RA, 16)


def routes_of(
    netlink: IPRoute,
    *,
    protocol: int | None = None,
    table: int | None = None,
    families: Iterable[Family] = (),
) -> list[Any]:
    """Those of the protocol and in the table; of all known families where none is given.

    The IPRoute has strict checks, or else the kernel tells all and they are picked out here.
    """
    wanted = {"proto": protocol, "table": table}
    given = {name: value for name, value in wanted.items() if value is not None}
    return [
        route
        for family in families or known()
        for route in _dump(netlink, family=family.number, **given)
        if protocol in (None, route["proto"]) and table in (None, route.get_attr("RTA_TABLE"))
    ]


def interface_routes(netlink: IPRoute, family: Family) -> list[Any]:
    """Those of the main table that belong to an interface: no routing protocol's."""
    return [
        route
        for protocol in _OF_INTERFACES
        for route in routes_of(netlink, protocol=protocol, table=MAIN_TABLE, families=(family,))
    ]


def _dump(netlink: IPRoute, **wanted: int) -> list[Any]:
    from pyroute2 import NetlinkError

    try:
        # A filter of our own, or pyroute2 compares what the kernel has compared.
        return list(netlink.route("dump", dump_filter=lambda _: True, **wanted))
    except NetlinkError as error:
        if error.code == errno.ENOENT:  # there is no such table
            return []
        raise
