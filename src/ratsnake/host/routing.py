"""The policy routing around the NAT's device, for `ratsnake run --lan IFACE`.

    LAN ──► IFACE ── rule: iif IFACE ──► table T: throw INTERNAL … (for the LAN: not ours)
                                            │     default dev DEVICE, or else unreachable
                                            ▼
                                     DEVICE ⇄ ratsnake
                                            │ main table: EXTERNAL/32 dev DEVICE, INTERNAL, default
                                            ▼
                                     the internet, by whatever way the host has

`plan` looks at the host and answers with data: the changes in their order, and warnings.
`install` applies a plan in a child process; `Installed.undo` takes it back.

Nothing passes untranslated.  The host begins to forward when all else is in force, and stops first
(where it did not forward before).  When the device goes, the unreachable route of T remains.

The NAT tells inside from outside by address, so the rules see to it that addresses are true:

- EXTERNAL is the source only of what comes out of DEVICE, INTERNAL with the destination EXTERNAL
  only of what comes in by IFACE or is the host's own (`iif lo`).  All else with these addresses is
  forged and thrown away.
- The kernel asks the rules for the way back too when it checks a source (`rp_filter`), as if the
  answer came in by the interface the packet is to leave by, or from `lo` if the packet is for the
  host.  What the rules refuse is therefore never the way back of something true.

The host is also a router hop in front of and behind the NAT, and reports a TTL exceeded, a packet
too big or a LAN host that does not answer.  Such an ICMP error quotes a packet as it came out of
DEVICE, so it has to go back into DEVICE for the NAT to translate it:

- `icmp_errors_use_inbound_ifaddr` = 1 makes the kernel send these errors from DEVICE's address, by
  which the rules and the NAT know them.  It is 192.0.0.8, the dummy address of RFC 7600 section 4.8
  for such errors, the same for every run: one to EXTERNAL finds its NAT by that address.
  A LAN host's traceroute shows it as the hop behind the NAT.
- `accept_local` of DEVICE = 1, or the kernel takes these errors for forged when they come out of
  DEVICE with this very host's address.

The other settings of the kernel:

- `rp_filter` of DEVICE = 2.  A packet from the internet comes out of DEVICE with its remote
  source, whose way back may be another interface: a strict check (1) may drop it.  The kernel uses
  the larger of this value and `net.ipv4.conf.all.rp_filter`; 2, the largest, is loose either way.
- `ip_forward` = 1.  Every translated packet enters the host again through DEVICE and is forwarded
  from there.  That holds for IFACE `lo` as well (the host's own packets): what the host sends is
  output, but what DEVICE gives back is forwarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from .changes import Address, Change, Route, Rule, WaylessRoute, link_index
from .child import in_child
from .firewall import forward_warnings
from .runs import Kind, free_number, priority, remove_leftovers, table
from .settings import Forwarding, Setting, SharedSetting

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_DUMMY = "192.0.0.8"  # RFC 7600 section 4.8; the engine knows it as nat.scope.ROUTER_ADDRESS
_DUMMY_PREFIX = f"{_DUMMY}/32"
_LAST_METRIC = 0xFFFFFFFF
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
    number = free_number(netlink)
    if number is None:
        raise RoutingError("no free routing table and rule priorities for one more run")
    device, external, own_table = request.device, f"{request.external}/32", table(number)
    changes: tuple[Change, ...] = (
        Setting(f"net/ipv4/conf/{device}/rp_filter", "2"),
        Setting(f"net/ipv4/conf/{device}/accept_local", "1"),
        SharedSetting("net/ipv4/icmp_errors_use_inbound_ifaddr", "1", number),
        Address(_DUMMY, device),
        *(WaylessRoute("throw", str(prefix), own_table) for prefix in request.internal),
        WaylessRoute("unreachable", "0.0.0.0/0", own_table, _LAST_METRIC),
        # The source matters to the host's own packets only, with --lan lo.
        Route("0.0.0.0/0", device, own_table, source=_inside_address(netlink, request)),
        Route(external, device),
        # From the last to the first, so that none leads to a rule that is not there yet.
        *reversed(_rules(request, number)),
        Forwarding(number),
    )
    down = () if lan_is_up else (f"interface {request.lan} is down: bring it up first",)
    return Plan(changes, down + forward_warnings(request.device))


def _rules(request: Request, number: int) -> tuple[Rule, ...]:
    """The run's rules, in the order in which the kernel tries them."""
    device, external, own_table = request.device, f"{request.external}/32", table(number)
    at = {kind: priority(kind, number) for kind in Kind}
    end = at[Kind.END]
    return (
        Rule(at[Kind.FROM_DEVICE], device, goto=end, action="goto"),
        Rule(at[Kind.EXTERNAL_FORGED], source=external, action="blackhole"),
        Rule(at[Kind.ERROR_OUTBOUND], "lo", _DUMMY_PREFIX, external, own_table),
        Rule(at[Kind.FROM_LAN], request.lan, table=own_table),
        Rule(at[Kind.ERROR_INBOUND], "lo", _DUMMY_PREFIX, table=own_table),
        Rule(at[Kind.HOST], "lo", goto=end, action="goto"),
        *(
            Rule(at[Kind.INTERNAL_FORGED], None, str(prefix), external, action="blackhole")
            for prefix in request.internal
        ),
        Rule(end, action="nop"),
    )


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


def _inside_address(netlink: IPRoute, request: Request) -> str | None:
    """An address of this host inside the internal prefixes, if it has any."""
    for _, address in _addresses(netlink):
        if any(address in prefix for prefix in request.internal):
            return str(address)
    return None


def _addresses(netlink: IPRoute) -> Iterator[tuple[str, IPv4Address]]:
    for address in netlink.get_addr(family=_IPV4):
        if address["scope"] == _SCOPE_UNIVERSE:
            value = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
            yield address.get_attr("IFA_LABEL") or "an interface", IPv4Address(value)


def _install(request: Request) -> Installed:
    from pyroute2 import IPRoute, NetlinkError

    done: list[tuple[Change, str | None]] = []
    with IPRoute() as netlink:
        try:
            remove_leftovers(netlink, request.lan, request.external)
        except NetlinkError as error:
            raise RoutingError(f"cannot remove what a killed run left: {error}") from None
        wanted = plan(netlink, request)
        for change in wanted.changes:
            try:
                done.append((change, change.apply(netlink)))
            except (NetlinkError, OSError) as error:
                _undo_in(netlink, done)
                raise RoutingError(f"cannot set {change}: {error}") from None
    return Installed(tuple(done), wanted.warnings)


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
