"""A kernel that has lost its end of a connection uses the same ports again, and the NAT goes along.

TCP_REPAIR lets a socket end without a packet, as a reboot does.  Whose end is still there answers
the new SYN with a challenge ACK (RFC 5961 section 4), the other resets it, and the next SYN gets
through.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from end_to_end.harness import DEADLINE, rows, until
from ratsnake.lab import Namespace, RunningNat, Topology, nat

NEAR_PORT, FAR_PORT = 40000, 7000
TCP_REPAIR = 19  # linux/tcp.h
ENDS = pytest.mark.parametrize("ended", ["nobody", "near", "far"])


def _state(running: RunningNat) -> str:
    (session,) = (row for row in rows(running, "sessions") if row["protocol"] == "tcp")
    return str(session["state"])


def _socket(namespace: Namespace, address: str, port: int) -> socket.socket:
    handle = namespace.socket(kind=socket.SOCK_STREAM)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    handle.settimeout(DEADLINE)
    handle.bind((address, port))
    return handle


@contextmanager
def _listening(namespace: Namespace, address: str, port: int) -> Iterator[socket.socket]:
    with _socket(namespace, address, port) as listener:
        listener.listen()
        yield listener


def _forget(handle: socket.socket) -> None:
    handle.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    handle.close()


def _talk(one: socket.socket, other: socket.socket) -> None:
    other.settimeout(DEADLINE)
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(b"hello")
        assert receiver.recv(5) == b"hello"


def _end(running: RunningNat, ended: str, near: socket.socket, far: socket.socket) -> None:
    _talk(near, far)
    if ended != "nobody":
        (near if ended == "near" else far).shutdown(socket.SHUT_WR)
        until(lambda: _state(running).endswith("-fin"), "one side has ended the connection")


@ENDS
@pytest.mark.parametrize("forgotten", ["near", "both"])
def test_the_lan_host_calls_again_from_the_same_port(
    topology: Topology, ended: str, forgotten: str
) -> None:
    host = topology.hosts[0]
    remote = topology.remotes[0]
    with nat(topology) as running, _listening(topology.internet, remote, FAR_PORT) as listener:
        near = _socket(host.namespace, host.address, NEAR_PORT)
        near.connect((remote, FAR_PORT))
        far, caller = listener.accept()
        _end(running, ended, near, far)
        _forget(near)
        if forgotten == "both":
            _forget(far)
        with _socket(host.namespace, host.address, NEAR_PORT) as near:
            near.connect((remote, FAR_PORT))
            again, same = listener.accept()
            assert same == caller
            with again:
                _talk(near, again)
                until(lambda: _state(running) == "established", "the new one is established")
        far.close()


@ENDS
@pytest.mark.parametrize("forgotten", ["far", "both"])
def test_the_remote_calls_back_from_the_same_port(
    topology: Topology, ended: str, forgotten: str
) -> None:
    host = topology.hosts[0]
    remote = topology.remotes[0]
    with nat(topology, "full-cone") as running:
        with _listening(topology.internet, remote, FAR_PORT) as listener:
            near = _socket(host.namespace, host.address, NEAR_PORT)
            near.connect((remote, FAR_PORT))
            far, caller = listener.accept()
            _end(running, ended, near, far)
        _forget(far)
        if forgotten == "both":
            _forget(near)
        with (
            _listening(host.namespace, host.address, NEAR_PORT) as called,
            _socket(topology.internet, remote, FAR_PORT) as far,
        ):
            far.connect(caller)
            again, _ = called.accept()
            with again:
                _talk(far, again)
                until(lambda: _state(running) == "established", "the new one is established")
        near.close()
