"""What another run of ratsnake that lives has already, and so this one cannot have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..routing.routing_request import Request, RoutingError
from ..routing.running_instances import Kind, SharingKind, externals_of, live, own_rules, priority

if TYPE_CHECKING:
    from pyroute2 import IPRoute


def refuse_what_others_have(netlink: IPRoute, request: Request, number: int) -> None:
    """Raises `RoutingError` that names the other run's device; `number` is this run's own.

    Two runs may serve one LAN where their families differ, and share an address by port.
    """
    runs = own_rules(netlink)
    for other in sorted(live(netlink, runs) - {number}):
        rules = runs[other]
        _refuse_lans(request, other, rules)
        _refuse_externals(request, other, rules)
        _refuse_ports(request, other, rules)


def _refuse_lans(request: Request, other: int, rules: Iterable[Any]) -> None:
    families = {family.number for family in request.families()}
    for rule in rules:
        name = rule.get_attr("FRA_IIFNAME")
        if (
            rule.get_attr("FRA_PRIORITY") == priority(Kind.FROM_LAN, other)
            and rule["family"] in families
            and name in request.lans
        ):
            raise RoutingError(
                f"--lan {name}: another ratsnake ({_device(other, rules)}) has its packets; stop "
                "that one, or leave the interface to it"
            )


def _refuse_externals(request: Request, other: int, rules: Iterable[Any]) -> None:
    shared = request.shared_addresses()
    theirs = externals_of(other, rules)
    ours = zip(request.external, request.external_networks(), strict=True)
    for external, network in ours:
        if external not in shared and any(
            network.version == one.version and network.overlaps(one) for one in theirs
        ):
            raise RoutingError(
                f"--external {external}: another ratsnake ({_device(other, rules)}) has it; stop "
                "that one, or give each an address of its own"
            )


def _refuse_ports(request: Request, other: int, rules: Iterable[Any]) -> None:
    ours = {
        (f"{one.address}", protocol, span)
        for one in request.shared
        for protocol, spans in one.ports
        for span in spans
    }
    for rule in rules:
        text = rule.get_attr("FRA_DPORT_RANGE")
        if rule.get_attr("FRA_PRIORITY") != priority(SharingKind.SHARED, other) or not text:
            continue
        first, last = _span(text)
        for address, protocol, span in sorted(ours):
            if (address, protocol) == (
                rule.get_attr("FRA_DST"),
                rule.get_attr("FRA_IP_PROTO"),
            ) and (span[0] <= last and first <= span[1]):
                raise RoutingError(
                    f"--external {address}: ports {first}-{last} of it are those of another "
                    f"ratsnake ({_device(other, rules)}); give each --ports of its own"
                )


def _span(found: Any) -> tuple[int, int]:
    """The first and the last port, as pyroute2 has them."""
    if isinstance(found, dict):
        return int(found["start"]), int(found["end"])
    first, _, last = str(found).partition(":")
    return int(first), int(last or first)


def _device(other: int, rules: Iterable[Any]) -> str:
    names = [
        str(rule.get_attr("FRA_IIFNAME"))
        for rule in rules
        if rule.get_attr("FRA_PRIORITY") == priority(Kind.FROM_DEVICE, other)
    ]
    return f"device {names[0]}" if names else "whose device is not known"
