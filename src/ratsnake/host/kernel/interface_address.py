"""The address an interface has: which of several is meant, and why there is none.  Only read.

Meant is one of global scope that is neither the second of its subnet nor temporary (RFC 8981), and
that may be used now: not while it is looked for on the link (tentative) or on its way out
(deprecated).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from ..processes.forked_call import in_child
from .interfaces import interface_names
from .ip_family import FAMILIES, AnyAddress, known

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_SCOPE_UNIVERSE = 0
_SCOPES = {200: "site scope", 253: "link scope", 254: "host scope"}
#: IFA_F_… of linux/if_addr.h, what they make of an address, and that it is then not meant.
_SECONDARY = 0x01  # of IPv6: temporary
_UNUSABLE = {0x08: "found twice on the link", 0x20: "deprecated", 0x40: "tentative"}
_UNIQUE_LOCAL = IPv6Network("fc00::/7")


@dataclass(frozen=True)
class InterfaceAddress:
    """The IPv4 or IPv6 address of the interface of that name, whatever it is at the time."""

    interface: str
    version: int = 4

    def __str__(self) -> str:
        return f"interface:{self.interface}{'/ipv6' if self.version == 6 else ''}"


@dataclass(frozen=True)
class Found:
    """The addresses that may be meant, the likeliest first.

    `index` is the interface's, None where there is none; `problem` says what there is where no
    address can be meant, else it is "".
    """

    index: int | None
    usable: tuple[AnyAddress, ...]
    problem: str = ""

    def choose(self, current: AnyAddress | None) -> AnyAddress | None:
        """The current one as long as it may be meant."""
        if current in self.usable:
            return current
        return self.usable[0] if self.usable else None


def look(wanted: Collection[InterfaceAddress]) -> Mapping[InterfaceAddress, Found]:
    """What there is of each; raises ChildError."""
    return in_child(_look, tuple(wanted))


def _look(wanted: tuple[InterfaceAddress, ...]) -> dict[InterfaceAddress, Found]:
    from pyroute2 import IPRoute

    with IPRoute() as netlink:
        return {one: _found(netlink, one) for one in wanted}


def _found(netlink: IPRoute, wanted: InterfaceAddress) -> Found:
    names = interface_names(netlink)
    index = next((number for number, name in names.items() if name == wanted.interface), None)
    if index is None:
        there = ", ".join(sorted(names.values()))
        return Found(None, (), f"there is no interface {wanted.interface} (there are {there})")
    usable: list[AnyAddress] = []
    others: list[str] = []
    for address, flaws in _addresses(netlink, index, wanted.version):
        if flaws:
            others.append(f"{address} ({', '.join(flaws)})")
        else:
            usable.append(address)
    usable.sort(key=lambda one: isinstance(one, IPv6Address) and one in _UNIQUE_LOCAL)
    if usable:
        return Found(index, tuple(usable))
    kind = f"IPv{wanted.version} address"
    if others:
        problem = f"{wanted.interface} has no {kind} to use, only {', '.join(others)}"
    else:
        problem = f"{wanted.interface} has no {kind}"
    return Found(index, (), problem)


def _addresses(
    netlink: IPRoute, index: int, version: int
) -> Iterator[tuple[AnyAddress, list[str]]]:
    """The interface's addresses, each with why it is not meant."""
    family = next(family for family in FAMILIES if family.version == version)
    if family not in known():
        return
    for message in netlink.get_addr(family=family.number, index=index):
        # Of a point-to-point link IFA_ADDRESS is the other end's.
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        yield ip_address(text), list(_flaws(message, version))


def _flaws(message: Any, version: int) -> Iterator[str]:
    if message["scope"] != _SCOPE_UNIVERSE:
        yield _SCOPES.get(message["scope"], "not of global scope")
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    if flags & _SECONDARY:
        yield "temporary" if version == 6 else "secondary"
    for flag, flaw in _UNUSABLE.items():
        if flags & flag:
            yield flaw
