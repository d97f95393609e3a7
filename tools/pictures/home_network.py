"""What the hosts of a home do: a film, a call, a game, a backup, the web, and a swarm of peers.

And what strangers do to it.  For somebody to look at, so that no rate is exact.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count, cycle

from ratsnake.lab import EXTERNAL, Topology, traffic_generator

TICK = 0.01  # seconds
SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; the `socket` module has no name for it
FILM, CALL, GAME, WEB, SWARM, BACKUP = range(6)  # by the number of the host
PEERS = 60
PAGE = 60_000  # octets of a web page
KEPT = 24  # connections a browser holds open
SERVERS = (22, 23, 80, 3389)  # ports that strangers try

Tick = Iterator[None]


class HomeNetwork:
    """Traffic in a network with at least 6 hosts and 120 remotes, from `with` to its end."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._known: list[int] = []  # outside ports
        self._ended = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> "HomeNetwork":
        self._stack.callback(self._ended.set)
        self._stream(FILM, 3_000_000, inbound=True)
        self._stream(BACKUP, 600_000, inbound=False)
        ticks = [
            self._talk(CALL, 7001, 1, 1100, 1150),
            self._talk(GAME, 7002, 2, 120, 350),
            self._swarm(),
            self._browse(),
            self._knock(),
        ]
        for tick in ticks:
            next(tick)
        self._go(lambda: self._run(ticks))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _go(self, work: Callable[[], None]) -> None:
        """Do it in a thread, which is waited for at the end."""
        thread = threading.Thread(target=work)
        self._stack.callback(thread.join)
        self._stack.callback(self._ended.set)
        thread.start()

    def _run(self, ticks: list[Tick]) -> None:
        while not self._ended.is_set():
            for tick in ticks:
                next(tick)
            time.sleep(TICK)

    def _stream(self, host: int, rate: int, inbound: bool) -> None:
        """A TCP stream of so many octets a second."""
        ends = self._stack.enter_context(traffic_generator.connection(self._topology, host))
        receiver, sender = ends if inbound else ends[::-1]
        sender.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)

        def send() -> None:
            with suppress(OSError):  # the receiver has left
                while True:
                    sender.sendall(bytes(16384))

        def receive() -> None:
            while not self._ended.is_set():
                receiver.recv(65536)
            receiver.shutdown(socket.SHUT_RDWR)
            sender.shutdown(socket.SHUT_RDWR)

        self._go(send)
        self._go(receive)

    def _pair(self, host: int, remote: int, port: int) -> tuple[socket.socket, socket.socket]:
        """UDP sockets of a host and a remote that have met, connected to each other."""
        near = self._stack.enter_context(self._topology.hosts[host].namespace.socket())
        return near, self._met(near, remote, port)

    def _met(self, near: socket.socket, remote: int, port: int) -> socket.socket:
        far = self._stack.enter_context(self._topology.internet.socket())
        far.bind((self._topology.remotes[remote], port))
        near.sendto(b"hello", far.getsockname())
        far.settimeout(5)
        far.connect(far.recvfrom(100)[1])
        self._known.append(far.getpeername()[1])
        return far

    def _talk(self, host: int, port: int, every: int, out: int, into: int) -> Tick:
        """Datagrams of so many octets both ways, every so many ticks."""
        near, far = self._pair(host, host, port)
        near.connect(far.getsockname())
        for tick in count():
            yield
            if tick % every == 0:
                near.send(bytes(out))
                far.send(bytes(into))

    def _swarm(self) -> Tick:
        """A peer-to-peer program: one port, many remotes."""
        near = self._stack.enter_context(self._topology.hosts[SWARM].namespace.socket())
        peers = [self._met(near, 50 + number, 6881) for number in range(PEERS)]
        for peer in cycle(peers):
            yield
            near.sendto(bytes(400), peer.getsockname())
            peer.send(bytes(1200))

    def _browse(self) -> Tick:
        """Ever new connections, each for a page, of which the last stay open."""
        listener = self._topology.internet.socket(kind=socket.SOCK_STREAM)
        self._stack.enter_context(listener)
        listener.bind(("0.0.0.0", 443))
        listener.listen(64)
        listener.settimeout(0.2)

        def serve() -> None:
            while not self._ended.is_set():
                with suppress(OSError), listener.accept()[0] as connection:
                    connection.sendall(bytes(PAGE))

        self._go(serve)
        kept: list[socket.socket] = []
        for tick in count():
            yield
            if tick % 12 == 0:
                near = self._topology.hosts[WEB].namespace.socket(kind=socket.SOCK_STREAM)
                near.setblocking(False)
                near.connect_ex((self._topology.remotes[tick // 12 % 40], 443))
                kept.append(near)
            if len(kept) > KEPT:
                kept.pop(0).close()

    def _knock(self) -> Tick:
        """Strangers try ports: one that is in use, and those of servers there are not."""
        stranger = self._stack.enter_context(self._topology.internet.socket())
        stranger.bind((self._topology.remotes[110], 53))
        scanner: socket.socket | None = None
        for tick in count():
            yield
            if tick % 9 == 0:
                stranger.sendto(bytes(64), (EXTERNAL, self._known[0]))
            if tick % 25 == 0:
                if scanner is not None:
                    scanner.close()
                scanner = self._topology.internet.socket(kind=socket.SOCK_STREAM)
                scanner.setblocking(False)
                scanner.connect_ex((EXTERNAL, SERVERS[tick // 25 % len(SERVERS)]))
