"""What keeps a NAT that runs from working and is not its own to mend.  Only read.

Interfaces that are down, gone or renamed; rules and routes of the host that are gone; settings; a
packet filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from socket import if_nametoindex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..installation.host_problem import Problem
from ..installation.leftovers import left_by_all
from ..installation.preflight_checks import not_there_yet
from ..kernel.default_routes import DefaultRoute, default_routes
from ..kernel.ip_family import Family, known
from ..kernel.kernel_state import KernelState
from ..kernel.route_dump import MAIN_TABLE
from ..packet_filter.firewall_check import firewall_warnings
from ..processes.forked_call import in_child
from ..routing.local_table_rule import LOCAL_TABLE
from ..routing.sysctl_changes import sysctl_name

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..routing.routing_request import Request

_PROC_SYS = Path("/proc/sys")
_IFF_UP, _IFF_RUNNING = 1, 0x40
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Known:
    """What was there before: the index of each interface by its name, and the default routes by the
    version of IP.  What never was is not missed."""

    indices: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    routes: Mapping[int, DefaultRoute] = field(default_factory=lambda: _NOTHING)

    def with_now(self, kernel: KernelState, request: Request) -> Known:
        """And what there is now."""
        now = {name: kernel.index(name) for _, name in _interfaces(request)}
        there = {name: index for name, index in now.items() if index is not None}
        return self.updated(Known(there, default_routes(request.device)))

    def updated(self, now: Known) -> Known:
        return Known({**self.indices, **now.indices}, {**self.routes, **now.routes})


def known_now(request: Request) -> Known:
    """What there is now; without pyroute2."""
    indices = {}
    for name in request.interfaces():
        with suppress(OSError):
            indices[name] = if_nametoindex(name)
    return Known(indices, default_routes(request.device))


def problems(kernel: KernelState, request: Request, known: Known) -> Iterator[Problem]:
    """All but what the packet filter does."""
    yield from _links(kernel, request, known)
    for family in request.families():
        yield from missing_rules(kernel, family)
        yield from _forwarding(kernel, request, family)
    there = default_routes(request.device)
    for version, route in known.routes.items():
        if version not in there and version in {one.version for one in request.families()}:
            yield Problem(
                f"the default route of IPv{version} is gone: nothing leaves by it", str(route)
            )


def problems_without_run() -> tuple[Problem, ...]:
    """What killed runs left behind, and which of the kernel's own rules are gone."""
    return in_child(_problems_without_run)


def _problems_without_run() -> tuple[Problem, ...]:
    from pyroute2 import IPRoute

    with IPRoute(strict_check=True) as netlink:
        count = len(left_by_all(netlink).all())
        kernel = KernelState(netlink)
        changes = "1 change" if count == 1 else f"{count} changes"
        left = Problem(f"a killed run left {changes} to this host", "ratsnake host repair")
        rules = (missing_rules(kernel, family) for family in known())
        return (*([left] if count else []), *chain.from_iterable(rules))


def filter_problems(netlink: IPRoute, request: Request) -> tuple[Problem, ...]:
    """What the packet filter does to the NAT's packets."""
    return tuple(Problem(one) for one in firewall_warnings(netlink, request))


def _interfaces(request: Request) -> Iterator[tuple[str, str]]:
    """Each with the flag that names it."""
    yield "--device", request.device
    for name in request.lans:
        yield "--lan", name
    if request.wan is not None:
        yield "--wan", request.wan


def _links(kernel: KernelState, request: Request, known: Known) -> Iterator[Problem]:
    names = {link["index"]: name for name, link in kernel.links.items()}
    for flag, name in _interfaces(request):
        link = kernel.links.get(name)
        called = names.get(known.indices.get(name, 0))
        if link is None and called:
            yield Problem(
                f"interface {name} is now called {called}, and this NAT has {flag} {name}",
                f"ip link set {called} name {name}",
            )
        elif link is None and name not in known.indices:
            yield Problem(not_there_yet(flag, name, kernel.links), topic=f"{flag} {name} to come")
        elif link is None:
            yield Problem(f"interface {name} ({flag}) is gone: it works again when it is back")
        elif not link["flags"] & _IFF_UP:
            yield Problem(f"interface {name} is down", f"ip link set {name} up")
        elif flag == "--wan" and not link["flags"] & _IFF_RUNNING:
            yield Problem(f"interface {name} has no carrier: look at its cable and modem")


def missing_rules(kernel: KernelState, family: Family) -> Iterator[Problem]:
    """The kernel's own rules.  Runs that share an address see to the local table themselves."""
    looked_up = {
        rule.get_attr("FRA_TABLE")
        for rule in kernel.rules
        if rule["family"] == family.number and rule["action"] == 1
    }
    ip = "ip" if family.version == 4 else "ip -6"
    if MAIN_TABLE not in looked_up:
        yield Problem(
            f"no rule of IPv{family.version} looks into the main table: no route there counts",
            f"{ip} rule add priority 32766 protocol kernel lookup main",
        )
    if LOCAL_TABLE not in looked_up:
        yield Problem(
            f"no rule of IPv{family.version} looks into the local table: this host is cut off",
            f"{ip} rule add priority 0 protocol kernel lookup local",
        )


def _forwarding(kernel: KernelState, request: Request, family: Family) -> Iterator[Problem]:
    """Where the host forwards as a whole, an interface may not."""
    for _, name in _interfaces(request):
        path = Path(family.settings, "conf", name, "forwarding")
        try:
            value = (_PROC_SYS / path).read_text().strip()
        except OSError:  # it is gone, or has no IPv6
            continue
        if value == "0":
            yield Problem(
                f"interface {name} does not forward IPv{family.version}",
                f"sysctl -w {sysctl_name(str(path))}=1",
            )
