"""Several external addresses, computed ports, limits for each host, and what is not translated."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, greet, readable, rows, udp_pair, until
from end_to_end.programs import run, server
from ratsnake.lab import EXTERNAL, EXTERNAL_2, LAN_PREFIX, Host, RunningNat, Topology, nat
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import ROUTER_WAN

Find = Callable[[str], str]

_POOL = (EXTERNAL, EXTERNAL_2)
_ADDRESSES = tuple(f"192.0.2.{last}" for last in range(140, 164))  # of one LAN host
_PREFIXES = "2001:db8:1::/64=2001:db8:3::/64"
#: RFC 6296 section 3.5 by hand: the subnet word grows by 2, so the next word becomes 0 - 2.
_EXCHANGED = "2001:db8:3:0:fffd::130"


@contextmanager
def _inside_addresses(topology: Topology) -> Iterator[list[socket.socket]]:
    """A socket of each of _ADDRESSES, all of which are added to the first host."""
    namespace = topology.hosts[0].namespace
    with namespace.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname="eth0")
        for address in _ADDRESSES:
            netlink.addr("add", index=index, address=address, prefixlen=25)
    with ExitStack() as stack:
        handles = []
        for address in _ADDRESSES:
            handles.append(stack.enter_context(namespace.socket()))
            handles[-1].bind((address, 0))
        yield handles


@contextmanager
def _far(topology: Topology, remote: int = 0) -> Iterator[socket.socket]:
    with topology.internet.socket() as handle:
        handle.bind((topology.remotes[remote], 0))
        handle.settimeout(DEADLINE)
        yield handle


def _seen(near: socket.socket, far: socket.socket) -> tuple[str, int]:
    """The external endpoint from which a datagram arrives."""
    message = os.urandom(16)
    near.sendto(message, far.getsockname())
    received, source = far.recvfrom(100)
    assert received == message
    return str(source[0]), int(source[1])


def test_paired_pooling(topology: Topology) -> None:
    """Whatever its ports and remotes, an inside address has one external (RFC 4787 REQ-2)."""
    with (
        nat(topology, "symmetric", external=_POOL) as running,
        _inside_addresses(topology) as inside,
        ExitStack() as stack,
    ):
        remotes = [stack.enter_context(_far(topology, number)) for number in range(3)]
        found = {}
        for near in inside:
            address = near.getsockname()[0]
            with topology.hosts[0].namespace.socket() as another:
                another.bind((address, 0))
                seen = {_seen(handle, far)[0] for handle in (near, another) for far in remotes}
            (found[address],) = seen
        assert set(found.values()) == set(_POOL)
        assert drops(running) == {}


def test_arbitrary_pooling(topology: Topology) -> None:
    """One inside address is seen from both; each endpoint keeps its own, as EIM has it."""
    with (
        nat(topology, external=_POOL, arguments=("--pooling", "arbitrary")) as running,
        ExitStack() as stack,
    ):
        remotes = [stack.enter_context(_far(topology, number)) for number in range(3)]
        found = set()
        for _ in range(40):
            with topology.hosts[0].namespace.socket() as near:
                near.bind((topology.hosts[0].address, 0))
                (endpoint,) = {_seen(near, far) for far in remotes}
                found.add(endpoint[0])
        assert found == set(_POOL)
        assert drops(running) == {}


def _who(subject: str) -> str:
    flags = [word for address in _POOL for word in ("--external", address)]
    command = [sys.executable, "-m", "ratsnake", "who", subject, *flags, "--internal", LAN_PREFIX]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=DEADLINE)
    return done.stdout.strip()


def test_deterministic_ports_are_what_who_says(topology: Topology) -> None:
    """Both ways: whose a port is, and which an address has (RFC 7422)."""
    with (
        nat(topology, external=_POOL, arguments=("--deterministic",)) as running,
        _inside_addresses(topology) as inside,
        _far(topology) as far,
    ):
        seen = {near.getsockname()[0]: _seen(near, far) for near in inside}
        for address in (_ADDRESSES[0], _ADDRESSES[-1]):
            external, port = seen[address]
            assert _who(f"{external}:{port}") == address
            assert _is_among(port, _who(address), external)
        ranges = {_who(address) for address in _ADDRESSES[:3]}
        assert len(ranges) == 3
        assert drops(running) == {}


def _is_among(port: int, answer: str, external: str) -> bool:
    """Whether `203.0.113.1 ports 1024-2031,…` says so."""
    address, word, ranges = answer.split()
    assert (address, word) == (external, "ports")
    pairs = (one.partition("-") for one in ranges.split(","))
    return any(int(first) <= port <= int(last or first) for first, _, last in pairs)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("host-sessions=3", "host-limit"), ("host-mappings=3", "host-limit")],
)
def test_a_host_at_its_limit_gets_no_more(topology: Topology, limit: str, reason: str) -> None:
    """What it has goes on, and another host is unaffected."""
    with nat(topology, arguments=("--limit", limit)) as running, ExitStack() as stack:
        pairs = [stack.enter_context(udp_pair(topology)) for _ in range(3)]
        for near, far in pairs:
            greet(near, far)
        surplus, unreached = stack.enter_context(udp_pair(topology))
        surplus.send(b"one more")
        until(lambda: drops(running) == {reason: 1}, "it is refused")
        assert not readable(unreached, 0)
        for near, far in pairs:
            greet(near, far)
        for _ in range(3):
            greet(*stack.enter_context(udp_pair(topology, host=1)))
        assert drops(running) == {reason: 1}
        inside = [row["internal"] for row in rows(running, "sessions")]
        assert sorted(inside.count(host.address) for host in topology.hosts) == [3, 3]


def test_a_prefix_that_is_not_translated(topology: Topology) -> None:
    """The inside is seen as it is, both ways; remotes beside the prefix see the external one."""
    untranslated = f"{topology.remotes[0]}/32"
    with topology.internet.netlink() as netlink:
        netlink.route("add", dst=LAN_PREFIX, gateway=ROUTER_WAN)
    with nat(topology, arguments=("--no-nat", untranslated)) as running:
        assert ping(topology.hosts[0], topology.remotes[0]) > 0
        with udp_pair(topology) as (near, far):
            assert greet(near, far) == near.getsockname()
        assert rows(running, "sessions") == []
        with udp_pair(topology, remote=1) as (near, far):
            assert greet(near, far)[0] == EXTERNAL
        assert drops(running) == {}


@contextmanager
def _exchanging(topology: Topology) -> Iterator[RunningNat]:
    with nat(topology, arguments=("--nptv6", _PREFIXES)) as running:
        yield running
        assert drops(running) == {}
        assert rows(running, "sessions") == []


def test_nptv6_exchanges_prefixes_both_ways(dual: Topology) -> None:
    """A host is its own address outside, with its own ports, for what strangers send too."""
    host, remote = dual.hosts[0], dual.remotes_6[0]
    with _exchanging(dual):
        with udp_pair(dual, version=6) as (near, far):
            assert greet(near, far) == (_EXCHANGED, near.getsockname()[1])
        for size in (56, 4000):
            assert ping(host, remote, size) > 0
            assert ping(Host(dual.internet, remote), _EXCHANGED, size) > 0


def test_curl_through_nptv6(dual: Topology, program: Find, tmp_path: Path) -> None:
    curl = program("curl")
    content = os.urandom(4 << 20)
    (tmp_path / "file").write_bytes(content)
    inside, outside, fetched = dual.hosts[0].namespace, dual.internet, tmp_path / "fetched"
    serve = (sys.executable, "-m", "http.server", "-b", "::", "8000")
    with _exchanging(dual):
        for client, serving, address in (
            (inside, outside, dual.remotes_6[0]),
            (outside, inside, _EXCHANGED),
            (dual.hosts[1].namespace, inside, _EXCHANGED),
        ):
            with server(serving, 8000, *serve, cwd=tmp_path):
                url = f"http://[{address}]:8000/file"
                run(client, curl, "-gsSf", "--noproxy", "*", "-o", str(fetched), url)
            assert hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(content).digest()
            fetched.unlink()
