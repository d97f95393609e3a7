"""Probing with ICMP Echo (see `probe`): the identifier stands for the port (RFC 5508 section 3)."""

from __future__ import annotations

import itertools
import random
import socket
from contextlib import ExitStack

from .icmp_echo import ECHO_REPLY, ECHO_REQUEST, Echo, unpack
from .namespace import Namespace
from .probe_transport import A1, ADDRESSES, SOCKET_FAMILIES, Endpoint, External, Inbox, Remote
from .topology import Host, Topology

_FENCES = 2
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


class IcmpTransport:
    """A socket for every remote address, and internal endpoints on request."""

    def __init__(self, topology: Topology, version: int) -> None:
        self.version = version
        self._hosts = topology.hosts
        self._payloads = (b"ratsnake-probe-%d" % number for number in itertools.count())
        self._remotes: list[tuple[socket.socket, Inbox]] = []
        with ExitStack() as stack:
            for address in topology.remotes_of(version)[:ADDRESSES]:
                remote = stack.enter_context(_raw(topology.internet, address, version))
                self._remotes.append((remote, Inbox(remote, self.decode)))
            self._stack = stack.pop_all()

    def __enter__(self) -> IcmpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def endpoint(self, host: int, port: int = 0) -> IcmpEndpoint:
        # Raw sockets have no ports of their own: an identifier is unused with high probability.
        return IcmpEndpoint(self, self._hosts[host], port or random.randrange(1024, 65536))

    def payload(self) -> bytes:
        """A payload never sent before."""
        return next(self._payloads)

    def remote(self, remote: Remote) -> tuple[socket.socket, Inbox]:
        """A remote address has one socket, for both of its "ports"."""
        return self._remotes[remote[0]]

    def send(self, sender: socket.socket, to: External, kind: int, payload: bytes) -> None:
        """An Echo from that socket to an address and identifier."""
        sender.sendto(Echo(kind, to[1], 0, payload).pack(self.version), (to[0], 0))

    def decode(self, packet: bytes, source: External) -> tuple[bytes, External] | None:
        """For `Inbox`."""
        echo = unpack(packet, self.version)
        return None if echo is None else (echo.payload, (source[0], echo.identifier))


class IcmpEndpoint:
    """An Echo identifier of a LAN host."""

    def __init__(self, transport: IcmpTransport, host: Host, identifier: int) -> None:
        self._transport = transport
        self._address = host.of(transport.version)
        self._socket = _raw(host.namespace, self._address, transport.version)
        self._inbox = Inbox(self._socket, transport.decode)
        self.port = identifier

    def close(self) -> None:
        self._socket.close()

    def contact(self, remote: Remote) -> External:
        payload = self._send(remote)
        what = f"an Echo request from {self._address} to remote address {remote[0]}"
        return self._transport.remote(remote)[1].wait(payload, what)

    def reach(self, remote: Remote, beside: Endpoint) -> External | None:
        payload = self._send(remote)
        beside.fence()
        return self._transport.remote(remote)[1].look(payload)

    def admits(self, remote: Remote, external: External) -> bool:
        """A stranger may send either kind of Echo, and may be let in with either."""
        probe = self._transport.payload()
        for kind in (ECHO_REPLY, ECHO_REQUEST):
            self._transport.send(self._transport.remote(remote)[0], external, kind, probe)
        self.fence()
        return self._inbox.look(probe) is not None

    def fence(self) -> None:
        for _ in range(_FENCES):
            payload, way_back = self._transport.payload(), self.contact(A1)
            self._transport.send(self._transport.remote(A1)[0], way_back, ECHO_REPLY, payload)
            self._inbox.wait(payload, f"an Echo reply from the contacted remote to {way_back}")

    def _send(self, remote: Remote) -> bytes:
        payload = self._transport.payload()
        address = self._transport.remote(remote)[0].getsockname()[0]
        self._transport.send(self._socket, (address, self.port), ECHO_REQUEST, payload)
        return payload


def _raw(namespace: Namespace, address: str, version: int) -> socket.socket:
    handle = namespace.socket(SOCKET_FAMILIES[version], socket.SOCK_RAW, _PROTOCOLS[version])
    handle.bind((address, 0))  # a raw socket then receives only what is for this address
    return handle
