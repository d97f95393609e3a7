"""A download of a LAN host that goes on while something is done to the NAT."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition, Event

from end_to_end.harness import DEADLINE
from ratsnake.lab import Topology, traffic_generator

_BLOCK = 1 << 18


class Download:
    """A TCP connection that carries data from a remote until it is told to end."""

    def __init__(self, near: socket.socket, far: socket.socket, pool: ThreadPoolExecutor) -> None:
        self.received = 0
        self._near, self._far = near, far
        self._over = Event()
        self._news = Condition()
        self._sent: Future[str] = pool.submit(self._send)
        self._got: Future[str] = pool.submit(self._receive)

    def goes_on(self) -> None:
        """Return when much more has come than could have waited in the host."""
        target = self.received + (64 << 20)
        with self._news:
            self._news.wait_for(lambda: self.received > target or self._got.done(), DEADLINE)
        assert not self._got.done(), self._got.result()
        assert self.received > target, f"not in {DEADLINE:.0f} s: the download goes on"

    def end(self) -> None:
        """What came must be what was sent."""
        self._over.set()
        assert self._sent.result(DEADLINE) == self._got.result(DEADLINE)

    def _send(self) -> str:
        digest = hashlib.sha256()
        source = os.urandom(2 * _BLOCK)
        place = 0
        while not self._over.is_set():
            block = source[place : place + _BLOCK]
            place = (place + 4099) % _BLOCK
            self._far.sendall(block)
            digest.update(block)
        self._far.shutdown(socket.SHUT_WR)
        return digest.hexdigest()

    def _receive(self) -> str:
        digest = hashlib.sha256()
        while block := self._near.recv(_BLOCK):
            digest.update(block)
            with self._news:
                self.received += len(block)
                self._news.notify()
        return digest.hexdigest()


@contextmanager
def downloading(topology: Topology, host: int = 0) -> Iterator[Download]:
    with traffic_generator.connection(topology, host) as (near, far), ThreadPoolExecutor(2) as pool:
        download = Download(near, far, pool)
        try:
            yield download
        except BaseException:
            for end in (near, far):
                end.close()
            raise
        download.end()
