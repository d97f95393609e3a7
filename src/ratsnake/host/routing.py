"""The policy routing around the NAT's device, for `ratsnake run --lan IFACE`.

    LAN ──► IFACE ── rule: iif IFACE ──► table T: throw INTERNAL … (for the LAN: not ours)
                                            │     default dev DEVICE, or else unreachable
                                            ▼
                                     DEVICE ⇄ ratsnake
                                            │ main table: EXTERNAL dev DEVICE, INTERNAL, default
                                            ▼
                                     the internet, by whatever way the host has

`plan` looks at the host and answers with data: the changes in their order, and warnings.
`install` applies a plan in a child process; `Installed.undo` takes it back.

EXTERNAL and INTERNAL are any number of addresses and prefixes.  IPv4 and IPv6 have rules, tables
and settings of their own, to the same plan; a family with no address or prefix is left alone.

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

With IPv6 nothing needs to be set for that: the kernel sends an ICMPv6 error from an address of the
interface the packet came in by (since Linux 5.5), if that has one, and checks no source.  The
address is 100::8, of the discard prefix of RFC 6666, since no dummy address is like IPv4's.

The other settings of the kernel:

- `rp_filter` of DEVICE = 2.  A packet from the internet comes out of DEVICE with its remote
  source, whose way back may be another interface: a strict check (1) may drop it.  The kernel uses
  the larger of this value and `net.ipv4.conf.all.rp_filter`; 2, the largest, is loose either way.
- `ip_forward` = 1 (IPv6: `conf.all.forwarding`).  Every translated packet enters the host again
  through DEVICE and is forwarded from there.  That holds for IFACE `lo` as well (the host's own
  packets): what the host sends is output, but what DEVICE gives back is forwarded.
- `disable_ipv6` of DEVICE = 0, for hosts where a new interface has no IPv6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import collapse_addresses, ip_address, ip_network
from typing import TYPE_CHECKING

from .changes import Address, Change, Route, Rule, WaylessRoute, link_index
from .child import in_child
from .family import FAMILIES, IPV6, AnyAddress, AnyNetwork, Family, known
from .firewall import forward_warnings
from .joining import UdpJoining, joining_interfaces
from .runs import Kind, free_number, priority, remove_leftovers, table
from .settings import Forwarding, Setting, SharedSetting, router_advertisement_warnings

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Never forwarded by anybody; IPv6 routes them by the tables that the rules choose.
_LINK_LOCAL_6 = "fe80::/10"
_LAST_METRIC = 0xFFFFFFFF
_IFF_UP = 1
_SCOPE_UNIVERSE = 0


class RoutingError(Exception):
    """The host cannot be set up as asked; the message is one line for the user."""


@dataclass(frozen=True)
class Request:
    """What `ratsnake run` asks for: names of interfaces, addresses and prefixes of any family.

    An external prefix is as good as all its addresses.
    """

    device: str
    lan: str
    external: tuple[AnyAddress | AnyNetwork, ...]
    internal: tuple[AnyNetwork, ...]

    def families(self) -> tuple[Family, ...]:
        """Those that an address or prefix belongs to."""
        versions = {value.version for value in (*self.external, *self.internal)}
        return tuple(family for family in FAMILIES if family.version in versions)

    def external_prefixes(self, family: Family) -> tuple[str, ...]:
        """The external addresses as prefixes, as few as hold them all and nothing else."""
        return _prefixes(self.external_networks(), family)

    def external_networks(self) -> tuple[AnyNetwork, ...]:
        """Each of `external` as a prefix."""
        return tuple(ip_network(str(external)) for external in self.external)

    def internal_prefixes(self, family: Family) -> tuple[str, ...]:
        return _prefixes(self.internal, family)


def _prefixes(networks: Sequence[AnyNetwork], family: Family) -> tuple[str, ...]:
    ours = [network for network in networks if network.version == family.version]
    return tuple(str(network) for network in collapse_addresses(ours))  # type: ignore[type-var]


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
    families = request.families()
    changes: list[Change] = []
    for family in families:
        changes += _settings(request, family, number)
        changes += _routes(netlink, request, family, number)
        # From the last to the first, so that none leads to a rule that is not there yet.
        changes += reversed(_rules(request, family, number))
    changes += [UdpJoining(name, number) for name in joining_interfaces(netlink, request.lan)]
    changes += [Forwarding(number, family) for family in families]
    return Plan(
        tuple(changes),
        (
            *(() if lan_is_up else (f"interface {request.lan} is down: bring it up first",)),
            *(router_advertisement_warnings(netlink) if IPV6 in families else ()),
            *forward_warnings(request.device, [family.version for family in families]),
        ),
    )


def _settings(request: Request, family: Family, number: int) -> tuple[Change, ...]:
    folder = f"{family.settings}/conf/{request.device}"
    if family is IPV6:
        return (Setting(f"{folder}/disable_ipv6", "0"),)
    return (
        Setting(f"{folder}/rp_filter", "2"),
        Setting(f"{folder}/accept_local", "1"),
        SharedSetting("net/ipv4/icmp_errors_use_inbound_ifaddr", "1", number),
    )


def _routes(netlink: IPRoute, request: Request, family: Family, number: int) -> tuple[Change, ...]:
    device, own_table = request.device, table(number)
    inside = request.internal_prefixes(family)
    inside += (_LINK_LOCAL_6,) if family is IPV6 else ()
    # The source matters to the host's own packets only, with --lan lo.
    source = _inside_address(netlink, request, family)
    return (
        Address(family.router, device),
        *(WaylessRoute("throw", prefix, own_table) for prefix in inside),
        WaylessRoute("unreachable", family.everything, own_table, _LAST_METRIC),
        Route(family.everything, device, own_table, source=source),
        *(Route(prefix, device) for prefix in request.external_prefixes(family)),
    )


def _rules(request: Request, family: Family, number: int) -> tuple[Rule, ...]:
    """The run's rules, in the order in which the kernel tries them."""
    device, own_table = request.device, table(number)
    router = f"{family.router}/{family.bits}"
    external = request.external_prefixes(family)
    at = {kind: priority(kind, number) for kind in Kind}
    end = at[Kind.END]
    rules = (
        Rule(at[Kind.FROM_DEVICE], device, goto=end, action="goto"),
        *(Rule(at[Kind.EXTERNAL_FORGED], source=one, action="blackhole") for one in external),
        *(Rule(at[Kind.ERROR_OUTBOUND], "lo", router, one, own_table) for one in external),
        Rule(at[Kind.FROM_LAN], request.lan, table=own_table),
        Rule(at[Kind.ERROR_INBOUND], "lo", router, table=own_table),
        Rule(at[Kind.HOST], "lo", goto=end, action="goto"),
        *(
            Rule(at[Kind.INTERNAL_FORGED], None, prefix, one, action="blackhole")
            for prefix in request.internal_prefixes(family)
            for one in external
        ),
        Rule(end, action="nop"),
    )
    return tuple(replace(rule, family=family) for rule in rules)


def _check(netlink: IPRoute, request: Request) -> bool:
    """Refuse what cannot work; returns whether the LAN interface is up."""
    index = link_index(netlink, request.lan)
    if index is None:
        there = ", ".join(sorted(_interface_names(netlink).values()))
        raise RoutingError(f"--lan {request.lan}: no such interface (there are {there})")
    if link_index(netlink, request.device) is None:
        raise RoutingError(f"--device {request.device}: no such interface")
    if request.lan == request.device:
        raise RoutingError(
            f"--lan {request.lan}: is the NAT's own device; name the LAN's interface"
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
    names = _interface_names(netlink)
    for index_of, address in _addresses(netlink):
        if any(address in network for network in request.external_networks()):
            name = names.get(index_of, "an interface")
            raise RoutingError(
                f"--external {address}: is assigned to {name} of this host, which would take "
                f"its packets for itself; remove it (ip address del {address} dev {name})"
            )
    return any(bool(link["flags"] & _IFF_UP) for link in netlink.get_links(index))


def _inside_address(netlink: IPRoute, request: Request, family: Family) -> str | None:
    """An address of this host inside the internal prefixes of the family, if it has any."""
    for _, address in _addresses(netlink):
        if address.version == family.version and any(
            address in prefix for prefix in request.internal
        ):
            return str(address)
    return None


def _interface_names(netlink: IPRoute) -> dict[int, str]:
    return {link["index"]: link.get_attr("IFLA_IFNAME") for link in netlink.get_links()}


def _addresses(netlink: IPRoute) -> Iterator[tuple[int, AnyAddress]]:
    """The host's own addresses, each with the index of its interface."""
    for family in known():
        for address in netlink.get_addr(family=family.number):
            if address["scope"] == _SCOPE_UNIVERSE:
                value = address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS")
                yield address["index"], ip_address(value)


def _install(request: Request) -> Installed:
    from pyroute2 import IPRoute, NetlinkError

    done: list[tuple[Change, str | None]] = []
    with IPRoute() as netlink:
        try:
            remove_leftovers(netlink, request.lan, request.external_networks())
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
