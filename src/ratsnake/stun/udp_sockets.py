"""UDP sockets and the clock, as the STUN client uses them.

`Network` is what it needs; `UdpNetwork` is this machine's.  Tests give it a network in memory, with
a clock of its own.
"""

from __future__ import annotations

import errno
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from .stun_message import Endpoint

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# RFC 5780 section 4.1: a random port of these, for the system may give the same one at each start.
_PORTS = range(32768, 65536)
_PORT_TRIES = 100
_LARGEST = 2048  # bytes: STUN responses are far smaller
_AT_ONCE = 64  # datagrams taken before the clock is looked at again

# Linux's error queue (ip(7)): level and option by version of IP, and the flag that reads it.
_RECEIVE_ERRORS = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
_ERROR_QUEUE = getattr(socket, "MSG_ERRQUEUE", 0)
_ERRNO_BYTES = 4  # of struct sock_extended_err, at its start


class Datagram(NamedTuple):
    """What a socket received.

    `error`: an ICMP error's errno; then `octets` is the datagram it is about, as far as it was
    quoted, and `source` where that was sent.
    """

    receiver: UdpSocket
    octets: bytes
    source: Endpoint
    error: int = 0


class UdpSocket(Protocol):
    local: Endpoint

    def send(self, octets: bytes, destination: Endpoint) -> None:
        """Raises OSError where the system cannot send it."""

    def close(self) -> None: ...


class Network(Protocol):
    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    def open(self, toward: Endpoint) -> UdpSocket:
        """A socket on a fresh port of the address that packets to `toward` leave from.

        Raises OSError where nothing can be sent there.
        """

    def receive(self, sockets: Sequence[UdpSocket], until: float) -> list[Datagram]:
        """What has come in; returns as soon as there is anything, at `until` with nothing."""


class UdpNetwork:
    """This machine's UDP."""

    def now(self) -> float:
        return time.monotonic()

    def open(self, toward: Endpoint) -> SystemSocket:
        return SystemSocket(toward)

    def receive(self, sockets: Sequence[UdpSocket], until: float) -> list[Datagram]:
        with selectors.DefaultSelector() as selector:
            for one in sockets:
                assert isinstance(one, SystemSocket)
                selector.register(one.handle, selectors.EVENT_READ, one)
            ready = selector.select(max(until - self.now(), 0))
        return [datagram for key, _ in ready for datagram in key.data.waiting()]


class SystemSocket:
    def __init__(self, toward: Endpoint) -> None:
        self.version = 6 if ":" in toward.address else 4
        address = source_address(toward)
        self.handle = socket.socket(FAMILIES[self.version], socket.SOCK_DGRAM)
        try:
            self.handle.setblocking(False)
            if self.version == 6:
                self.handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if _ERROR_QUEUE:
                self.handle.setsockopt(*_RECEIVE_ERRORS[self.version], 1)
            bind_random_port(self.handle, address)
        except OSError:
            self.handle.close()
            raise
        self.local = endpoint_of(self.handle.getsockname())

    def send(self, octets: bytes, destination: Endpoint) -> None:
        try:
            self.handle.sendto(octets, destination)
        except ConnectionError:  # about an earlier datagram, which the error queue tells too
            self.handle.sendto(octets, destination)

    def close(self) -> None:
        self.handle.close()

    def waiting(self) -> Iterator[Datagram]:
        """What has come in, without waiting."""
        yield from self._errors()
        for _ in range(_AT_ONCE):
            try:
                octets, source = self.handle.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError:  # about an earlier datagram: Windows tells it here only
                continue
            yield Datagram(self, octets, endpoint_of(source))

    def _errors(self) -> Iterator[Datagram]:
        for _ in range(_AT_ONCE if _ERROR_QUEUE else 0):
            try:
                octets, control, _, where = self.handle.recvmsg(_LARGEST, 512, _ERROR_QUEUE)
            except OSError:
                return
            for _, _, data in control:
                number = int.from_bytes(data[:_ERRNO_BYTES], sys.byteorder)
                yield Datagram(self, octets, endpoint_of(where), number)


def source_address(toward: Endpoint) -> str:
    """The address of this machine that packets to `toward` leave from; sends nothing.

    Raises OSError where there is no route.
    """
    with socket.socket(FAMILIES[6 if ":" in toward.address else 4], socket.SOCK_DGRAM) as handle:
        handle.connect(toward)
        return str(handle.getsockname()[0])


def endpoint_of(address: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    """An endpoint from what the socket module calls an address."""
    return Endpoint(str(ip_address(address[0])), address[1])


def bind_random_port(handle: socket.socket, address: str) -> None:
    """Bind to a port of RFC 5780's range that is free; raises OSError."""
    for _ in range(_PORT_TRIES):
        try:
            handle.bind((address, secrets.choice(_PORTS)))
            return
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    handle.bind((address, 0))
