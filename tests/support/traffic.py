"""Endless random traffic from a seed: valid, odd and broken packets of a few hosts on both sides.

What came out of the NAT is fed back, so that answers and errors meet real sessions.
"""

import random
import struct

from . import packets
from .bench import EXTERNAL, R1, R2, R3
from .packets import Endpoint

HOSTS = tuple(f"192.168.1.{n}" for n in (1, 2, 3, 10))
REMOTES = (R1, R2, R3)
STRANGE = (
    *("127.0.0.1", "224.0.0.5", "255.255.255.255", "0.0.0.0", "169.254.1.1", "240.0.0.1"),
    *("192.0.2.2", "10.1.2.3", "192.168.2.1", EXTERNAL),
)
KINDS = (3, 3, 3, 11, 12)
FLAGS = ("S", "S", "S", "SA", "A", "PA", "FA", "R", "RA", "SF", "", "FSRPAU", "F")
KEPT = 64
# Bytes that lengths, protocols, types and fragment offsets are in; 0 is in every packet.
DELICATE = (0, 2, 3, 6, 9, 20, 24, 25, 28, 29, 32, 33)


class Traffic:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.outside: list[bytes] = []  # packets as they left to the outside
        self.inside: list[bytes] = []  # packets as they arrived inside

    def learn(self, packet: bytes | bytearray) -> None:
        """Remember a translated packet, to answer it or send an error about it."""
        inbound = packets.seen(packet).destination[0].startswith("192.168.")
        kept = self.inside if inbound else self.outside
        kept.append(bytes(packet))
        del kept[:-KEPT]

    def packet(self) -> bytearray:
        """The next packet: mostly valid, sometimes with a byte or a length changed."""
        makers = (self.open, self.open, self.reply, self.reply, self.error, self.call, self.odd)
        packet = self.chance.choice(makers)()
        return self.mutate(packet) if self.chance.random() < 0.2 else packet

    def endpoint(self, hosts: tuple[str, ...]) -> Endpoint:
        return self.chance.choice(hosts), self.chance.choice((0, 1, 80, 443, 5000, 65535))

    def between(self, source: Endpoint, destination: Endpoint) -> bytearray:
        payload = self.chance.randbytes(self.chance.choice((0, 1, 8, 33)))
        kind = self.chance.randrange(3)
        if kind == 0:
            return packets.tcp(source, destination, self.chance.choice(FLAGS), payload)
        if kind == 1:
            return packets.udp(source, destination, payload, self.chance.random() < 0.8)
        identifier = source[1] if source[0] in HOSTS else destination[1]
        kind = self.chance.choice((8, 8, 8, 0, 5, 13))
        return packets.echo(source[0], destination[0], identifier, kind, payload)

    def open(self) -> bytearray:
        return self.between(self.endpoint(HOSTS), self.endpoint(REMOTES))

    def reply(self) -> bytearray:
        """From outside to an endpoint that was seen, by who was spoken to or by another."""
        if not self.outside:
            return self.open()
        original = self.chance.choice(self.outside)
        source, destination = packets.seen(original)
        peer = destination if self.chance.random() < 0.7 else self.endpoint(REMOTES)
        if original[9] == 17:
            return packets.udp(peer, source)
        if original[9] == 6:
            return packets.tcp(peer, source, self.chance.choice(("SA", "A", "FA", "R", "S")))
        return packets.echo(peer[0], source[0], source[1], self.chance.choice((0, 8)))

    def error(self) -> bytearray:
        """About a packet that left or arrived; whole, or cut short."""
        outward = self.chance.random() < 0.3
        known = self.inside if outward else self.outside
        if not known:
            return self.open()
        quoted = self.chance.choice(known)
        if self.chance.random() < 0.5:
            quoted = quoted[: self.chance.randint(20, len(quoted))]
        kind, code = self.chance.choice(KINDS), self.chance.randrange(16)
        if outward:
            return packets.error(self.chance.choice(HOSTS), REMOTES[0], quoted, kind, code, 1400)
        return packets.error(self.chance.choice(REMOTES), EXTERNAL, quoted, kind, code)

    def call(self) -> bytearray:
        """From inside to an external endpoint: a hairpin."""
        port = self.chance.randrange(65536)
        if self.outside and self.chance.random() < 0.8:
            port = packets.seen(self.chance.choice(self.outside)).source[1]
        return self.between(self.endpoint(HOSTS), (EXTERNAL, port))

    def odd(self) -> bytearray:
        """Valid in form, from or to addresses that have no business here."""
        hosts = HOSTS + REMOTES + STRANGE
        return self.between(self.endpoint(hosts), self.endpoint(hosts))

    def mutate(self, packet: bytearray) -> bytearray:
        chance = self.chance
        way = chance.randrange(4)
        if way == 0 and packet:
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        elif way == 1:
            del packet[chance.randrange(len(packet) + 1) :]
            if len(packet) >= 4 and chance.random() < 0.7:
                struct.pack_into("!H", packet, 2, len(packet))
        elif way == 2:
            packet += chance.randbytes(chance.randrange(1, 9))
            if chance.random() < 0.5:
                struct.pack_into("!H", packet, 2, len(packet))
        else:
            places = [at for at in DELICATE if at < len(packet)]
            packet[chance.choice(places)] = chance.randrange(256)
        return packet
