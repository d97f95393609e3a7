"""Socket calls that make load, with C manners: a negative errno on failure.

load_sockets.pxd is C's own, with sendmmsg and recvmmsg; here, one datagram a call.  A Load holds
the remote endpoints, packed as 4 bytes of address and 2 of port each, and the datagrams' size.
"""

import socket
import struct
import time
from errno import EAGAIN
from typing import Any

from ratsnake.wire.integer_types import i32, i64, u32

RUN = 16  # datagrams a call

_ROOM = 2048
_PATIENCE = struct.Struct("@ll")


class Load:
    def __init__(self, remotes: bytes, count: int, size: int) -> None:
        endpoints = struct.iter_unpack("!4sH", remotes[: 6 * count])
        self.remotes = [(socket.inet_ntoa(address), port) for address, port in endpoints]
        self.payload = bytes(size)


def new_load(remotes: bytes, count: u32, size: u32) -> Load:
    return Load(remotes, count, size)


def release_load(load: Load) -> None:
    """Give the load back; the garbage collector does it here."""


def send_run(load: Load, fd: i32, first: u32, count: u32) -> i64:
    """Send up to RUN datagrams to the remotes first, first + 1, …, round and round: how many."""
    remotes = load.remotes
    for k in range(count):
        to = remotes[(first + k) % len(remotes)]
        result = _call(fd, lambda handle, to=to: handle.sendto(load.payload, to))
        if result < 0:
            return k or result
    return count


def receive_run(load: Load, fd: i32) -> i64:
    """Wait for a datagram and take up to RUN that are there: how many."""
    result = _call(fd, lambda handle: handle.recv(_ROOM))
    return result if result < 0 else 1


def connect_once(load: Load, remote: u32, patience: i32) -> i64:
    """Connect, wait for the other side to close, and close: 0.

    Each of the two is given up after `patience` seconds.
    """
    try:
        with socket.socket() as handle:
            handle.settimeout(patience)
            handle.connect(load.remotes[remote % len(load.remotes)])
            handle.recv(64)
    except OSError as error:
        return -(error.errno or EAGAIN)
    return 0


def accept_once(fd: i32) -> i64:
    """Take a connection and close it: 0."""
    return _call(fd, lambda handle: handle.accept()[0].close() or 0)


def nanoseconds() -> i64:
    """CLOCK_MONOTONIC."""
    return time.monotonic_ns()


def pause(nanoseconds: i64) -> None:
    """Sleep less than a second."""
    time.sleep(nanoseconds / 1e9)


def _call(fd: int, call: Any) -> int:
    """What a call on the socket of a descriptor returns, 0 for bytes."""
    handle = socket.socket(fileno=fd)
    try:
        result = call(handle)
        return result if isinstance(result, int) else 0
    except OSError as error:
        return -(error.errno or EAGAIN)
    finally:
        handle.detach()
