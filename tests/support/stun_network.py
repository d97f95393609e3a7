"""A network in memory between a STUN client and servers, with a clock that nobody waits for.

In the middle is our own engine, a firewall, or nothing.  It is what `ratsnake.stun.udp_sockets`
calls a Network.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from errno import ECONNREFUSED, ENETUNREACH

from ratsnake.stun.stun_message import Endpoint
from ratsnake.stun.udp_sockets import Datagram, UdpSocket
from support.bench import INSIDE, Bench
from support.packets import udp
from support.stun_server import Answer, StunServer

DELAY = 0.02  # seconds for a datagram there and back


def nothing_lost(number: int) -> bool:
    return False


@dataclass
class VirtualSocket:
    network: "VirtualNetwork"
    local: Endpoint
    inbox: list[Datagram] = field(default_factory=list)

    def send(self, octets: bytes, destination: Endpoint) -> None:
        self.network.carry(self.local, destination, octets)

    def close(self) -> None:
        del self.network.sockets[self.local.port]


@dataclass
class VirtualNetwork:
    """`bench` says which NAT a local port is behind, None for none; `firewall`: without a NAT, only
    endpoints that were sent to come in.  `refused` endpoints answer with an ICMP error.  `lost`
    says of the number of a datagram whether it gets lost.  `sent` has what was sent, and when.
    """

    servers: Sequence[StunServer]
    bench: Callable[[int], Bench] | None = None
    inside: str = INSIDE
    firewall: bool = False
    refused: frozenset[Endpoint] = frozenset()
    lost: Callable[[int], bool] = nothing_lost
    reachable: Callable[[Endpoint], bool] = lambda toward: True
    time: float = 0.0
    sockets: dict[int, VirtualSocket] = field(default_factory=dict)
    sent: list[tuple[float, Endpoint, Endpoint]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(4787)
        self._numbers = itertools.count()
        self._coming: list[tuple[float, int, int, Datagram]] = []

    def now(self) -> float:
        return self.time

    def open(self, toward: Endpoint) -> VirtualSocket:
        if not self.reachable(toward):
            raise OSError(ENETUNREACH, "Network is unreachable")
        port = self._chance.choice([n for n in range(32768, 33768) if n not in self.sockets])
        self.sockets[port] = VirtualSocket(self, Endpoint(self.inside, port))
        return self.sockets[port]

    def receive(self, sockets: Sequence[UdpSocket], until: float) -> list[Datagram]:
        while True:
            for one in sockets:
                assert isinstance(one, VirtualSocket)
                if one.inbox:
                    found, one.inbox = one.inbox, []
                    return found
            if not self._coming or self._coming[0][0] > until:
                self.time = max(self.time, until)
                return []
            when, _, port, datagram = heapq.heappop(self._coming)
            self.time = max(self.time, when)
            if port in self.sockets:
                self.sockets[port].inbox.append(datagram)

    def carry(self, source: Endpoint, destination: Endpoint, octets: bytes) -> None:
        """What a local socket sends."""
        self.sent.append((self.time, source, destination))
        if destination in self.refused:
            self._deliver(source, destination, octets, ECONNREFUSED)
        if self.lost(next(self._numbers)):
            return
        if self.bench is None:
            self._arrive(source, destination, octets)
            return
        bench = self._bench(source.port)
        if bench.send(udp(source, destination, octets)) == "translated":
            self._arrive(*bench.seen(), octets)

    def _arrive(self, source: tuple[str, int], destination: tuple[str, int], octets: bytes) -> None:
        """A packet outside of the NAT, or hairpinned by it."""
        if destination[0] == self.inside:
            self._deliver(destination, source, octets)
        for server in self.servers:
            if destination in server.endpoints:
                for answer in server.answer(octets, source, destination):
                    self._come_in(answer)

    def _come_in(self, answer: Answer) -> None:
        if self.lost(next(self._numbers)):
            return
        if self.bench is None:
            pairs = {(source, destination) for _, source, destination in self.sent}
            if not self.firewall or (answer.destination, answer.source) in pairs:
                self._deliver(answer.destination, answer.source, answer.octets)
            return
        packet = udp(answer.source, answer.destination, answer.octets)
        for bench in {id(one): one for one in map(self._bench, self.sockets)}.values():
            if bench.send(packet) == "translated":
                self._deliver(bench.seen().destination, answer.source, answer.octets)

    def _bench(self, port: int) -> Bench:
        assert self.bench is not None
        bench = self.bench(port)
        bench.now = int(self.time * 1000)
        bench.expire()
        return bench

    def _deliver(
        self, inside: tuple[str, int], source: tuple[str, int], octets: bytes, error: int = 0
    ) -> None:
        socket = self.sockets.get(inside[1])
        if socket is not None and inside[0] == self.inside:
            datagram = Datagram(socket, octets, Endpoint(*source), error)
            number = next(self._numbers)
            heapq.heappush(self._coming, (self.time + DELAY, number, inside[1], datagram))
