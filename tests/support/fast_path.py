"""A program: a packet loop with established flows moves packets, and between two marks nothing
else.

Its arguments are how many flows, and how many packets.  It prints JSON: the packet loop's thread,
and how often that took memory or gave it back between the marks, where that is counted
(allocations.c).  The marks are for who follows the system calls: readlink of BEGIN and of END.
"""

import ctypes
import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

from ratsnake.daemon.loop.packet_loop import PacketLoop
from ratsnake.nat.nat import SEED_BYTES, Nat
from ratsnake.nat.rules.behaviour import PRESETS
from ratsnake.nat.settings.setting_types import External
from ratsnake.nat.settings.validated_settings import Settings
from ratsnake.portset import PortSet

from .packets import Endpoint, answer, opening, seen, tcp

BEGIN, END = "/ratsnake-begin", "/ratsnake-end"
BURST = 32
PORTS = PortSet.parse("1024-65535")


class Site:
    """A packet loop between the ends of a socket pair, with flows of UDP and TCP that exist."""

    def __init__(self, flows: int) -> None:
        full_cone = PRESETS["full-cone"].behaviour
        self.nat = Nat(
            Settings(
                (External(IPv4Address("203.0.113.1"), PORTS),),
                (IPv4Network("192.168.0.0/16"),),
                tcp=full_cone,
                udp=full_cone,
            ),
            bytes(range(SEED_BYTES)),
        )
        self.packets = [packet for k in range(flows) for packet in self.established(k)]
        self.near, self.device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.near.settimeout(20)
        self.device.setblocking(False)
        self.packet_loop = PacketLoop(self.nat, self.device.fileno(), False)
        self.thread = threading.Thread(target=self.packet_loop.run)
        self.thread.start()

    def established(self, k: int) -> list[bytearray]:
        """Open a flow; a packet of it from inside, and one from outside."""
        protocol = ("udp", "tcp")[k % 2]
        inside = (f"192.168.{k // 250 % 250}.{k % 250 + 1}", 4000)
        remote = ("198.51.100.1", 1024 + k)
        external = self.pass_on(opening(protocol, inside, remote))
        back = answer(protocol, remote, external)
        self.pass_on(back)
        if protocol == "udp":
            return [opening(protocol, inside, remote), back]
        out = tcp(inside, remote, "A")
        self.pass_on(out)
        return [out, tcp(remote, external, "A")]

    def pass_on(self, packet: bytearray) -> Endpoint:
        """Translate a copy; the endpoint it is from then."""
        copy = bytearray(packet)
        assert self.nat.translate(copy, time.monotonic_ns() // 1_000_000) == 0
        return seen(copy).source

    def exchange(self, count: int) -> None:
        """Send so many packets of all flows in turn, and take them back translated."""
        for first in range(0, count, BURST):
            for k in range(first, first + BURST):
                self.near.send(self.packets[k % len(self.packets)])
            for _ in range(BURST):
                self.near.recv(2048)

    def close(self) -> None:
        self.packet_loop.stop()
        self.thread.join()
        self.packet_loop.close()
        self.near.close()
        self.device.close()


def allocations_of(thread: int | None) -> int | None:
    """None where they are not counted."""
    try:
        return int(ctypes.CDLL(None).allocations_of(thread))
    except AttributeError:
        return None


def mark(name: str) -> None:
    with suppress(OSError):
        os.readlink(name)


def main() -> None:
    flows, packets = map(int, sys.argv[1:])
    site = Site(flows)
    thread = site.thread.native_id
    site.exchange(packets)
    before = allocations_of(thread)
    mark(BEGIN)
    site.exchange(packets)
    mark(END)
    after = allocations_of(thread)
    site.close()
    allocations = None if before is None or after is None else after - before
    print(json.dumps({"thread": thread, "at all": before, "allocations": allocations}))


if __name__ == "__main__":
    main()
