"""Two flows that must outlive what happens to the router: a TCP connection and a UDP exchange.

Each sends a numbered message ten times a second to an echo server and knows what it lost, its
longest silence, and whether the NAT gave it another external endpoint (it is another flow then).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from ratsnake.lab import Topology

PERIOD = 0.1  # seconds between two messages
CONNECT_SECONDS = 10.0
#: A connection without an answer for so long is given up: longer than a start takes on a busy
#: machine, with the pauses between TCP's retransmissions.
PATIENCE = 90.0
_NUMBER = struct.Struct("!Q")


@dataclass
class Record:
    """What became of a flow.  `longest` is its longest silence in seconds, `lost` counts messages
    without an answer, `ended` when (seconds since the start) and why it had to begin anew."""

    answered: int = 0
    lost: int = 0
    longest: float = 0.0
    last: float = 0.0
    ended: list[tuple[float, str]] = field(default_factory=list)


class LiveFlow:
    """A flow kept alive by a thread until `close`."""

    name = ""

    def __init__(self, topology: Topology, clock: Callable[[], float]) -> None:
        self.record = Record(last=clock())
        self._topology = topology
        self._clock = clock
        self._over = Event()
        self._server = Thread(target=self._serve, name=f"{self.name} echo", daemon=True)
        self._client = Thread(target=self._run, name=self.name, daemon=True)
        self._server.start()
        self._client.start()

    def silence(self) -> float:
        """Seconds since the last answer."""
        return self._clock() - self.record.last

    def close(self) -> None:
        self._over.set()
        self._client.join(PATIENCE)

    def _answered(self) -> None:
        now = self._clock()
        self.record.longest = max(self.record.longest, now - self.record.last)
        self.record.last = now
        self.record.answered += 1

    def _ended(self, why: str) -> None:
        if not self._over.is_set():
            self.record.ended.append((self._clock(), why))

    def _serve(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        raise NotImplementedError


class TcpFlow(LiveFlow):
    """One connection; a new one is opened only when it has broken."""

    name = "TCP"

    def __init__(self, topology: Topology, clock: Callable[[], float]) -> None:
        self._listener = topology.internet.socket(kind=socket.SOCK_STREAM)
        self._listener.bind((topology.remotes[0], 0))
        self._listener.listen()
        super().__init__(topology, clock)

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            Thread(target=_echo, args=(connection,), daemon=True).start()

    def _run(self) -> None:
        while not self._over.is_set():
            with self._topology.hosts[0].namespace.socket(kind=socket.SOCK_STREAM) as near:
                near.settimeout(CONNECT_SECONDS)
                try:
                    near.connect(self._listener.getsockname())
                except OSError as error:
                    self._ended(f"cannot connect: {error}")
                    continue
                self._exchange(near)

    def _exchange(self, near: socket.socket) -> None:
        near.settimeout(PATIENCE)
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                near.sendall(_NUMBER.pack(number))
                answer = near.recv(_NUMBER.size, socket.MSG_WAITALL)
            except OSError as error:
                self._ended(f"broken: {error}")
                return
            if answer != _NUMBER.pack(number):
                self._ended(f"message {number} came back as {answer!r}")
                return
            self._answered()
            self._over.wait(PERIOD)


class UdpFlow(LiveFlow):
    """One pair of endpoints; a message that is lost is not sent again."""

    name = "UDP"

    def __init__(self, topology: Topology, clock: Callable[[], float]) -> None:
        self._far = topology.internet.socket()
        self._far.bind((topology.remotes[0], 0))
        self._external: tuple[str, int] | None = None
        super().__init__(topology, clock)

    def _serve(self) -> None:
        while True:
            message, external = self._far.recvfrom(100)
            if self._external is not None and external != self._external:
                self._ended(f"external endpoint {self._external} became {external}")
            self._external = external
            with suppress(OSError):
                self._far.sendto(message, external)

    def _run(self) -> None:
        number = 0
        with self._topology.hosts[0].namespace.socket() as near:
            near.connect(self._far.getsockname())
            near.settimeout(PERIOD)
            while not self._over.is_set():
                number += 1
                started = time.monotonic()
                if self._answer_to(near, number):
                    self._answered()
                else:
                    self.record.lost += 1
                self._over.wait(max(0.0, PERIOD - (time.monotonic() - started)))

    def _answer_to(self, near: socket.socket, number: int) -> bool:
        with suppress(OSError):  # an ICMP error is no answer either
            near.send(_NUMBER.pack(number))
            while near.recv(100) != _NUMBER.pack(number):
                pass  # a late answer to an earlier one
            return True
        return False


def _echo(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while message := connection.recv(4096):
            connection.sendall(message)
