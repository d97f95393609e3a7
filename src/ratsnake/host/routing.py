"""The policy routing around the NAT's device, for `ratsnake run --lan IFACE`.

    LAN ──► IFACE ── rule: iif IFACE ──► table T: throw INTERNAL … (for the LAN: not ours)
                                            │     default dev DEVICE
                                            ▼
                                     DEVICE ⇄ ratsnake
                                            │ main table: EXTERNAL/32 dev DEVICE, INTERNAL, default
                                            ▼
                                     the internet, by whatever way the host has

`plan` looks at the host and answers with data: the changes in their order, and warnings.
`install` applies a plan in a child process; `Installed.undo` takes it back.

The host is also a router hop behind the NAT: it is host and kernel that report a TTL exceeded or a
packet too big for the WAN, to the external address.  These ICMP errors go through the NAT to the
LAN host, and therefore come out of DEVICE with an address of this very host for a source:

- `accept_local` of DEVICE = 1, or the kernel takes them for forged.  (They cannot be: what comes
  out of DEVICE went into this host by another interface before, where the check was made.)
- EXTERNAL's route says to send them from an address outside the LAN.  From a LAN address, which the
  kernel might choose, they would look like hairpin traffic.
- DEVICE has an address.  On an interface without any, a reverse-path check that is loose refuses
  what a strict one refuses.  It is 192.0.0.8, the dummy address of RFC 7600 for the source of such
  errors on a host with no other, and serves for that too.

The other settings of the kernel:

- `rp_filter` of DEVICE = 2.  A packet from the internet comes out of DEVICE with its remote
  source, whose way back may be another interface: a strict check (1) may drop it.  The kernel uses
  the larger of this value and `net.ipv4.conf.all.rp_filter`; 2, the largest, is loose either way.
- `ip_forward` = 1.  Every translated packet enters the host again through DEVICE and is forwarded
  from there.  That holds for IFACE `lo` as well (the host's own packets): what the host sends is
  output, but what DEVICE gives back is forwarded.  Writing ip_forward makes the kernel overwrite
  `conf.all.accept_redirects`, which is therefore restored too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .changes import (
    PROTOCOL,
    Address,
    Change,
    KeptSysctl,
    Route,
    Rule,
    Sysctl,
    link_index,
)
from .child import in_child
from .firewall import forward_warnings

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Where free numbers are looked for.  Priorities: before the main table's rule (32766), after what
#: other software usually puts first.
_TABLES = range(1000, 2000)
_PRIORITIES = range(20000, 32766)

#: In this order, so that the kept value is restored after the write that disturbs it.
_FORWARDING = (
    KeptSysctl("net/ipv4/conf/all/accept_redirects"),
    Sysctl("net/ipv4/ip_forward", "1"),
)

_DUMMY = "192.0.0.8"  # RFC 7600 section 4.8
_IFF_UP = 1
_IPV4 = 2  # AF_INET
_SCOPE_UNIVERSE = 0


class RoutingError(Exception):
    """The host cannot be set up as asked; the message is one line for the user."""


@dataclass(frozen=True)
class Request:
    """What `ratsnake run` asks for: names of interfaces, addresses and prefixes."""

    device: str
    lan: str
    external: IPv4Address
    internal: tuple[IPv4Network, ...]


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Installed:
    """Changes that are in force, each with what it replaced, in the order they were made."""

    done: tuple[tuple[Change, str | None], ...]
    warnings: tuple[str, ...] = ()

    def undo(self) -> tuple[str, ...]:
        """Take every change back, the last first; returns a message for each that failed."""
        return in_child(_undo_all, self.done)


def install(request: Request) -> Installed:
    """Check the host, then make every change, or none.

    Raises `RoutingError` naming the step that failed and why, after undoing those before it.
    """
    return in_child(_install, request)


def plan(netlink: IPRoute, request: Request) -> Plan:
    """What has to change on this host; raises `RoutingError` when it cannot work."""
    lan_is_up = _check(netlink, request)
    rules = list(netlink.get_rules(family=_IPV4))
    used_tables = {rule.get_attr("FRA_TABLE") for rule in rules}
    used_tables |= {route.get_attr("RTA_TABLE") for route in netlink.get_routes(family=_IPV4)}
    used_priorities = {rule.get_attr("FRA_PRIORITY") for rule in rules}
    table = _first_free("routing table", _TABLES, used_tables)
    priority = _first_free("rule priority", _PRIORITIES, used_priorities)
    outside, inside = _own_addresses(netlink, request)
    changes: list[Change] = [
        *([] if _forwards() else _FORWARDING),
        Sysctl(f"net/ipv4/conf/{request.device}/rp_filter", "2"),
        Sysctl(f"net/ipv4/conf/{request.device}/accept_local", "1"),
        Address(_DUMMY, request.device),
        *(Route(str(prefix), None, table) for prefix in request.internal),
        # The source matters to the host's own packets only, with --lan lo.
        Route("0.0.0.0/0", request.device, table, source=inside),
        Route(f"{request.external}/32", request.device, source=outside or _DUMMY),
        # Last: from here on packets come our way, and everything they need is there.
        Rule(request.lan, table, priority),
    ]
    down = () if lan_is_up else (f"interface {request.lan} is down: bring it up first",)
    return Plan(tuple(changes), down + forward_warnings(request.device))


def _check(netlink: IPRoute, request: Request) -> bool:
    """Refuse what cannot work; returns whether the LAN interface is up."""
    index = link_index(netlink, request.lan)
    if index is None:
        names = sorted(link.get_attr("IFLA_IFNAME") for link in netlink.get_links())
        raise RoutingError(f"--lan {request.lan}: no such interface (there are {', '.join(names)})")
    if link_index(netlink, request.device) is None:
        raise RoutingError(f"--device {request.device}: no such interface")
    if request.lan == request.device:
        raise RoutingError(
            f"--lan {request.lan}: is the NAT's own device; name the LAN's interface"
        )
    for prefix in request.internal:
        if request.external in prefix:
            raise RoutingError(
                f"--external {request.external}: is inside the internal prefix {prefix}; "
                "an external address must lie outside all of them"
            )
    for name, address in _addresses(netlink):
        if address == request.external:
            raise RoutingError(
                f"--external {address}: is assigned to {name} of this host, which would take "
                f"its packets for itself; remove it (ip address del {address} dev {name})"
            )
    return any(bool(link["flags"] & _IFF_UP) for link in netlink.get_links(index))


def _own_addresses(netlink: IPRoute, request: Request) -> tuple[str | None, str | None]:
    """An address of this host outside the internal prefixes, and one inside; None for none."""
    found: dict[bool, str] = {}
    for _, address in _addresses(netlink):
        inside = any(address in prefix for prefix in request.internal)
        found.setdefault(inside, str(address))
    return found.get(False), found.get(True)


def _addresses(netlink: IPRoute) -> Iterator[tuple[str, IPv4Address]]:
    for address in netlink.get_addr(family=_IPV4):
        if address["scope"] == _SCOPE_UNIVERSE:
            value = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
            yield address.get_attr("IFA_LABEL") or "an interface", IPv4Address(value)


def _forwards() -> bool:
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"


def _first_free(what: str, candidates: Sequence[int], used: set[Any]) -> int:
    for number in candidates:
        if number not in used:
            return number
    raise RoutingError(f"no free {what} between {candidates[0]} and {candidates[-1]}")


def _install(request: Request) -> Installed:
    from pyroute2 import IPRoute, NetlinkError

    done: list[tuple[Change, str | None]] = []
    with IPRoute() as netlink:
        _remove_leftovers(netlink, request.lan)
        wanted = plan(netlink, request)
        for change in wanted.changes:
            try:
                done.append((change, change.apply(netlink)))
            except (NetlinkError, OSError) as error:
                _undo_in(netlink, done)
                raise RoutingError(f"cannot set {change}: {error}") from None
    return Installed(tuple(done), wanted.warnings)


def _remove_leftovers(netlink: IPRoute, lan: str) -> None:
    """Remove what a run on this interface left behind when it was killed.

    The kernel removed its device and the routes through it; the rule and the throw routes stayed.
    A table that still has a default route belongs to a run that lives.
    """
    from pyroute2 import NetlinkError

    routes = list(netlink.get_routes(family=_IPV4))
    for rule in list(netlink.get_rules(family=_IPV4)):
        table = rule.get_attr("FRA_TABLE")
        if rule.get_attr("FRA_PROTOCOL") != PROTOCOL or rule.get_attr("FRA_IIFNAME") != lan:
            continue
        if table not in _TABLES or any(
            route.get_attr("RTA_TABLE") == table and route["dst_len"] == 0 for route in routes
        ):
            continue
        stale = Rule(lan, table, rule.get_attr("FRA_PRIORITY"))
        try:
            stale.undo(netlink, None)
            netlink.flush_routes(table=table, family=_IPV4)
        except NetlinkError as error:
            raise RoutingError(f"cannot remove the stale {stale}: {error}") from None


def _undo_all(done: Sequence[tuple[Change, str | None]]) -> tuple[str, ...]:
    from pyroute2 import IPRoute

    with IPRoute() as netlink:
        return _undo_in(netlink, done)


def _undo_in(netlink: IPRoute, done: Sequence[tuple[Change, str | None]]) -> tuple[str, ...]:
    from pyroute2 import NetlinkError

    failures = []
    for change, before in reversed(done):
        try:
            change.undo(netlink, before)
        except (NetlinkError, OSError) as error:
            failures.append(f"cannot undo {change}: {error}")
    return tuple(failures)
