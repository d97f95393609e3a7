"""64,000 inside hosts on one LAN port that open flows nobody answers; honest hosts beside them.

Honest hosts are addresses of one LAN host; each asks a remote that answers after 20 ms, and asks
again twice, as resolvers do.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import status, until
from ratsnake.lab import Namespace, RunningNat, Topology, nat
from ratsnake.lab.topology import LAN_INTERFACE, ROUTER_LAN

_PROGRAM = Path(__file__).with_name("forged_flood.py")
_RATE = 20_000
_INTERNAL = "198.18.0.0/15"
_KNOWN = tuple(f"198.19.0.{n}" for n in range(1, 101))
_NEW = tuple(f"198.19.1.{n}" for n in range(1, 101))
_SERVER, _SINK = 5353, 9
_DELAY = 0.02  # seconds until the remote answers, as a resolver of the provider
_TRIES, _PAUSE = 3, 1.0  # seconds


@contextmanager
def _server(internet: Namespace, address: str) -> Iterator[None]:
    """Answers on one port, late; takes what comes to the other and says nothing."""
    with internet.socket() as handle, internet.socket() as sink, ExitStack() as stack:
        handle.bind((address, _SERVER))
        sink.bind((address, _SINK))
        over = threading.Event()

        def serve() -> None:
            waiting: deque[tuple[float, bytes, tuple[str, int]]] = deque()
            handle.settimeout(_DELAY / 10)
            while not over.is_set():
                while waiting and waiting[0][0] <= time.monotonic():
                    handle.sendto(*waiting.popleft()[1:])
                try:
                    data, asker = handle.recvfrom(100)
                except TimeoutError:
                    continue
                waiting.append((time.monotonic() + _DELAY, data, asker))

        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        yield


def _served(lan: Namespace, hosts: tuple[str, ...], address: str) -> int:
    """How many of the hosts got an answer to a flow each that they opened now."""
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        waiting = set()
        for host in hosts:
            handle = stack.enter_context(lan.socket())
            handle.bind((host, 0))
            handle.connect((address, _SERVER))
            selector.register(handle, selectors.EVENT_READ)
            waiting.add(handle)
        for _ in range(_TRIES):
            for handle in waiting:
                handle.send(b"?")
            until_ = time.monotonic() + _PAUSE
            while waiting and time.monotonic() < until_:
                for key, _ in selector.select(_PAUSE / 10):
                    handle = key.fileobj
                    assert isinstance(handle, socket.socket)
                    try:
                        handle.recv(100)
                    except OSError:  # an ICMP error: no port
                        continue
                    waiting.discard(handle)
        return len(hosts) - len(waiting)


@contextmanager
def _flood(lan: Namespace, address: str) -> Iterator[list[float]]:
    """A list in which, afterwards, is how many packets a second were sent."""
    achieved: list[float] = []
    process = lan.popen(
        [sys.executable, str(_PROGRAM), address, str(_SINK), str(_RATE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield achieved
    finally:
        sent, seconds = process.communicate()[0].split()
        achieved.append(int(sent) / float(seconds))


def _prepare(topology: Topology) -> Namespace:
    """Many addresses for one LAN host, all of which the router finds there."""
    lan = topology.hosts[0].namespace
    with lan.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname="eth0")
        for address in (*_KNOWN, *_NEW):
            netlink.addr("add", index=index, address=address, prefixlen=32)
    with topology.router.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=LAN_INTERFACE)
        netlink.route("add", dst="198.19.0.0/16", oif=index, prefsrc=ROUTER_LAN)
    for interface in ("all", LAN_INTERFACE):
        topology.router.sysctl(f"net.ipv4.conf.{interface}.rp_filter", 0)
    return lan


def _gave_way(running: RunningNat) -> int:
    return int(status(running)["counters"]["gave_way"])


# How many of a hundred at least.  Nothing is promised to new hosts where 240 ports are for 20,000
# flows a second: a flow has its port for 7 ms, and its answer comes after 20.
@pytest.mark.parametrize(
    ("ports", "known_least", "new_least"), [("1024-65535", 100, 95), ("v6plus:52", 90, 0)]
)
def test_honest_hosts_open_flows_under_a_flood_of_forged_ones(
    topology: Topology, ports: str, known_least: int, new_least: int
) -> None:
    lan, address = _prepare(topology), topology.remotes[0]
    with (
        nat(topology, ports=ports, internal=(_INTERNAL,)) as running,
        _server(topology.internet, address),
    ):
        assert _served(lan, _KNOWN, address) == len(_KNOWN)
        with _flood(lan, address) as achieved:
            until(lambda: _gave_way(running) > 0, "all ports are taken")
            # In this order, for those that are served keep their ports.
            late, known = (_served(lan, hosts, address) for hosts in (_NEW, _KNOWN))
        print(f"{ports}: {achieved[0]:.0f} packets/s; known {known}, new {late} of 100")
        assert known >= known_least
        assert late >= new_least
        usage = status(running)["usage"]
        assert usage["hosts"] <= usage["mappings"] + 1
