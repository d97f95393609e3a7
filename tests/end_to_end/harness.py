"""What the end-to-end tests share: looking at a running NAT, and waiting for a condition."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ratsnake.daemon.client import ask
from ratsnake.lab import Namespace, RunningNat, Topology

DEADLINE = 20.0  # seconds until what must happen is given up

DEVICE = "ratsnake"


def status(nat: RunningNat) -> dict[str, Any]:
    """The status object of the running NAT."""
    (answer,) = ask(str(nat.control), "status")
    return answer


def rows(nat: RunningNat, table: str) -> list[dict[str, Any]]:
    """All rows of "mappings" or "sessions"."""
    return list(ask(str(nat.control), table))


def drops(nat: RunningNat) -> dict[str, int]:
    """How many packets were dropped, for the reasons that have any."""
    dropped = status(nat)["counters"]["dropped"]
    return {reason: count for reason, count in dropped.items() if count}


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask until it is so.  What is asked (the control socket, the kernel) takes the time."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not in {DEADLINE:.0f} s: {what}"


def readable(handle: socket.socket, seconds: float = DEADLINE) -> bool:
    """Whether something came in that time (0: is there)."""
    return bool(select.select([handle], [], [], seconds)[0])


@contextmanager
def udp_pair(
    topology: Topology, host: int = 0, remote: int = 0, port: int = 0
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A LAN socket connected to a remote's, which is bound to `port`; nothing has been sent."""
    with topology.hosts[host].namespace.socket() as near, topology.internet.socket() as far:
        far.bind((topology.remotes[remote], port))
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


def router_state(topology: Topology) -> dict[str, object]:
    """What `ratsnake run` may change on a router: to be the same after it."""
    with topology.router.netlink() as netlink:
        return {
            "interfaces": sorted(link.get_attr("IFLA_IFNAME") for link in netlink.get_links()),
            "rules": sorted(str(rule["attrs"]) for rule in netlink.get_rules(family=2)),
            "routes": sorted(str(route["attrs"]) for route in netlink.get_routes(family=2)),
            "addresses": sorted(
                str(address.get_attr("IFA_ADDRESS")) for address in netlink.get_addr(family=2)
            ),
            "settings": _settings(topology.router),
        }


def _settings(namespace: Namespace) -> dict[str, str]:
    """Every IPv4 setting of the namespace and its own interfaces."""

    def read() -> dict[str, str]:
        folders = [Path("/proc/sys/net/ipv4"), Path("/proc/sys/net/ipv4/conf/all")]
        folders += [Path("/proc/sys/net/ipv4/conf/lan0"), Path("/proc/sys/net/ipv4/conf/wan0")]
        found = {}
        for folder in folders:
            for path in folder.iterdir():
                if path.is_file() and path.name not in _UNSTABLE:
                    found[str(path)] = path.read_text()
        return found

    return namespace.run(read)


#: Not settings but measures, or not readable.
_UNSTABLE = {"tcp_mem", "udp_mem", "flush", "tcp_fastopen_key"}
