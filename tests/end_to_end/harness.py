"""What the end-to-end tests share: looking at a running NAT, and waiting for a condition."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ratsnake.daemon.control.control_client import ask
from ratsnake.host.kernel.kernel_state import proxies
from ratsnake.lab import EXTERNAL, Namespace, RunningNat, Topology
from ratsnake.lab.topology import ROUTER_WAN, WAN_INTERFACE

DEADLINE = 20.0  # seconds until what must happen is given up
_PAUSE = 0.01

DEVICE = "ratsnake"

#: External addresses routed here, of the WAN's subnet, and the router's own, each with its flags.
PLACES = {
    EXTERNAL: (),
    "198.51.100.200": ("--wan", WAN_INTERFACE),
    ROUTER_WAN: ("--wan", WAN_INTERFACE, "--share-address"),
}

_ANYCAST = 4  # RTN_ANYCAST: the kernel has those routes exactly while it forwards


def status(nat: RunningNat) -> dict[str, Any]:
    """The status object of the running NAT."""
    (answer,) = ask(str(nat.control), "status")
    return answer


def helper_of(nat: RunningNat) -> int:
    """The process that undoes the NAT's changes to the host."""
    parent = nat.process.pid
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


def rows(nat: RunningNat, table: str) -> list[dict[str, Any]]:
    """All rows of "mappings" or "sessions"."""
    return list(ask(str(nat.control), table))


def drops(nat: RunningNat) -> dict[str, int]:
    """How many packets were dropped, for the reasons that have any."""
    dropped = status(nat)["counters"]["dropped"]
    return {reason: count for reason, count in dropped.items() if count}


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask until it is so, with pauses that leave the processor to what is to make it so."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        time.sleep(_PAUSE)
        assert time.monotonic() < deadline, f"not in {DEADLINE:.0f} s: {what}"


def readable(handle: socket.socket, seconds: float = DEADLINE) -> bool:
    """Whether something came in that time (0: is there)."""
    return bool(select.select([handle], [], [], seconds)[0])


@contextmanager
def udp_pair(
    topology: Topology, host: int = 0, remote: int = 0, port: int = 0, version: int = 4
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A LAN socket connected to a remote's, which is bound to `port`; nothing has been sent."""
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    with (
        topology.hosts[host].namespace.socket(family) as near,
        topology.internet.socket(family) as far,
    ):
        far.bind((topology.remotes_of(version)[remote], port))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        yield near, far


def greet(near: socket.socket, far: socket.socket) -> tuple[str, int]:
    """One datagram out and one back; returns the external endpoint."""
    near.send(b"out")
    message, external = far.recvfrom(100)
    assert message == b"out"
    far.sendto(b"back", external)
    assert near.recv(100) == b"back"
    return str(external[0]), int(external[1])


def nice_values(process: int) -> set[int]:
    """The nice values of its threads (the 19th field of proc(5)'s stat)."""
    folder = Path(f"/proc/{process}/task")
    stats = [(one / "stat").read_text() for one in folder.iterdir()]
    return {int(stat.rpartition(")")[2].split()[16]) for stat in stats}


def router_state(topology: Topology) -> dict[str, object]:
    """What `ratsnake run` may change on a router: to be the same after it."""
    with topology.router.netlink() as netlink:
        families = (socket.AF_INET, socket.AF_INET6)
        rules = [rule for family in families for rule in netlink.get_rules(family=family)]
        addresses = [one for family in families for one in netlink.get_addr(family=family)]
        return {
            "interfaces": sorted(link.get_attr("IFLA_IFNAME") for link in netlink.get_links()),
            "rules": sorted(str(rule["attrs"]) for rule in rules),
            "routes": sorted(str(route["attrs"]) for route in netlink.get_routes(family=2)),
            "routes of IPv6": sorted(
                f"{route.get_attr('RTA_DST')} {route.get_attr('RTA_OIF')} {route['type']}"
                for route in netlink.get_routes(family=socket.AF_INET6)
                if route["type"] != _ANYCAST and not _link_local(route.get_attr("RTA_DST"))
            ),
            "answered for": sorted(str(entry["attrs"]) for entry in proxies(netlink)),
            "addresses": sorted(
                str(address.get_attr("IFA_ADDRESS"))
                for address in addresses
                if not _link_local(address.get_attr("IFA_ADDRESS"))
            ),
            "settings": _settings(topology.router),
        }


def _link_local(address: str | None) -> bool:
    """Whether it is one that the kernel gives an interface by itself, some time after its start."""
    return address is not None and address.startswith("fe80:")


def without_left(state: dict[str, object]) -> dict[str, object]:
    """A router's state without the settings that a killed run leaves changed.

    What the killed one had found, and would have put back, nobody knows any more.
    """
    settings = state["settings"]
    assert isinstance(settings, dict)
    kept = {path: value for path, value in settings.items() if not path.endswith(_LEFT_SET)}
    return {**state, "settings": kept}


def _settings(namespace: Namespace) -> dict[str, str]:
    """Every setting of IP in the namespace and of its own interfaces."""

    def read() -> dict[str, str]:
        folders = [Path("/proc/sys/net/ipv4")]
        for version in ("ipv4", "ipv6"):
            conf = Path("/proc/sys/net", version, "conf")
            folders += [conf / name for name in ("all", "default", "lan0", "wan0")]
        found = {}
        for folder in folders:
            for path in folder.iterdir() if folder.exists() else ():
                if path.is_file() and path.name not in _UNSTABLE:
                    found[str(path)] = path.read_text()
        return found

    return namespace.run(read)


_LEFT_SET = (
    "ip_forward",
    "forwarding",
    "accept_redirects",
    "icmp_errors_use_inbound_ifaddr",
    "proxy_ndp",
)
#: Not settings but measures, or not readable.
_UNSTABLE = {"tcp_mem", "udp_mem", "flush", "tcp_fastopen_key", "stable_secret"}
