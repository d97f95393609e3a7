"""What the NAT itself says, as real sockets hear it; segment sizes; connections from both sides."""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from end_to_end.frames import ICMP, SYN, TCP, captured, sniffer
from end_to_end.harness import DEADLINE, drops, rows, status, udp_pair, until
from ratsnake.lab import (
    CONTESTED_PORTS,
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    RunningNat,
    Topology,
    nat,
    traffic_generator,
)

Find = Callable[[str], str]

_EXTERNALS = {4: EXTERNAL, 6: EXTERNAL_6}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_PORT_UNREACHABLE = (3, 3)
_IP_RECVERR = 11  # linux/in.h: errors that are not fatal are told too
_TCP_ESTABLISHED = 1  # net/tcp_states.h
_TIMESTAMPS = 12  # octets of every segment
_MTU = 1400
_IP_AND_TCP = {4: 40, 6: 60}


@contextmanager
def _both(topology: Topology, *arguments: str, ports: str | None = None) -> Iterator[RunningNat]:
    """A NAT of both versions."""
    external, internal = tuple(_EXTERNALS.values()), (LAN_PREFIX, LAN_PREFIX_6)
    with nat(
        topology, ports=ports, external=external, internal=internal, arguments=arguments
    ) as running:
        yield running


def _begin(handle: socket.socket, to: tuple[str, int]) -> socket.socket:
    """Begin to connect; the result is the socket's error."""
    handle.setblocking(False)
    assert handle.connect_ex(to) in (0, errno.EINPROGRESS)
    handle.settimeout(DEADLINE)
    return handle


def _error(handle: socket.socket) -> int:
    return handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _established(handle: socket.socket) -> bool:
    information = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return information[0] == _TCP_ESTABLISHED


def test_a_syn_nobody_waits_for_is_answered_after_six_seconds(dual: Topology) -> None:
    """Not at once: the remote's kernel has sent its SYN again meanwhile (RFC 5382 REQ-4)."""
    with _both(dual) as running, ExitStack() as stack:
        watch = stack.enter_context(sniffer(dual.internet, "eth0"))
        knocking = []
        for version, external in _EXTERNALS.items():
            handle = stack.enter_context(
                dual.internet.socket(_FAMILIES[version], socket.SOCK_STREAM)
            )
            handle.bind((dual.remotes_of(version)[0], 0))
            knocking.append(_begin(handle, (external, 8080)))
        for handle in knocking:
            until(
                lambda handle=handle: _error(handle) == errno.ECONNREFUSED,  # type: ignore[misc]
                "the kernel gives up",
            )
        seen = captured(watch)
        (at,) = (number for number, packet in enumerate(seen) if packet[9] == ICMP)
        assert len([packet for packet in seen[:at] if packet[9] == TCP]) >= 2
        assert tuple(seen[at][20:22]) == _PORT_UNREACHABLE
        assert seen[at][12:16] == socket.inet_aton(EXTERNAL)
        assert status(running)["counters"]["icmp_errors_sent"] == 2
        assert set(drops(running)) == {"no-mapping"}


#: What a kernel makes of "administratively prohibited" for its sockets.
_PROHIBITED_ERRORS = {4: errno.EHOSTUNREACH, 6: errno.EACCES}


@pytest.mark.parametrize("version", [4, 6])
def test_the_inside_is_told_that_no_port_is_left(dual: Topology, version: int) -> None:
    """At once, not when the kernel's patience ends."""
    family, error = _FAMILIES[version], _PROHIBITED_ERRORS[version]
    host, remote = dual.hosts[1].namespace, dual.remotes_of(version)[0]
    with _both(dual, ports=CONTESTED_PORTS) as running, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(traffic_generator.connection(dual, version=version))
            near, far = stack.enter_context(udp_pair(dual, version=version))
            near.send(b"out")
            far.recv(100)
        stream = stack.enter_context(host.socket(family, socket.SOCK_STREAM))
        datagrams = stack.enter_context(host.socket(family))
        stream.settimeout(DEADLINE)
        with pytest.raises(OSError) as refused:
            stream.connect((remote, 9))
        assert refused.value.errno == error
        datagrams.connect((remote, 9))
        datagrams.send(b"surplus")
        until(lambda: _error(datagrams) == error, "the datagram's sender is told")
        assert drops(running) == {"no-port": 2}
        assert status(running)["counters"]["icmp_errors_sent"] == 2


@pytest.mark.parametrize(("how", "told"), [("unreachable", (3, 1)), ("prohibited", (3, 13))])
def test_how_the_inside_is_told(topology: Topology, how: str, told: tuple[int, int]) -> None:
    """The error quotes the datagram as the inside sent it."""
    arguments = ("--limit", "host-sessions=1", "--no-resources", how)
    with (
        nat(topology, arguments=arguments) as running,
        udp_pair(topology) as (near, far),
        udp_pair(topology) as (surplus, _),
        sniffer(topology.hosts[0].namespace, "eth0") as watch,
    ):
        surplus.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        near.send(b"first")
        far.recv(100)
        surplus.send(b"second")
        until(lambda: _error(surplus) == errno.EHOSTUNREACH, "the sender is told")
        (answer,) = (packet for packet in captured(watch) if packet[9] == ICMP)
        assert tuple(answer[20:22]) == told
        assert answer[40:44] == socket.inet_aton(topology.hosts[0].address)
        assert struct.unpack_from("!H", answer, 48) == surplus.getsockname()[1:]
        assert drops(running) == {"host-limit": 1}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("from_outside", [False, True])
def test_the_mtu_given_lowers_both_sides_segments(
    dual: Topology, version: int, from_outside: bool
) -> None:
    """The SYN's for the one side, the SYN ACK's for the other."""
    host, external = dual.hosts[0], _EXTERNALS[version]
    inside, outside = host.of(version), external
    if version == 6:
        inside, outside = f"[{inside}]", f"[{outside}]"
    forward = ("--forward", f"tcp:{outside}:8080={inside}:80")
    server, client = (
        (host.namespace, dual.internet) if from_outside else (dual.internet, host.namespace)
    )
    address = (host.of(version), 80) if from_outside else (dual.remotes_of(version)[0], 8080)
    with (
        _both(dual, "--mtu", str(_MTU), *forward) as running,
        server.socket(_FAMILIES[version], socket.SOCK_STREAM) as listener,
        client.socket(_FAMILIES[version], socket.SOCK_STREAM) as near,
    ):
        listener.bind(address)
        listener.listen()
        for handle in (listener, near):
            handle.settimeout(DEADLINE)
        near.connect((external, 8080) if from_outside else address)
        with listener.accept()[0] as far:
            for end in (near, far):
                segment = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
                assert segment == _MTU - _IP_AND_TCP[version] - _TIMESTAMPS
        assert drops(running) == {}


@contextmanager
def _two_ends(topology: Topology, version: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Bound TCP sockets inside and outside, which are to connect to each other."""
    family = _FAMILIES[version]
    with (
        topology.hosts[0].namespace.socket(family, socket.SOCK_STREAM) as near,
        topology.internet.socket(family, socket.SOCK_STREAM) as far,
    ):
        near.bind((topology.hosts[0].of(version), 5000))
        far.bind((topology.remotes_of(version)[0], 6000))
        yield near, far


def _talk(near: socket.socket, far: socket.socket) -> None:
    for handle in (near, far):
        until(lambda handle=handle: _established(handle), "both ends are connected")  # type: ignore[misc]
    for sender, receiver in ((near, far), (far, near)):
        sender.sendall(b"hello")
        assert receiver.recv(100) == b"hello"


@pytest.mark.parametrize("version", [4, 6])
def test_a_syn_from_outside_that_comes_first(dual: Topology, version: int) -> None:
    """It is kept from the inside, whose own SYN then meets it; nobody is told anything."""
    preserving = ("--tcp", "eim/apdf+preserve")
    with _both(dual, *preserving) as running, _two_ends(dual, version) as (near, far):
        _begin(far, (_EXTERNALS[version], 5000))
        until(lambda: "no-mapping" in drops(running), "the outside's SYN has come")
        _begin(near, far.getsockname()[:2])
        _talk(near, far)
        assert len(rows(running, "sessions")) == 1
        assert status(running)["counters"]["icmp_errors_sent"] == 0


_LOSSY = """
table ip lossy {
  chain input {
    type filter hook input priority filter;
    meta l4proto tcp drop
  }
}
"""


def test_syns_that_cross(topology: Topology, program: Find) -> None:
    """What the NAT lets out is lost on the way until both SYNs have passed it (RFC 5382 REQ-2)."""
    nft = program("nft")
    with (
        nat(topology, arguments=("--tcp", "eim/apdf+preserve")) as running,
        _two_ends(topology, 4) as (near, far),
        sniffer(topology.hosts[0].namespace, "eth0") as watch,
    ):

        def counted(way: str) -> bool:
            return bool(status(running)["counters"][way]["packets"])

        _rules(topology, nft, _LOSSY)
        _begin(near, far.getsockname())
        until(lambda: counted("outbound"), "the inside's SYN has passed")
        _begin(far, (EXTERNAL, 5000))
        until(lambda: counted("inbound"), "the outside's SYN has passed")
        _rules(topology, nft, "delete table ip lossy")
        _talk(near, far)
        inside = socket.inet_aton(topology.hosts[0].address)
        inward = [packet for packet in captured(watch) if packet[16:20] == inside]
        assert inward[0][33] == SYN  # no SYN ACK: the inside took part in a simultaneous open
        assert drops(running) == {}
        (session,) = rows(running, "sessions")
        assert session["state"] == "established"


def _rules(topology: Topology, nft: str, script: str) -> None:
    process = topology.internet.popen([nft, "-f", "-"], stdin=subprocess.PIPE, text=True)
    process.communicate(script)
    assert process.returncode == 0
