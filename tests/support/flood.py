"""A flood of forged sources inside, and honest hosts whose flows are answered, in one engine."""

import random
import struct
from dataclasses import dataclass, field
from typing import Any

from .site import V4

FAR = (V4.remotes[0], 80)
HONEST = tuple(f"192.168.200.{n}" for n in range(1, 101))


@dataclass
class Flood:
    """`rate` packets a second of `sources` forged hosts, each a flow of its own."""

    nat: Any
    rate: int
    sources: int = 64_000
    delay: int = 50  # milliseconds until a remote answers
    now: int = 0
    sent: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def send(self, source: tuple[str, int]) -> bytearray | None:
        """What became of a flow's first packet; None where it was refused."""
        whole = udp(source, FAR)
        return None if self.nat.translate(whole, self.now) else whole

    def forge(self) -> None:
        number = self.sent % self.sources
        high, low = divmod(number, 250)
        port = 1024 + self.sent // self.sources
        self.send((f"192.168.{high % 180}.{low + 1}" if high < 180 else _far(number), port))
        self.sent += 1

    def run(self, hosts: tuple[str, ...], seconds: int, first: int = 5000) -> int:
        """Every host opens a flow a second; how many were opened and answered."""
        done = 0
        for second in range(seconds):
            waiting: list[tuple[int, bytearray]] = []
            for millisecond in range(0, 1000, 10):
                self.now += 10
                # Honest hosts' packets come somewhere among the others.
                before = self.chance.randint(0, self.rate // 100)
                for _ in range(before):
                    self.forge()
                while waiting and waiting[0][0] <= self.now:
                    _, sent = waiting.pop(0)
                    done += self.answer(sent)
                turn = range(
                    millisecond * len(hosts) // 1000, (millisecond + 10) * len(hosts) // 1000
                )
                for n in turn:
                    sent_out = self.send((hosts[n], first + second))
                    if sent_out is not None:
                        waiting.append((self.now + self.delay, sent_out))
                for _ in range(self.rate // 100 - before):
                    self.forge()
            self.now += self.delay
            done += sum(self.answer(sent) for _, sent in waiting)
        return done

    def answer(self, sent: bytearray) -> bool:
        external = (".".join(map(str, sent[12:16])), int.from_bytes(sent[20:22], "big"))
        return not self.nat.translate(udp(FAR, external), self.now)


def udp(source: tuple[str, int], destination: tuple[str, int]) -> bytearray:
    """A datagram without data and checksum, made in a moment: a flood has very many."""
    octets = bytes(int(octet) for end in (source, destination) for octet in end[0].split("."))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0x4000, 64, 17, 0) + octets
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    ports = struct.pack("!HHHH", source[1], destination[1], 8, 0)
    return bytearray(head[:10] + struct.pack("!H", 0xFFFF - total) + head[12:] + ports)


def _far(number: int) -> str:
    """An address of 192.168.0.0/16 that no honest host has."""
    high, low = divmod(number, 250)
    return f"192.168.{201 + high % 50}.{low + 1}"
