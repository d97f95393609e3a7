"""A packet loop on a bench: its device is one end of a socket pair, the test has the other."""

import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .bench import INSIDE, R1, SEED, settings
from .flavours import Engine
from .packets import udp

PATIENCE = 20.0  # seconds after which a test gives up
HOST = (INSIDE, 4000)


class Rig:
    """A packet loop in a thread; `peer` is the other end of its device."""

    def __init__(
        self, engine: Engine, vnet_header: bool, timeouts: dict[str, int], **more: Any
    ) -> None:
        self.peer, self.device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer.settimeout(PATIENCE)
        self.device.setblocking(False)
        for end in (self.peer, self.device):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.nat = engine.Nat(settings(engine, "full-cone", timeouts=timeouts, **more), SEED)
        self.packet_loop = engine.PacketLoop(self.nat, self.device.fileno(), vnet_header)
        self.live = engine.LiveNat(self.nat, self.packet_loop)
        self.results: list[int] = []
        self.thread = threading.Thread(target=lambda: self.results.append(self.packet_loop.run()))

    def exchange(self, frame: bytes | bytearray) -> bytes:
        self.peer.send(frame)
        return self.peer.recv(70_000)

    def read(self, look: Callable[[Any], Any]) -> Any:
        with self.packet_loop.locked():
            return look(self.nat)

    def dropped(self) -> dict[str, int]:
        """Reasons counted so far."""
        counted = self.read(lambda nat: nat.counters()["dropped"])
        return {name: n for name, n in counted.items() if n}

    def barrier(self, header: bytes = b"") -> None:
        """Return when everything sent before has been dealt with."""
        self.exchange(header + udp((INSIDE, 65000), (R1, 9)))

    def result(self) -> int:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.results[0]


@contextmanager
def running(
    engine: Engine,
    vnet_header: bool = False,
    timeouts: dict[str, int] | None = None,
    waiting: Sequence[bytes | bytearray] = (),
    **more: Any,
) -> Iterator[Rig]:
    """`waiting` frames are there before the packet loop first looks, so it reads them together.

    `more` are settings of the NAT.
    """
    rig = Rig(engine, vnet_header, timeouts or {}, **more)
    for frame in waiting:
        rig.peer.send(frame)
    rig.thread.start()
    try:
        yield rig
    finally:
        rig.packet_loop.stop()
        rig.thread.join(PATIENCE)
        rig.packet_loop.close()
        rig.peer.close()
        rig.device.close()
        assert not rig.thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it holds; the pause between is a wait for nothing in particular."""
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        select.select([], [], [], 0.01)
    raise AssertionError("it did not come about")


@contextmanager
def flood(rig: Rig) -> Iterator[None]:
    """Packets that never cease, from a thread of their own."""
    ended = threading.Event()
    packet = udp(HOST, (R1, 53))

    def send() -> None:
        rig.peer.setblocking(False)
        while not ended.is_set():
            try:
                rig.peer.send(packet)
            except BlockingIOError:
                select.select([rig.peer], [], [], 0.01)
            try:
                rig.peer.recv(2048)
            except BlockingIOError:
                continue

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()
