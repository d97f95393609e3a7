"""What the kernel has of rules, routes, links, addresses and proxy entries.

What was planned is held against it.  It is only read, each part once and when it is asked for, over
an IPRoute with strict checks.

Routes are those of ours: the kernel picks them out, for a router may have a million.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from .ip_family import known
from .route_dump import PROTOCOL, routes_of

if TYPE_CHECKING:
    from pyroute2 import IPRoute

NTF_PROXY = 8  # of linux/neighbour.h
_TO_TABLE = 1  # FR_ACT_TO_TBL of linux/fib_rules.h


class KernelState:
    """Messages as pyroute2 has them."""

    def __init__(self, netlink: IPRoute) -> None:
        self._netlink = netlink

    @cached_property
    def rules(self) -> list[Any]:
        """All rules of each family, in the order in which the kernel tries them."""
        return [
            rule for family in known() for rule in self._netlink.get_rules(family=family.number)
        ]

    @cached_property
    def rule_keys(self) -> frozenset[tuple[Any, ...]]:
        """As `Rule.key` of `routing.changes`: each of ours asks whether it is among them."""
        return frozenset(map(_key, self.rules))

    @cached_property
    def routes(self) -> list[Any]:
        """Of all tables, those that bear our mark."""
        return routes_of(self._netlink, protocol=PROTOCOL)

    @cached_property
    def links(self) -> dict[str, Any]:
        """By name."""
        return {link.get_attr("IFLA_IFNAME"): link for link in self._netlink.get_links()}

    def index(self, name: str) -> int | None:
        """The index of the interface called `name`, or None."""
        return int(self.links[name]["index"]) if name in self.links else None

    @cached_property
    def addresses(self) -> set[tuple[int, str]]:
        """Each with the index of its interface."""
        return {
            (address["index"], address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS"))
            for family in known()
            for address in self._netlink.get_addr(family=family.number)
        }

    @cached_property
    def proxies(self) -> set[tuple[int, str]]:
        """Addresses that the host answers for, each with the index of the interface."""
        return {(entry["ifindex"], entry.get_attr("NDA_DST")) for entry in proxies(self._netlink)}


def proxies(netlink: IPRoute) -> list[Any]:
    """All proxy entries of the host."""
    return [
        entry
        for family in known()
        # A filter of our own, or pyroute2 takes the flags for one.
        for entry in netlink.neigh(
            "dump", dump_filter=lambda _: True, family=family.number, flags=NTF_PROXY
        )
    ]


def _key(rule: Any) -> tuple[Any, ...]:
    """What tells one rule from another."""
    action, source, destination = rule["action"], rule.get_attr("FRA_SRC"), rule.get_attr("FRA_DST")
    mask = rule.get_attr("FRA_FWMASK")
    return (
        rule["family"],
        rule.get_attr("FRA_PRIORITY") or 0,
        action,
        rule.get_attr("FRA_IIFNAME"),
        f"{source}/{rule['src_len']}" if source else None,
        f"{destination}/{rule['dst_len']}" if destination else None,
        rule.get_attr("FRA_TABLE") if action == _TO_TABLE else None,
        rule.get_attr("FRA_GOTO"),
        rule.get_attr("FRA_IP_PROTO"),
        rule.get_attr("FRA_DPORT_RANGE"),
        (rule.get_attr("FRA_FWMARK") or 0, mask) if mask else None,
    )
