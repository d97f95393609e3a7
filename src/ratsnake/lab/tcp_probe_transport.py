"""Probing with TCP (see `probe`): a remote sees where a connection comes from.

Connections stay open until their endpoint is closed, and are then reset rather than closed, so
that they leave no port in TIME_WAIT.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import ExitStack

from .probe_transport import (
    A1,
    ADDRESSES,
    DEADLINE,
    SOCKET_FAMILIES,
    Endpoint,
    External,
    ProbeError,
    Remote,
)
from .topology import Host, Topology

_PORTS = (3478, 3479)
_FENCES = 2
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger


class TcpTransport:
    """A listener at each of the four remote endpoints, and internal endpoints on request."""

    def __init__(self, topology: Topology, version: int) -> None:
        self._topology = topology
        self.version = version
        self.ports: set[int] = set()  # of all endpoints so far
        self._listeners: dict[Remote, socket.socket] = {}
        with ExitStack() as stack:
            for a, address in enumerate(topology.remotes_of(version)[:ADDRESSES]):
                for p, port in enumerate(_PORTS):
                    listener = stack.enter_context(self.outside((address, port)))
                    listener.listen()
                    self._listeners[a, p] = listener
            self._stack = stack.pop_all()

    def __enter__(self) -> TcpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def endpoint(self, host: int, port: int = 0) -> TcpEndpoint:
        return TcpEndpoint(self, self._topology.hosts[host], port)

    def listener(self, remote: Remote) -> socket.socket:
        return self._listeners[remote]

    def outside(self, address: tuple[str, int]) -> socket.socket:
        """A socket of the internet, bound to an address that may be in use by others of ours."""
        family = SOCKET_FAMILIES[self.version]
        return _bound(self._topology.internet.socket(family, socket.SOCK_STREAM), address)


class TcpEndpoint:
    """A port of a LAN host, with a listener and connections from it."""

    def __init__(self, transport: TcpTransport, host: Host, port: int) -> None:
        self._transport = transport
        self._namespace = host.namespace
        self._address = host.of(transport.version)
        self._stack = ExitStack()
        with self._stack:
            self._listener = self._inside(port)
            # As ports may be shared, the kernel may choose one that has mappings already.
            while not port and self._listener.getsockname()[1] in transport.ports:
                self._listener = self._inside(port)
            self._listener.listen()
            self.port: int = self._listener.getsockname()[1]
            transport.ports.add(self.port)
            self._stack = self._stack.pop_all()
        self._connections: dict[Remote, tuple[socket.socket, socket.socket]] = {}

    def close(self) -> None:
        self._stack.close()

    def contact(self, remote: Remote) -> External:
        """Connect once per remote; the connection stays and says the endpoint ever after."""
        if remote not in self._connections:
            self._connections[remote] = self._connect(remote)
        address, port, *_ = self._connections[remote][1].getpeername()
        return address, port

    def reach(self, remote: Remote, beside: Endpoint) -> External | None:
        listener = self._transport.listener(remote)
        near = self._inside(self.port)
        _begin_connect(near, listener.getsockname())
        beside.fence()
        if not select.select([listener], [], [], 0)[0]:
            return None
        self._connections[remote] = near, self._accept(listener)
        return self.contact(remote)

    def admits(self, remote: Remote, external: External) -> bool:
        address = self._transport.listener(remote).getsockname()
        with self._transport.outside(address) as caller:
            _begin_connect(caller, external)
            self.fence()
            return _is_connected(caller)

    def fence(self) -> None:
        """By the second time the answer to a SYN let in has arrived, and what answers that."""
        self.contact(A1)
        near, far = self._connections[A1]
        for _ in range(_FENCES):
            _pass_octet(near, far)
            _pass_octet(far, near)

    def _connect(self, remote: Remote) -> tuple[socket.socket, socket.socket]:
        listener = self._transport.listener(remote)
        near = self._inside(self.port)
        near.settimeout(DEADLINE)
        try:
            near.connect(listener.getsockname())
            return near, self._accept(listener)
        except OSError as error:
            raise ProbeError(
                f"TCP from {self._address}:{self.port} to {remote} failed: {error}"
            ) from None

    def _accept(self, listener: socket.socket) -> socket.socket:
        listener.settimeout(DEADLINE)
        return self._stack.enter_context(_resetting(listener.accept()[0]))

    def _inside(self, port: int) -> socket.socket:
        family = SOCKET_FAMILIES[self._transport.version]
        handle = self._namespace.socket(family, socket.SOCK_STREAM)
        return self._stack.enter_context(_bound(handle, (self._address, port)))


def _bound(handle: socket.socket, address: tuple[str, int]) -> socket.socket:
    """Several sockets share one address: a listener and connections to different remotes."""
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _resetting(handle).bind(address)
    return handle


def _resetting(handle: socket.socket) -> socket.socket:
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    return handle


def _begin_connect(caller: socket.socket, address: tuple[str, int]) -> None:
    caller.setblocking(False)
    code = caller.connect_ex(address)
    if code not in (0, errno.EINPROGRESS):
        raise ProbeError(f"TCP to {address[0]}:{address[1]} could not be tried: errno {code}")


def _is_connected(caller: socket.socket) -> bool:
    try:
        caller.getpeername()
    except OSError:
        return False
    return True


def _pass_octet(sender: socket.socket, receiver: socket.socket) -> None:
    sender.send(b"f")
    if not select.select([receiver], [], [], DEADLINE)[0]:
        raise ProbeError(f"TCP data on an open connection did not arrive in {DEADLINE:.0f} s")
    receiver.recv(1)
