"""A NAT that shares the router's own address, and TCP connections to programs beside it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from end_to_end.harness import DEADLINE
from ratsnake.lab import Namespace, RunningNat, Topology, nat
from ratsnake.lab.topology import ROUTER_WAN


@contextmanager
def sharing_nat(topology: Topology, arguments: Sequence[str] = ()) -> Iterator[RunningNat]:
    with nat(
        topology,
        "full-cone",
        external=[ROUTER_WAN],
        arguments=["--share-address", "--wan", "wan0", *arguments],
    ) as running:
        yield running


@contextmanager
def listening(namespace: Namespace, address: str, port: int) -> Iterator[socket.socket]:
    with namespace.socket(kind=socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        listener.settimeout(DEADLINE)
        yield listener


def connects(client: Namespace, listener: socket.socket, address: tuple[str, int]) -> str:
    """Octets there and back by TCP; returns the address the listener saw."""
    with client.socket(kind=socket.SOCK_STREAM) as near:
        near.settimeout(DEADLINE)
        near.connect(address)
        far, seen = listener.accept()
        with far:
            far.settimeout(DEADLINE)
            for sender, receiver in ((near, far), (far, near)):
                sender.sendall(bytes(100_000))
                got = 0
                while got < 100_000:
                    got += len(receiver.recv(65536))
    return str(seen[0])
