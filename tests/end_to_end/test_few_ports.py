"""A MAP-E line's 240 external ports, and thousands of real connections at once."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from end_to_end.harness import DEADLINE, drops, rows, status
from ratsnake.lab import Host, RunningNat, Topology, nat
from ratsnake.lab.icmp_echo import ECHO_REPLY, ECHO_REQUEST, Echo, unpack

_PSID = 52
#: RFC 7597 section 5.1 with an offset of 4 bits and a PSID of 8.
_PORTS = {block << 12 | _PSID << 4 | last for block in range(1, 16) for last in range(16)}
_NAT_TYPE = "quasi-restricted-cone"
_REMOTES = 100
_CONNECTIONS = 5000
_BATCH = 250  # connections that open at once: less than a listener's queue holds
_PORT = 8000
_IDENTIFIERS = 4  # of each host to each remote
_PAYLOAD = b"which identifier?"

Sockets = list[socket.socket]


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have both ends of every connection open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * _CONNECTIONS + 1000
    soft, hard = (max(limit, needed) for limit in before)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def line() -> Iterator[tuple[Topology, RunningNat]]:
    """Two LAN hosts and a hundred remotes, with a PSID's ports between them."""
    with (
        Topology(hosts=2, remotes=_REMOTES) as topology,
        nat(topology, _NAT_TYPE, ports=f"v6plus:{_PSID}") as running,
    ):
        yield topology, running


def _connect(topology: Topology, stack: ExitStack) -> tuple[Sockets, Sockets]:
    """All connections: their inside ends, and their outside ends in another order."""
    listener = stack.enter_context(topology.internet.socket(kind=socket.SOCK_STREAM))
    listener.bind(("", _PORT))
    listener.listen(_BATCH)
    listener.settimeout(DEADLINE)
    inside: Sockets = []
    outside: Sockets = []
    for start in range(0, _CONNECTIONS, _BATCH):
        for number in range(start, start + _BATCH):
            host = topology.hosts[number // _REMOTES % 2].namespace
            near = stack.enter_context(host.socket(kind=socket.SOCK_STREAM))
            near.setblocking(False)
            near.connect_ex((topology.remotes[number % _REMOTES], _PORT))
            near.settimeout(DEADLINE)
            inside.append(near)
        for _ in range(_BATCH):
            far = stack.enter_context(listener.accept()[0])
            far.settimeout(DEADLINE)
            outside.append(far)
    return inside, outside


def test_five_thousand_connections_at_once(
    many_files: None, line: tuple[Topology, RunningNat]
) -> None:
    """To 100 remotes, 50 each; all are open before the first says a word."""
    topology, running = line
    with ExitStack() as stack:
        inside, outside = _connect(topology, stack)
        for number, near in enumerate(inside):
            near.sendall(b"%d" % number)
        for far in outside:
            number = int(far.recv(100))
            assert far.getsockname()[0] == topology.remotes[number % _REMOTES]
            far.sendall(b"%d echoed" % number)
        for number, near in enumerate(inside):
            assert near.recv(100) == b"%d echoed" % number
        seen = {(far.getsockname()[0], far.getpeername()[1]) for far in outside}
        assert len(seen) == _CONNECTIONS  # one port for each connection, at each remote
        assert {port for _, port in seen} <= _PORTS
        usage = status(running)["usage"]
        assert usage["sessions"] == _CONNECTIONS
        assert usage["ports"]["tcp"]["total"] == len(_PORTS) == 240
        assert drops(running) == {}


def _ping(host: Host, remote: str) -> None:
    """Several Echo identifiers at once, each answered with its own."""
    identifiers = range(1000, 1000 + _IDENTIFIERS)
    with host.namespace.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP) as near:
        near.settimeout(DEADLINE)
        for identifier in identifiers:
            near.sendto(Echo(ECHO_REQUEST, identifier, 1, _PAYLOAD).pack(), (remote, 0))
        missing = {Echo(ECHO_REPLY, identifier, 1, _PAYLOAD) for identifier in identifiers}
        while missing:
            answer = unpack(near.recv(2000))
            assert answer in missing
            missing.discard(answer)


def test_echo_identifiers_are_of_the_port_set_too(line: tuple[Topology, RunningNat]) -> None:
    """RFC 7597 section 8.2: eight hundred at once, of 240 numbers."""
    topology, running = line
    internet = topology.internet
    with internet.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP) as watch:
        watch.settimeout(DEADLINE)
        seen = set()
        for remote in topology.remotes:
            for host in topology.hosts:
                _ping(host, remote)
            for _ in range(2 * _IDENTIFIERS):
                packet, _ = watch.recvfrom(2000)
                request = unpack(packet)
                assert request is not None and request.payload == _PAYLOAD
                seen.add((remote, request.identifier))
        assert len(seen) == _REMOTES * 2 * _IDENTIFIERS
        assert {identifier for _, identifier in seen} <= _PORTS
        assert {row["external_port"] for row in rows(running, "mappings")} <= _PORTS
        assert drops(running) == {}
