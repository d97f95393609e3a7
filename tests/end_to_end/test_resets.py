"""Refusals and resets: what one end says must reach the other, what outsiders forge must not."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from end_to_end.frames import ACK, RST, SYN, TCP, captured, raw_sender, send, sniffer, tcp
from end_to_end.harness import DEADLINE, drops, greet, rows, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic_generator

_CLOSED_PORT = 9
_NO_OPERATION, _WINDOW_SCALE = 1, 3  # TCP options (RFC 9293, RFC 7323)
_IP_RECVERR = 11  # linux/in.h
_TTL_OF_NAT = 2  # gets a packet to the NAT, and not to the host, which would answer
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
    with nat(topology) as running, traffic_generator.connection(topology) as (near, far):
        near.sendall(b"some")
        assert far.recv(4) == b"some"
        one, other = (near, far) if from_inside else (far, near)
        _abort(one)
        assert _error(other) == errno.ECONNRESET
        assert _state(running) == "reset"


def test_a_reset_forged_from_another_remote_changes_nothing(topology: Topology) -> None:
    with (
        nat(topology, "full-cone") as running,
        traffic_generator.connection(topology) as (near, far),
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


def test_a_reset_forged_outside_the_window_changes_nothing(topology: Topology) -> None:
    """Of who guesses, that is nearly every one (RFC 5961 section 3.2)."""
    with (
        nat(topology) as running,
        sniffer(topology.internet, "eth0") as watch,
        traffic_generator.connection(topology) as (near, far),
        raw_sender(topology.internet) as forger,
    ):
        expected, window = _receive_window(captured(watch))
        (before,) = rows(running, "sessions")
        blind = (expected - 1, expected + window, expected + (1 << 31), expected - window)
        for sequence in blind:
            _forge(forger, far, sequence, _TTL_OF_NAT)
        packets = before["packets_in"] + len(blind)
        until(lambda: _packets_in(running) == packets, "the NAT has seen them")
        assert _state(running) == "established"
        (after,) = rows(running, "sessions")
        assert after["expires"] <= before["expires"]
        _talk(near, far)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_reset_forged_inside_the_window_does_not_end_its_session(
    topology: Topology, place: str
) -> None:
    """The session must still be there (RFC 7857 section 2.2), and data makes it an established one
    again."""
    with (
        nat(topology) as running,
        sniffer(topology.internet, "eth0") as watch,
        traffic_generator.connection(topology) as (near, far),
        raw_sender(topology.internet) as forger,
    ):
        expected, window = _receive_window(captured(watch))
        _forge(forger, far, expected + {"first": 0, "last": window - 1}[place], _TTL_OF_NAT)
        until(lambda: _state(running) == "reset", "the forged reset is noted")
        _talk(near, far)
        assert _state(running) == "established"


def test_a_host_objects_to_a_reset_that_is_not_where_it_should_be(topology: Topology) -> None:
    """Its challenge (RFC 5961 section 3.2) makes the session an established one again."""
    with (
        nat(topology) as running,
        sniffer(topology.internet, "eth0") as watch,
        traffic_generator.connection(topology) as (near, far),
        raw_sender(topology.internet) as forger,
    ):
        expected, _ = _receive_window(captured(watch))
        (before,) = rows(running, "sessions")
        _forge(forger, far, expected + 1)
        until(lambda: _packets_in(running) > before["packets_in"], "the NAT has seen it")
        until(lambda: _state(running) == "established", "the host has objected")
        _talk(near, far)


def _forge(forger: socket.socket, far: socket.socket, sequence: int, ttl: int = 64) -> None:
    """Reset the connection as the remote's."""
    ports = (far.getsockname()[1], far.getpeername()[1])
    packet = tcp(far.getsockname()[0], EXTERNAL, ports, RST, sequence=sequence & _WORD)
    send(forger, packet[:8] + bytes([ttl]) + packet[9:])


def _receive_window(packets: list[bytes]) -> tuple[int, int]:
    """What the inside expects next and how many octets it takes, after a handshake."""
    external = socket.inet_aton(EXTERNAL)
    synchronized, acknowledged = (
        packet[20:] for packet in packets if packet[9] == TCP and packet[12:16] == external
    )
    assert (synchronized[13], acknowledged[13]) == (SYN, ACK)
    options, scale = synchronized[20 : synchronized[12] // 16 * 4], 0
    while options and options[0]:
        if options[0] == _NO_OPERATION:
            options = options[1:]
            continue
        if options[0] == _WINDOW_SCALE:
            scale = options[2]
        options = options[options[1] :]
    expected, window = struct.unpack_from("!I2xH", acknowledged, 8)
    return expected, window << scale


def _packets_in(running: RunningNat) -> int:
    (session,) = rows(running, "sessions")
    return int(session["packets_in"])


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
    with nat(topology) as running, traffic_generator.connection(topology) as (near, far):
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
