"""Traffic between a LAN host and the internet: checked TCP transfers, UDP exchanges, throughput.

Threads do it, one at each end; their system calls and hashing run without the GIL.  `version` is
that of IP: 4, or 6 in a network that has it.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .namespace import Namespace
from .probe_transport import SOCKET_FAMILIES
from .topology import Topology

_BLOCK = 1 << 20
_CALL = 128 << 10
#: Blocks begin at odd places of a random buffer, so that no two are alike: a block lost, repeated
#: or exchanged changes the hash.
_STRIDE = 4099
_BUFFER = 4 * _BLOCK
_REPORT = 0.2  # seconds between calls of `progress`
_STALL = 30.0  # seconds without progress after which a transfer has failed


class TrafficError(RuntimeError):
    """Traffic stopped, or did not arrive as it was sent."""


@dataclass(frozen=True)
class Transfer:
    """A finished transfer."""

    octets: int
    seconds: float

    @property
    def gigabits(self) -> float:
        """Gb/s of TCP payload."""
        return self.octets * 8 / self.seconds / 1e9


def download(
    topology: Topology,
    octets: int,
    host: int = 0,
    progress: Callable[[int], None] | None = None,
    version: int = 4,
) -> Transfer:
    """A LAN host fetches `octets` by TCP from the internet, and both ends hash them (SHA-256).

    `progress` is called with the octets received so far, some times a second.  Raises
    `TrafficError` when the connection stalls or breaks, or the hashes differ.
    """
    with _transfer(topology, host, version) as (near, far, pool):
        sent = pool.submit(_send_hashed, far, octets)
        start = time.monotonic()
        received = _receive_hashed(near, octets, progress)
        _compare(sent, received)
        return Transfer(octets, time.monotonic() - start)


def upload(topology: Topology, octets: int, host: int = 0, version: int = 4) -> Transfer:
    """The same in the other direction."""
    with _transfer(topology, host, version) as (near, far, pool):
        sent = pool.submit(_send_hashed, near, octets)
        start = time.monotonic()
        received = _receive_hashed(far, octets, None)
        _compare(sent, received)
        return Transfer(octets, time.monotonic() - start)


def throughput(
    topology: Topology, seconds: float = 1.5, host: int = 0, version: int = 4
) -> Transfer:
    """One TCP stream to a LAN host for `seconds`, unchecked: how fast the path is.

    Both sides move 128 KiB a call, as iperf3 does.
    """
    with _transfer(topology, host, version) as (near, far, pool):
        sending = pool.submit(_send_until_closed, far)
        buffer = bytearray(_CALL)
        received, start = 0, time.monotonic()
        while (elapsed := time.monotonic() - start) < seconds:
            received += _some(near, buffer)
        near.close()
        sending.result()
        return Transfer(received, elapsed)


def exchange(
    topology: Topology, rounds: int = 10, size: int = 1000, host: int = 0, version: int = 4
) -> int:
    """UDP datagrams of `size` octets, each answered by a remote; returns the rounds made.

    Raises `TrafficError` when one is lost or altered.
    """
    with (
        topology.hosts[host].namespace.socket(SOCKET_FAMILIES[version]) as near,
        topology.internet.socket(SOCKET_FAMILIES[version]) as far,
    ):
        far.bind((topology.remotes_of(version)[0], 0))
        near.connect(far.getsockname())
        near.settimeout(_STALL)
        far.settimeout(_STALL)
        for number in range(rounds):
            message = os.urandom(size)
            try:
                near.send(message)
                request, source = far.recvfrom(65536)
                far.sendto(request[::-1], source)
                answer = near.recv(65536)
            except OSError as error:
                raise TrafficError(f"UDP exchange {number + 1}: {error}") from None
            if request != message or answer != message[::-1]:
                raise TrafficError(f"UDP exchange {number + 1}: a datagram was altered")
    return rounds


@contextmanager
def connection(
    topology: Topology, host: int = 0, remote: int = 0, version: int = 4
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection of a LAN host to a remote: the near and the far socket, with timeouts."""
    inside = topology.hosts[host]
    with (
        _stream(topology.internet, version) as listener,
        _stream(inside.namespace, version) as near,
    ):
        listener.bind((topology.remotes_of(version)[remote], 0))
        listener.listen()
        try:
            near.connect(listener.getsockname())
            far = listener.accept()[0]
        except OSError as error:
            raise TrafficError(f"TCP connection from {inside.of(version)}: {error}") from None
        with far:
            far.settimeout(_STALL)
            yield near, far


@contextmanager
def _transfer(
    topology: Topology, host: int, version: int
) -> Iterator[tuple[socket.socket, socket.socket, ThreadPoolExecutor]]:
    """A connection and a thread to serve one of its ends; a failure at one end stops the other."""
    with connection(topology, host, version=version) as (near, far), ThreadPoolExecutor(1) as pool:
        try:
            yield near, far, pool
        except BaseException:
            for end in (near, far):
                with suppress(OSError):  # not connected any more
                    end.shutdown(socket.SHUT_RDWR)
            raise


def _stream(namespace: Namespace, version: int) -> socket.socket:
    handle = namespace.socket(SOCKET_FAMILIES[version], socket.SOCK_STREAM)
    handle.settimeout(_STALL)
    return handle


def _blocks(octets: int) -> Iterator[memoryview]:
    source = memoryview(os.urandom(_BUFFER))
    place = 0
    while octets > 0:
        size = min(octets, _BLOCK)
        yield source[place : place + size]
        place = (place + _STRIDE) % (_BUFFER - _BLOCK)
        octets -= size


def _send_hashed(sender: socket.socket, octets: int) -> str:
    digest = hashlib.sha256()
    for block in _blocks(octets):
        sender.sendall(block)
        digest.update(block)
    sender.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def _receive_hashed(
    receiver: socket.socket, octets: int, progress: Callable[[int], None] | None
) -> str:
    digest = hashlib.sha256()
    buffer = bytearray(_BLOCK)
    view = memoryview(buffer)
    received, report = 0, time.monotonic()
    while size := _some(receiver, buffer):
        digest.update(view[:size])
        received += size
        if progress is not None and time.monotonic() >= report:
            progress(received)
            report += _REPORT
    if received != octets:
        raise TrafficError(f"TCP transfer ended after {received} of {octets} octets")
    return digest.hexdigest()


def _compare(sent: Future[str], received: str) -> None:
    if sent.result() != received:
        raise TrafficError("TCP transfer: what arrived differs from what was sent (SHA-256)")


def _send_until_closed(sender: socket.socket) -> None:
    block = os.urandom(_CALL)
    try:
        while True:
            sender.sendall(block)
    except OSError:  # the receiver has seen enough
        return


def _some(receiver: socket.socket, buffer: bytearray) -> int:
    try:
        return receiver.recv_into(buffer)
    except OSError as error:
        raise TrafficError(f"TCP transfer: {error}") from None
