"""Refusals and resets: what one end says must reach the other, what outsiders forge must not."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from end_to_end.frames import ACK, RST, captured, raw_sender, send, sniffer, tcp
from end_to_end.harness import DEADLINE, drops, greet, rows, status, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic

_CLOSED_PORT = 9
_IP_RECVERR = 11  # linux/in.h
_WORD = 0xFFFFFFFF  # sequence numbers are of 32 bits
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER for 0 seconds: close() sends a RST


def _state(running: RunningNat) -> str:
    (session,) = (row for row in rows(running, "sessions") if row["protocol"] == "tcp")
    return str(session["state"])


def _abort(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    connection.close()


def _error(handle: socket.socket) -> int:
    """The error the kernel reports for a socket, once it does."""
    handle.settimeout(DEADLINE)
    with pytest.raises(OSError) as reported:
        handle.recv(1)
    return int(reported.value.errno or 0)


def test_a_closed_port_refuses_at_once(topology: Topology) -> None:
    with nat(topology), topology.hosts[0].namespace.socket(kind=socket.SOCK_STREAM) as near:
        near.settimeout(DEADLINE)
        assert near.connect_ex((topology.remotes[0], _CLOSED_PORT)) == errno.ECONNREFUSED


def test_a_refused_connection_can_be_tried_again_from_the_same_port(topology: Topology) -> None:
    with nat(topology), topology.internet.socket(kind=socket.SOCK_STREAM) as listener:
        listener.bind((topology.remotes[0], 0))
        for listening in (False, True):
            if listening:
                listener.listen()
            with topology.hosts[0].namespace.socket(kind=socket.SOCK_STREAM) as near:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                near.bind((topology.hosts[0].address, 40000))
                near.settimeout(DEADLINE)
                refused = near.connect_ex(listener.getsockname())
                assert refused == (0 if listening else errno.ECONNREFUSED)


@pytest.mark.parametrize("from_inside", [True, False])
def test_a_reset_in_mid_connection_is_seen_by_the_other_end(
    topology: Topology, from_inside: bool
) -> None:
    with nat(topology) as running, traffic.connection(topology) as (near, far):
        near.sendall(b"some")
        assert far.recv(4) == b"some"
        one, other = (near, far) if from_inside else (far, near)
        _abort(one)
        assert _error(other) == errno.ECONNRESET
        assert _state(running) == "reset"


def test_a_reset_forged_from_another_remote_changes_nothing(topology: Topology) -> None:
    with (
        nat(topology, "full-cone") as running,
        traffic.connection(topology) as (near, far),
        raw_sender(topology.internet) as forger,
    ):
        external = far.getpeername()
        other = topology.remotes[2]
        for source in ((other, far.getsockname()[1]), (far.getsockname()[0], 1)):
            ports = (source[1], external[1])
            send(forger, tcp(source[0], EXTERNAL, ports, RST))
            send(forger, tcp(source[0], EXTERNAL, ports, RST | ACK))
        until(lambda: drops(running).get("not-syn") == 4, "the forged resets are dropped")
        assert _state(running) == "established"
        _talk(near, far)


def test_a_reset_forged_for_the_very_connection_does_not_end_its_session(
    topology: Topology,
) -> None:
    """One outside the inside's window changes nothing (RFC 5961).  One inside it that is not the
    very next number is answered by the host's TCP, which brings the session back (RFC 7857
    section 2.2)."""
    with (
        nat(topology) as running,
        traffic.connection(topology) as (near, far),
        raw_sender(topology.internet) as forger,
        sniffer(topology.internet, "eth0") as watch,
    ):
        _talk(near, far)
        ports = (far.getsockname()[1], far.getpeername()[1])
        expected = _next_sequence(watch, far)
        for distance in (1 << 31, 1):
            inbound = status(running)["counters"]["inbound"]["packets"]
            number = expected + distance & _WORD
            send(forger, tcp(far.getsockname()[0], EXTERNAL, ports, RST, sequence=number))
            until(
                lambda before=inbound: status(running)["counters"]["inbound"]["packets"] > before,
                "it was passed on",
            )
            until(lambda: _state(running) == "established", "the session is as it was")
        _talk(near, far)


def _next_sequence(watch: socket.socket, far: socket.socket) -> int:
    """The number the inside expects next: the last it acknowledged to this remote."""
    acknowledged = [
        int.from_bytes(packet[28:32], "big")
        for packet in captured(watch)
        if packet[9] == 6
        and packet[22:24] == far.getsockname()[1].to_bytes(2, "big")
        and packet[33] & ACK
    ]
    return acknowledged[-1]


def _talk(near: socket.socket, far: socket.socket) -> None:
    near.sendall(b"out")
    assert far.recv(3) == b"out"
    far.sendall(b"back")
    assert near.recv(4) == b"back"


def test_an_unreachable_port_outside_reaches_the_lan_socket(topology: Topology) -> None:
    with nat(topology) as running, topology.hosts[0].namespace.socket() as near:
        near.connect((topology.remotes[0], _CLOSED_PORT))
        near.send(b"anybody?")
        assert _error(near) == errno.ECONNREFUSED
        assert drops(running) == {}


def test_an_unreachable_port_inside_reaches_the_remote_socket(topology: Topology) -> None:
    """The LAN host has closed its socket: its ICMP error names the external endpoint outside."""
    with nat(topology) as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        near.close()
        far.connect(external)
        far.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        far.send(b"still there?")
        assert _error(far) == errno.ECONNREFUSED
        _, ancillary, _, name = far.recvmsg(1024, 1024, socket.MSG_ERRQUEUE)
        assert name == external
        ((_, _, data),) = ancillary
        assert socket.inet_ntoa(data[20:24]) == EXTERNAL  # who reported it
        assert drops(running) == {}


def test_an_error_never_ends_a_session(topology: Topology) -> None:
    with nat(topology) as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        address = far.getsockname()
        far.close()
        near.send(b"still there?")
        assert _error(near) == errno.ECONNREFUSED
        with topology.internet.socket() as again:
            again.bind(address)
            again.sendto(b"back", external)
            assert near.recv(100) == b"back"
        assert len(rows(running, "sessions")) == 1


def test_a_half_closed_connection_still_carries_the_other_direction(topology: Topology) -> None:
    with nat(topology) as running, traffic.connection(topology) as (near, far):
        near.shutdown(socket.SHUT_WR)
        assert far.recv(1) == b""
        for _ in range(10):
            far.sendall(bytes(10_000))
            received = 0
            while received < 10_000:
                received += len(near.recv(65536))
        assert _state(running) == "client-fin"
        far.close()
        assert near.recv(1) == b""
        until(lambda: _state(running) == "both-fin", "both ends are closed")
