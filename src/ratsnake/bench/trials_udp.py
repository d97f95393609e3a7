"""Trials with UDP: round trips (sockperf), and datagrams in numbers over one flow and over many."""

from __future__ import annotations

import random
import re
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from . import load_programs
from .contestants import REMOTES, Site
from .load_programs import LoadError
from .udp_load import Receiver, Sender

SIZE = 64  # bytes of payload
LOSS = 0.01  # what a rate may lose and still count

FLOWS = 50_000
FLOWS_RATE = 100_000  # datagrams a second

_PORT = 5301
_ANY_NUMBER = 1 << 62
_SILENCE = struct.pack("@ll", 0, 100_000)  # struct timeval: after it nothing more comes
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_ROOM = 8 << 20  # bytes; the receiver shall not be what loses
_STEPS = 6  # of the search: the last halves a 1/32 of the range
_OPENING_RATE = 50_000  # datagrams a second that open flows; half of it at each further try
_OPENING_TRIES = 6
_OPENED = 0.999

_PERCENTILE = re.compile(r"percentile (\d+)\.000 *= *([\d.]+)")


@dataclass(frozen=True)
class Burst:
    """Datagrams sent and received in some seconds."""

    sent: int
    received: int
    seconds: float

    @property
    def loss(self) -> float:
        """0 to 1."""
        return max(0.0, 1 - self.received / self.sent) if self.sent else 0.0

    @property
    def rate(self) -> float:
        """Received, thousands a second."""
        return self.received / self.seconds / 1000


def round_trip(site: Site, seconds: float) -> dict[str, float]:
    """Percentiles ("50", "99") of the round trip of 64 bytes, µs."""
    remote = site.topology.remotes[0]
    sockperf = load_programs.find("sockperf")
    at = ["-i", remote, "-p", str(_PORT)]
    size = ["-m", str(SIZE), "-t", str(round(seconds)), "--full-rtt"]
    with load_programs.server(site.topology.internet, "udp", _PORT, [sockperf, "sr", *at]):
        told = load_programs.output(
            site.topology.hosts[0].namespace, [sockperf, "pp", *at, *size], seconds
        )
    found = {name: float(value) for name, value in _PERCENTILE.findall(told)}
    if not {"50", "99"} <= found.keys():
        raise LoadError(f"sockperf: no percentiles in {' '.join(told.split())[-200:]!r}")
    return {name: found[name] for name in ("50", "99")}


def flood(site: Site, seconds: float) -> float:
    """Thousands of datagrams a second that arrive when as many are sent as can be."""
    with _one_flow(site) as load:
        return load.burst(0, seconds).rate


def lossless(site: Site, seconds: float) -> float:
    """Thousands of datagrams a second of which less than LOSS is lost, each rate held `seconds`.

    Found by halving, between half of what arrives of a flood and what the flood sends.  A rate that
    loses gets a second chance: what else the machine does shall not decide.
    """
    with _one_flow(site) as load:
        flooded = load.burst(0, seconds)
        low, high = 500 * flooded.rate, flooded.sent / flooded.seconds
        best = 0.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            tries = (load.burst(int(middle), seconds) for _ in range(2))
            passed = next((burst for burst in tries if burst.loss < LOSS), None)
            if passed is None:
                high = middle
            else:
                low, best = middle, max(best, passed.rate)
    if not best:
        raise LoadError(f"no rate from {low / 1000:.0f} kpps up lost less than {LOSS:.0%}")
    return best


def many_flows(site: Site, seconds: float) -> dict[str, float]:
    """FLOWS existing flows, of which random ones have FLOWS_RATE datagrams a second in all.

    The percentage lost ("loss"), the NAT's µs of CPU for a datagram ("cpu"), and what it holds in
    memory at the end, MB ("memory").
    """
    with _flows(site, FLOWS // REMOTES, REMOTES) as load:
        load.open()
        load.shuffle()
        before = site.cpu_seconds()
        burst = load.burst(FLOWS_RATE, seconds)
        after = site.cpu_seconds()
    result = {"loss": 100 * burst.loss}
    memory = site.resident_megabytes()
    if before is not None and after is not None:
        result["cpu"] = 1e6 * (after - before) / burst.sent
    if memory is not None:
        result["memory"] = memory
    return result


@contextmanager
def _one_flow(site: Site) -> Iterator[_Load]:
    with _flows(site, 1, 1) as load:
        load.open()
        yield load


@contextmanager
def _flows(site: Site, sockets: int, remotes: int) -> Iterator[_Load]:
    """As many flows from one LAN host as the product."""
    host = site.topology.hosts[0]
    with ExitStack() as stack:
        far = stack.enter_context(site.topology.internet.socket())
        far.bind(("0.0.0.0", _PORT))
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _SILENCE)
        _make_room(far)
        near = [stack.enter_context(host.namespace.socket()) for _ in range(sockets)]
        for handle in near:
            handle.bind((host.address, 0))
        targets = [(address, _PORT) for address in site.topology.remotes[:remotes]]
        pool = stack.enter_context(ThreadPoolExecutor(1))
        yield _Load(near, targets, far, pool)


def _make_room(receiver: socket.socket) -> None:
    """The kernel keeps what exceeds its own limit for root, and not of a user namespace."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except PermissionError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)


class _Load:
    def __init__(
        self,
        near: Sequence[socket.socket],
        remotes: Sequence[tuple[str, int]],
        far: socket.socket,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._near, self._remotes, self._far, self._pool = list(near), list(remotes), far, pool
        self._sender = Sender(near, remotes, SIZE)

    def shuffle(self) -> None:
        """Another order of the flows, always the same one."""
        chance = random.Random(1)
        chance.shuffle(self._near)
        chance.shuffle(self._remotes)
        self._sender = Sender(self._near, self._remotes, SIZE)

    def open(self) -> None:
        """Send a datagram of each flow; raises `LoadError` when they do not arrive."""
        flows = len(self._near) * len(self._remotes)
        for again in range(_OPENING_TRIES):
            burst = self.burst(_OPENING_RATE >> again, 60.0, flows)
            if burst.received >= _OPENED * flows:
                return
        raise LoadError(f"of {flows} flows only {burst.received} could be opened")

    def burst(self, rate: int, seconds: float, most: int = _ANY_NUMBER) -> Burst:
        """Send at a rate (0: as fast as can be), and count what arrives until nothing does."""
        receiver = Receiver(self._far)
        counting = self._pool.submit(receiver.run)
        start = time.monotonic()
        try:
            sent = self._sender.run(rate, seconds, most)
            passed = time.monotonic() - start
        finally:
            receiver.stop()
        return Burst(sent, counting.result(), passed)
