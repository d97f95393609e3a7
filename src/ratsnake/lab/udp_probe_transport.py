"""Probing with UDP (see `probe`)."""

from __future__ import annotations

import itertools
import socket
from contextlib import ExitStack

from .probe_transport import A1, ADDRESSES, SOCKET_FAMILIES, Endpoint, External, Inbox, Remote
from .topology import Host, Topology

_PORTS = (3478, 3479)  # the first is STUN's (RFC 8489); any two would do
_FENCES = 2


class UdpTransport:
    """A socket for every remote endpoint, and internal endpoints on request."""

    def __init__(self, topology: Topology, version: int) -> None:
        self.version = version
        self._hosts = topology.hosts
        self._messages = (b"ratsnake-probe-%d" % number for number in itertools.count())
        self._remotes: dict[Remote, tuple[socket.socket, Inbox]] = {}
        with ExitStack() as stack:
            for a, address in enumerate(topology.remotes_of(version)[:ADDRESSES]):
                for p, port in enumerate(_PORTS):
                    remote = stack.enter_context(topology.internet.socket(SOCKET_FAMILIES[version]))
                    remote.bind((address, port))
                    self._remotes[a, p] = remote, Inbox(remote, _decode)
            self._stack = stack.pop_all()

    def __enter__(self) -> UdpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def endpoint(self, host: int, port: int = 0) -> UdpEndpoint:
        return UdpEndpoint(self, self._hosts[host], port)

    def message(self) -> bytes:
        """A datagram never sent before: what is left over from an earlier probe is told apart."""
        return next(self._messages)

    def remote(self, remote: Remote) -> tuple[socket.socket, Inbox]:
        return self._remotes[remote]


class UdpEndpoint:
    """A UDP socket of a LAN host."""

    def __init__(self, transport: UdpTransport, host: Host, port: int) -> None:
        self._transport = transport
        self._address = host.of(transport.version)
        self._socket = host.namespace.socket(SOCKET_FAMILIES[transport.version])
        self._socket.bind((self._address, port))
        self._inbox = Inbox(self._socket, _decode)
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def contact(self, remote: Remote) -> External:
        message = self._send(remote)
        what = f"UDP from {self._address}:{self.port} to {remote}"
        return self._transport.remote(remote)[1].wait(message, what)

    def reach(self, remote: Remote, beside: Endpoint) -> External | None:
        message = self._send(remote)
        beside.fence()
        return self._transport.remote(remote)[1].look(message)

    def admits(self, remote: Remote, external: External) -> bool:
        probe = self._transport.message()
        self._transport.remote(remote)[0].sendto(probe, external)
        self.fence()
        return self._inbox.look(probe) is not None

    def fence(self) -> None:
        for _ in range(_FENCES):
            message, way_back = self._transport.message(), self.contact(A1)
            self._transport.remote(A1)[0].sendto(message, way_back)
            self._inbox.wait(message, f"UDP from the contacted remote to {way_back}")

    def _send(self, remote: Remote) -> bytes:
        message = self._transport.message()
        self._socket.sendto(message, self._transport.remote(remote)[0].getsockname())
        return message


def _decode(datagram: bytes, source: External) -> tuple[bytes, External]:
    return datagram, source
