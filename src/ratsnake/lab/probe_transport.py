"""What probing needs of a protocol, and how datagrams that come in are told apart."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Protocol

#: A remote endpoint: (remote address, remote port), each counted from 0.
Remote = tuple[int, int]
A1, A2, B1, B2, C1 = (0, 0), (0, 1), (1, 0), (1, 1), (2, 0)
ADDRESSES, PORTS = 3, 2

#: An external endpoint: address and port.
External = tuple[str, int]

#: The socket's family of each version of IP.
SOCKET_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

#: Seconds after which a packet that must arrive is given up.
DEADLINE = 5.0


class ProbeError(RuntimeError):
    """A packet that every NAT must pass did not arrive, or the NAT cannot be observed so."""


class Endpoint(Protocol):
    """An internal endpoint: a host's address and port."""

    port: int

    def contact(self, remote: Remote) -> External:
        """Send to a remote; returns the external endpoint it saw.  Raises `ProbeError`."""

    def reach(self, remote: Remote, beside: Endpoint) -> External | None:
        """Like `contact`, but None when the NAT drops it, which a fence of `beside` proves."""

    def admits(self, remote: Remote, external: External) -> bool:
        """Whether what `remote` sends to `external` arrives here, which a fence proves."""

    def fence(self) -> None:
        """Exchange packets with A1, already contacted: what was sent before has arrived or never
        will."""

    def close(self) -> None: ...


class Transport(Protocol):
    """How to probe with one protocol."""

    def endpoint(self, host: int, port: int = 0) -> Endpoint:
        """A new internal endpoint on `Topology.hosts[host]`; port 0 means any unused one."""


class Inbox:
    """What a datagram socket has received: message → where it came from.

    `decode` takes a datagram and its source; it returns message and endpoint, or None for what is
    none of ours.
    """

    def __init__(
        self,
        handle: socket.socket,
        decode: Callable[[bytes, External], tuple[bytes, External] | None],
    ) -> None:
        self._socket = handle
        self._decode = decode
        self._received: dict[bytes, External] = {}

    def wait(self, message: bytes, what: str) -> External:
        """The source of `message`, once it is there; `what` is its name in a `ProbeError`."""
        deadline = time.monotonic() + DEADLINE
        while (source := self.look(message)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProbeError(f"{what} did not arrive in {DEADLINE:.0f} s")
            select.select([self._socket], [], [], left)
        return source

    def look(self, message: bytes) -> External | None:
        """The source of `message`, or None if it is not there yet."""
        while select.select([self._socket], [], [], 0)[0]:
            datagram, source = self._socket.recvfrom(2048)
            if received := self._decode(datagram, source[:2]):
                self._received[received[0]] = received[1]
        return self._received.pop(message, None)
