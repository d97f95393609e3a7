"""Which changes the host needs for a request, in their order, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..kernel.interfaces import addresses, link_index
from ..kernel.ip_family import IPV4, IPV6, AnyNetwork, Family
from ..nftables.socket_match import SocketMatch
from ..nftables.source_guard import Guard
from ..packet_filter.firewall_check import firewall_warnings
from ..routing.local_table_rule import SharingFirst
from ..routing.proxy_neighbours import ProxyNeighbour, links_of
from ..routing.routing_changes import Address, Change, DeviceUp, Route, Rule, WaylessRoute
from ..routing.routing_request import Request, RoutingError
from ..routing.running_instances import (
    Kind,
    free_number,
    none_is_free,
    priority,
    shared_table,
    table,
)
from ..routing.shared_address_rules import sharing_rules
from ..routing.sysctl_changes import (
    Forwarding,
    Setting,
    SharedSetting,
    router_advertisement_warnings,
)
from ..routing.udp_gro import UdpGro, udp_gro_interfaces
from .conflicting_runs import refuse_what_others_have
from .host_problem import Problem
from .preflight_checks import check, warnings

if TYPE_CHECKING:
    from pyroute2 import IPRoute

#: Never forwarded by anybody; IPv6 routes them by the tables that the rules choose.
_LINK_LOCAL_6 = "fe80::/10"
_LAST_METRIC = 0xFFFFFFFF


@dataclass(frozen=True)
class Step:
    """A change and why it is needed; `sharing`: only because an address is the host's too."""

    change: Change
    reason: str
    sharing: bool = False


@dataclass(frozen=True)
class Plan:
    """For the run of that number (`runs`)."""

    number: int
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]


def plan(
    netlink: IPRoute, request: Request, with_device: bool = True, freed: Collection[int] = ()
) -> Plan:
    """What has to change on this host; raises `RoutingError` when it cannot work.

    `with_device`: the NAT's device must be there already.  `freed` are the numbers of runs whose
    leftovers will have been removed.
    """
    number = free_number(netlink, sharing=bool(request.shared), freed=freed)
    if number is None:
        raise RoutingError(none_is_free(netlink, sharing=bool(request.shared)))
    return plan_of(netlink, request, number, with_device)


def plan_of(netlink: IPRoute, request: Request, number: int, with_device: bool = True) -> Plan:
    """`plan` for the run that has this number, whether it runs already or not."""
    check(netlink, request, with_device)
    refuse_what_others_have(netlink, request, number)
    steps, lacking = steps_of(netlink, request, number)
    families = request.families()
    return Plan(
        number,
        steps,
        (
            *warnings(netlink, request),
            *map(str, lacking),
            *(router_advertisement_warnings(netlink) if IPV6 in families else ()),
            *firewall_warnings(netlink, request),
        ),
    )


def steps_of(
    netlink: IPRoute, request: Request, number: int
) -> tuple[tuple[Step, ...], tuple[Problem, ...]]:
    """All that the host needs with the interfaces it has now, and what this kernel refuses."""
    families = request.families()
    guard = _guard(request, families, number)
    lack = guard.lack() if guard else None
    matches = [SocketMatch(number, one.address) for one in request.shared]
    unmatched = matches[0].lack() if matches else None
    steps = [Step(DeviceUp(request.device), "routes lead to a device that is up only")]
    if guard and not lack:
        steps.append(
            Step(
                guard,
                f"nothing leaves by {request.wan} with an inside source, whatever becomes of the "
                "rest; what it drops is counted",
            )
        )
    for family in families:
        steps += _settings(request, family, number)
        steps += _routes(netlink, request, family, number)
        # From the last to the first, so that none leads to a rule that is not there yet.
        steps += reversed(_rules(request, family, number))
    if request.shared:
        inside = _inside_address(netlink, request, IPV4) is not None
        steps += _sharing(request, number, [] if unmatched else matches, inside)
    steps += _proxies(netlink, request, number)
    steps += [
        Step(UdpGro(name, number), "UDP datagrams that arrive together pass together")
        for name in udp_gro_interfaces(netlink, request.lans, request.wan)
    ]
    steps += [
        Step(Forwarding(number, family), "last: nothing passes untranslated") for family in families
    ]
    return tuple(steps), (
        *([_unguarded(request, lack)] if lack else []),
        *([_unmatched(unmatched)] if unmatched else []),
    )


def _sharing(
    request: Request, number: int, matches: Sequence[SocketMatch], inside: bool
) -> list[Step]:
    """What divides addresses between the NAT and the host (shared_address_rules.py)."""
    ways = [
        Route(f"{one.address}/32", request.device, shared_table(number)) for one in request.shared
    ]
    way = "the way to the NAT's part of a shared address, while the device is there"
    socket = "packets that a socket of the host waits for are the host's"
    pairs: list[tuple[Change, str]] = [
        *((one, way) for one in ways),
        *((one, socket) for one in matches),
        *reversed(list(sharing_rules(request, number, inside))),
        (SharingFirst(number), "the rules before it are in force from here on"),
    ]
    return [Step(change, reason, sharing=True) for change, reason in pairs]


def _guard(request: Request, families: Sequence[Family], number: int) -> Guard | None:
    if request.wan is None:
        return None
    versions = {family.version for family in families}
    return Guard(
        number,
        request.wan,
        tuple(prefix for family in families for prefix in request.internal_prefixes(family)),
        tuple(str(prefix) for prefix in request.untranslated if prefix.version in versions),
    )


def is_complete(request: Request, changes: Collection[Change]) -> bool:
    """Whether the changes have all tables of nftables that the request asks for."""
    kinds = {type(change) for change in changes}
    return (request.wan is None or Guard in kinds) and (not request.shared or SocketMatch in kinds)


def _unmatched(lack: str) -> Problem:
    return Problem(
        f"this kernel's nftables cannot look up sockets (nft_socket: {lack}): what is sent to a "
        "port that a program of this host takes later goes to the NAT until it is noticed",
        "modprobe nft_socket",
    )


def _unguarded(request: Request, lack: str) -> Problem:
    return Problem(
        f"this kernel refuses the guard of nftables ({lack}): only rules and routes keep inside "
        f"addresses from leaving by {request.wan}; it needs the modules nf_tables, nft_fib_inet "
        "and nft_counter",
        "modprobe -a nf_tables nft_fib_inet nft_counter",
    )


def _settings(request: Request, family: Family, number: int) -> tuple[Step, ...]:
    folder = f"{family.settings}/conf/{request.device}"
    if family is IPV6:
        return (Step(Setting(f"{folder}/disable_ipv6", "0"), "the device has IPv6"),)
    return (
        Step(Setting(f"{folder}/rp_filter", "2"), "its packets have sources from anywhere"),
        Step(
            Setting(f"{folder}/accept_local", "1"),
            "the router's own ICMP errors come back out of it translated"
            if not request.shared
            else "what comes out of it may be from an address of the host",
        ),
        Step(
            SharedSetting("net/ipv4/icmp_errors_use_inbound_ifaddr", "1", number),
            f"the router's own ICMP errors come from the device's address, {family.router}",
        ),
    )


def _routes(netlink: IPRoute, request: Request, family: Family, number: int) -> tuple[Step, ...]:
    device, own_table = request.device, table(number)
    # The source matters to the host's own packets only, with --lan lo.
    source = _inside_address(netlink, request, family)
    steps = [
        Step(
            Address(family.router, device),
            "this one",
        ),
        *(
            Step(WaylessRoute("throw", prefix, own_table), "inside stays inside")
            for prefix in request.internal_prefixes(family)
        ),
    ]
    if family is IPV6:
        steps.append(
            Step(WaylessRoute("throw", _LINK_LOCAL_6, own_table), "the link's own stays on it")
        )
    return (
        *steps,
        Step(
            WaylessRoute("unreachable", family.everything, own_table, _LAST_METRIC),
            "when the device has gone",
        ),
        Step(
            Route(family.everything, device, own_table, source=source),
            f"all else that comes in by {request.lan_names()} goes to the NAT",
        ),
        *(
            Step(Route(prefix, device), "external addresses are the NAT's")
            for prefix in request.own_prefixes(family)
        ),
    )


def _rules(request: Request, family: Family, number: int) -> tuple[Step, ...]:
    """The run's rules, in the order in which the kernel tries them."""
    device, own_table = request.device, table(number)
    router = f"{family.router}/{family.bits}"
    own = request.own_prefixes(family)
    at = {kind: priority(kind, number) for kind in Kind}
    end = at[Kind.END]
    not_by_device = f"forged: this source comes out of {device} only"
    rules = (
        (Rule(at[Kind.FROM_DEVICE], device, goto=end, action="goto"), "translated already"),
        *(
            (
                Rule(at[Kind.WAY_BACK], "lo", one, goto=end, action="goto"),
                "the way back of what comes for it, which firewalls ask for as if from lo",
            )
            for one in own
        ),
        *(
            (Rule(at[Kind.EXTERNAL_FORGED], source=one, action="blackhole"), not_by_device)
            for one in own
        ),
        *(
            (
                Rule(at[Kind.ERROR_OUTBOUND], "lo", router, one, own_table),
                "the router's own ICMP errors about outbound packets",
            )
            for one in own
        ),
        *(
            (Rule(at[Kind.FROM_LAN], lan, table=own_table), "what comes from the LAN")
            for lan in request.lans
        ),
        (
            Rule(at[Kind.ERROR_INBOUND], "lo", router, table=own_table),
            "the router's own ICMP errors about inbound packets",
        ),
        (
            Rule(at[Kind.HOST], "lo", goto=end, action="goto"),
            "what the router itself sends is not for the NAT",
        ),
        *(
            (
                Rule(at[Kind.INTERNAL_FORGED], None, prefix, one, action="blackhole"),
                f"forged: these come in by {request.lan_names()} only",
            )
            for prefix in request.internal_prefixes(family)
            for one in own
        ),
        *(
            (
                Rule(at[Kind.INTERNAL_FORGED], source=f"{one.address}/32", action="blackhole"),
                "forged: this source is the host's, or the NAT's",
            )
            for one in request.shared
            if family is IPV4
        ),
        (Rule(end, action="nop"), "where packets go on that are not for the NAT"),
    )
    return tuple(Step(replace(rule, family=family), reason) for rule, reason in rules)


def _proxies(netlink: IPRoute, request: Request, number: int) -> tuple[Step, ...]:
    """Answers on the WAN's link for the external addresses that are looked for there."""
    if request.wan is None:
        return ()
    wan = link_index(netlink, request.wan)
    if wan is None:
        return ()
    looked_for = [one for one in request.own() if wan in links_of(netlink, one)]
    why = f"addresses of {request.wan}'s subnet are looked for on its link: answer for them"
    steps = []
    for external in looked_for:
        if isinstance(external, AnyNetwork):
            raise RoutingError(
                f"--nptv6 {external}: lies in the subnet of {request.wan}, whose neighbours look "
                "for each of its addresses on the link; right is a prefix that is routed to here"
            )
        steps.append(Step(ProxyNeighbour(str(external), request.wan), why))
    if any(external.version == 6 for external in looked_for):
        path = f"net/ipv6/conf/{request.wan}/proxy_ndp"
        steps.append(Step(SharedSetting(path, "1", number), why))
    return tuple(steps)


def _inside_address(netlink: IPRoute, request: Request, family: Family) -> str | None:
    """An address of this host inside the internal prefixes of the family, if it has any."""
    for _, address in addresses(netlink):
        if address.version == family.version and any(
            address in prefix for prefix in request.internal
        ):
            return str(address)
    return None
