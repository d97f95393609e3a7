"""Who is measured: each a gateway of its own in a network of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from ..lab.router_nat import GatewayError, masquerade, nat, nft_program
from ..lab.topology import Topology
from .peer import NULL_COMMAND, peer
from .process_usage import cpu_seconds, descendants, processes, resident_megabytes, session

#: How many remote addresses there are; a multiple of the runs in which datagrams are sent.
REMOTES = 80

NULL, RATSNAKE, MASQUERADE = "null", "ratsnake", "masquerade"

_PASSING_DEADLINE = 10.0  # seconds
_AGAIN = 0.1

#: The processes of a gateway; () where it is the kernel.
Processes = Callable[[], Collection[int]]


@dataclass(frozen=True)
class Contestant:
    """`command` is the shell's for a peer, None for what is built in."""

    name: str
    gateway: Callable[[Topology], AbstractContextManager[Processes]]
    command: str | None = None


@dataclass(frozen=True)
class Site:
    """A contestant at work."""

    contestant: Contestant
    topology: Topology
    processes: Processes

    @property
    def name(self) -> str:
        return self.contestant.name

    def cpu_seconds(self) -> float | None:
        """What its processes have used, in user space and kernel; None where it has none."""
        numbers = self.processes()
        return cpu_seconds(numbers) if numbers else None

    def resident_megabytes(self) -> float | None:
        """What its processes hold in memory; None where it has none."""
        numbers = self.processes()
        return resident_megabytes(numbers) if numbers else None


def built_in() -> tuple[Contestant, ...]:
    """Those of every run; the kernel's NAT only where nft is."""
    kernel = Contestant(MASQUERADE, _masquerade)
    return (
        Contestant(RATSNAKE, _ratsnake),
        Contestant(NULL, lambda topology: _peer(topology, NULL_COMMAND)),
        *((kernel,) if nft_program() else ()),
    )


def other(name: str, command: str) -> Contestant:
    """A peer of the user's."""
    return Contestant(name, lambda topology: _peer(topology, command), command)


@contextmanager
def site(contestant: Contestant) -> Iterator[Site]:
    """Build a network, start the contestant in its router, and see that it passes packets.

    Raises `GatewayError`, with the contestant's name, when it does not.
    """
    with ExitStack() as stack:
        try:
            topology = stack.enter_context(Topology(remotes=REMOTES))
            numbers = stack.enter_context(contestant.gateway(topology))
            _wait_until_passing(topology)
        except GatewayError as error:
            raise GatewayError(f"{contestant.name}: {error}") from None
        yield Site(contestant, topology, numbers)


@contextmanager
def _ratsnake(topology: Topology) -> Iterator[Processes]:
    with nat(topology) as running:
        yield lambda: descendants(running.process.pid, processes())


@contextmanager
def _masquerade(topology: Topology) -> Iterator[Processes]:
    with masquerade(topology):
        yield lambda: ()


@contextmanager
def _peer(topology: Topology, command: str) -> Iterator[Processes]:
    with peer(topology, command) as leader:
        yield lambda: session(leader.pid)


def _wait_until_passing(topology: Topology) -> None:
    """Datagrams go out until one is answered: neighbours are known then, and a peer has begun."""
    with topology.hosts[0].namespace.socket() as near, topology.internet.socket() as far:
        far.bind((topology.remotes[0], 0))
        far.settimeout(_AGAIN)
        near.connect(far.getsockname())
        near.settimeout(_AGAIN)
        deadline = time.monotonic() + _PASSING_DEADLINE
        while not _answered(near, far):
            if time.monotonic() > deadline:
                raise GatewayError(f"no datagram came and went in {_PASSING_DEADLINE:.0f} s")


def _answered(near: socket.socket, far: socket.socket) -> bool:
    try:
        near.send(b"out")
        far.sendto(b"back", far.recvfrom(16)[1])
        return near.recv(16) == b"back"
    except OSError:  # a timeout, or an ICMP error
        return False
