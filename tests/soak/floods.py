"""Floods from both sides, each a process of its own that sends made-up packets in bursts.

What they send is drawn from the seed, so a run can be repeated.  Their rates are limits: a busy
machine makes fewer.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess

from end_to_end.frames import ACK, RST, SYN, icmp, raw_sender, send, tcp, udp
from end_to_end.pieces import piece
from ratsnake.lab import EXTERNAL, Namespace, Topology

FORWARDED = 8080  # the port of a static forward, TCP and UDP
BURST = 200  # packets between two looks at the clock
_UDP = 17

#: Makes the next packet.
Maker = Callable[[random.Random], bytes]


def _lan_address(draw: random.Random) -> str:
    return f"192.0.2.{draw.randrange(132, 255)}"


def _stranger(draw: random.Random) -> str:
    return f"198.51.100.{draw.randrange(10, 250)}"


def _port(draw: random.Random) -> int:
    return draw.randrange(1, 65536)


def new_udp_flows(draw: random.Random) -> bytes:
    return udp(_lan_address(draw), _stranger(draw), (_port(draw), _port(draw)), b"flood")


def new_tcp_flows(draw: random.Random) -> bytes:
    return tcp(_lan_address(draw), _stranger(draw), (_port(draw), 80), SYN)


def strays_from_inside(draw: random.Random) -> bytes:
    flags = draw.choice((ACK, RST, ACK | RST, SYN | ACK))
    return tcp(_lan_address(draw), _stranger(draw), (_port(draw), _port(draw)), flags)


def fragments_from_inside(draw: random.Random) -> bytes:
    start = draw.choice((0, 512, 1024))
    addresses = _lan_address(draw), _stranger(draw)
    return piece(*addresses, draw.randrange(1 << 16), start, bytes(512), start < 1024, _UDP)


def syns_to_closed_ports(draw: random.Random) -> bytes:
    return tcp(_stranger(draw), EXTERNAL, (_port(draw), _port(draw)), SYN)


def syns_to_the_forward(draw: random.Random) -> bytes:
    return tcp(_stranger(draw), EXTERNAL, (_port(draw), FORWARDED), SYN)


def datagrams_to_the_forward(draw: random.Random) -> bytes:
    return udp(_stranger(draw), EXTERNAL, (_port(draw), FORWARDED), b"flood")


def later_fragments_first(draw: random.Random) -> bytes:
    start = draw.choice((512, 1024, 0))
    identification = draw.randrange(64)
    return piece(_stranger(draw), EXTERNAL, identification, start, bytes(512), start < 1024, _UDP)


def errors_about_nothing(draw: random.Random) -> bytes:
    quoted = udp(EXTERNAL, _stranger(draw), (_port(draw), _port(draw)))
    return icmp(_stranger(draw), EXTERNAL, draw.choice((3, 11)), draw.randrange(4), 0, quoted)


def noise(draw: random.Random) -> bytes:
    """A packet of the right length and addresses, all else by chance."""
    whole = bytearray(udp(_stranger(draw), EXTERNAL, (_port(draw), _port(draw)), bytes(64)))
    for _ in range(4):
        whole[draw.choice((1, 4, 5, 6, 8, 9, *range(20, len(whole))))] = draw.randrange(256)
    return bytes(whole)


FROM_INSIDE: tuple[Maker, ...] = (
    new_udp_flows,
    new_tcp_flows,
    strays_from_inside,
    fragments_from_inside,
)
FROM_OUTSIDE: tuple[Maker, ...] = (
    syns_to_closed_ports,
    syns_to_the_forward,
    datagrams_to_the_forward,
    later_fragments_first,
    errors_about_nothing,
    noise,
)


class Floods:
    """Runs from construction until `close`; `rate` is in packets a second for each side."""

    def __init__(self, topology: Topology, seed: int, rate: int) -> None:
        fork = multiprocessing.get_context("fork")
        sides: tuple[tuple[Namespace, tuple[Maker, ...]], ...] = (
            (topology.hosts[1].namespace, FROM_INSIDE),
            (topology.internet, FROM_OUTSIDE),
        )
        self._sent = [fork.Value("Q", 0) for _ in sides]
        self._processes: list[BaseProcess] = []
        for number, (namespace, makers) in enumerate(sides):
            handle = raw_sender(namespace)
            process = fork.Process(
                target=_flood,
                args=(handle, makers, random.Random(seed + number), rate, self._sent[number]),
                daemon=True,
            )
            process.start()
            handle.close()
            self._processes.append(process)

    def sent(self) -> tuple[int, ...]:
        """Packets sent so far from inside and from outside."""
        return tuple(one.value for one in self._sent)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def _flood(
    handle: socket.socket, makers: tuple[Maker, ...], draw: random.Random, rate: int, sent: object
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)
    for maker, packets in _bursts(makers, draw):
        started = time.monotonic()
        for _ in range(packets):
            with suppress(OSError):  # a link that is down, a queue that is full
                send(handle, maker(draw))
        sent.value += packets  # type: ignore[attr-defined]
        time.sleep(max(0.0, packets / rate - (time.monotonic() - started)))


def _bursts(makers: tuple[Maker, ...], draw: random.Random) -> Iterator[tuple[Maker, int]]:
    """One kind for some seconds, then another."""
    while True:
        maker = draw.choice(makers)
        for _ in range(draw.randrange(10, 200)):
            yield maker, BURST
