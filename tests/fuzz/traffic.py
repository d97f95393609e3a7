"""Packets made of the fuzzer's choices: mostly such as hosts send, and changed afterwards.

What the NAT let through is remembered, so that answers, errors and fragments are about it.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from support.packets import Buffer, Endpoint, checksum
from support.pieces import piece
from support.wire import packet as new_packet
from support.wire import tcp, with_checksums

from .configurations import HOSTS, PREFIX_HOST, REMOTES, STRANGE
from .data import Data

PROTOCOLS = ("udp", "tcp", "icmp", "udplite", "dccp", "sctp", "gre")
WHATS = ("open", "answer", "data", "close", "reset")
FLAGS = ("S", "SA", "A", "FA", "R", "RA", "SF", "", "FSRPAU", "PA")
NUMBERS = (17, 6, 1, 58, 136, 33, 132, 47, 50, 4, 0, 43, 44, 51, 59, 60)
INSIDE = (*HOSTS, PREFIX_HOST)
EVERYWHERE = (*INSIDE, *REMOTES, *STRANGE)
ERRORS = {4: (3, 11, 12, 5, 4), 6: (1, 2, 3, 4, 135)}
KEPT = 16
FEW = 224  # a byte up to this is one packet, and a larger one up to 94


@lru_cache(4096)
def packet(*fields: Any) -> bytes:
    """As `wire.packet`, which takes its time."""
    return bytes(new_packet(*fields))


def of_family(addresses: tuple[str, ...], version: int) -> tuple[str, ...]:
    return tuple(one for one in addresses if (":" in one) == (version == 6))


def ends_of(whole: Buffer) -> tuple[str, str, Endpoint, Endpoint] | None:
    """Protocol, and both endpoints, of a packet without options or extension headers."""
    octets = bytes(whole)
    is_4 = octets[0] >> 4 == 4
    at, number = (20, octets[9]) if is_4 else (40, octets[6])
    names = {17: "udp", 6: "tcp", 1: "icmp", 58: "icmp", 136: "udplite", 33: "dccp", 132: "sctp"}
    if number not in names or (is_4 and octets[0] != 0x45) or len(octets) < at + 8:
        return None
    first, size = (12, 4) if is_4 else (8, 16)
    addresses = [str(ip_address(octets[k : k + size])) for k in (first, first + size)]
    ports = struct.unpack_from("!HH", octets, at)
    if names[number] == "icmp":
        ports = struct.unpack_from("!H", octets, at + 4) * 2
    return names[number], names[number], (addresses[0], ports[0]), (addresses[1], ports[1])


class Traffic:
    """`left` are packets as they went outside, `arrived` as they went inside; `last` is the packet
    made last."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.left: list[bytes] = []
        self.arrived: list[bytes] = []
        self.last = b""

    def learn(self, whole: bytes, is_inside: bool) -> None:
        """Of a translated packet: whether it goes inside."""
        kept = self.arrived if is_inside else self.left
        kept.append(whole)
        del kept[:-KEPT]

    def packets(self) -> list[bytearray]:
        """The next packets: one, or some of a kind."""
        made = self.data.one_of(MAKERS)(self)
        if made:
            self.last = bytes(made[-1])
        return made

    def endpoint(self, addresses: tuple[str, ...]) -> Endpoint:
        """One byte for the address, one for a port that others have too or two for any."""
        address = self.data.one_of(addresses)
        port = self.data.byte()
        return address, port if port < 192 else self.data.word()

    def outbound(self) -> list[bytearray]:
        return self.between(INSIDE, REMOTES)

    def hairpin(self) -> list[bytearray]:
        known = self.known()
        if known is None:
            return []
        protocol, external, _ = known
        source = self.endpoint(of_family(INSIDE, 6 if ":" in external[0] else 4))
        return self.copies(
            lambda k: packet(protocol, (source[0], source[1] + k & 0xFFFF), external)
        )

    def odd(self) -> list[bytearray]:
        return self.between(EVERYWHERE, EVERYWHERE)

    def between(self, sources: tuple[str, ...], destinations: tuple[str, ...]) -> list[bytearray]:
        source = self.endpoint(sources)
        there = of_family(destinations, 6 if ":" in source[0] else 4)
        destination = self.endpoint(there)
        protocol, what = self.data.one_of(PROTOCOLS), self.data.one_of(WHATS)
        payload = bytes(self.data.byte())
        what = what if protocol != "icmp" or what in ("open", "answer") else "open"

        def one(k: int) -> bytes:
            return packet(protocol, (source[0], source[1] + k & 0xFFFF), destination, what, payload)

        return self.copies(one)

    def copies(self, make: Callable[[int], Any]) -> list[bytearray]:
        """Mostly one, or some more, each from the next port."""
        more = max(0, self.data.byte() - FEW)
        return [bytearray(make(k)) for k in range(1 + more * 3)]

    def known(self) -> tuple[str, Endpoint, Endpoint] | None:
        """Protocol, external and remote endpoint of a packet that left."""
        if not self.left:
            return None
        ends = ends_of(self.data.one_of(self.left))
        return None if ends is None else ends[1:]

    def reply(self) -> list[bytearray]:
        known = self.known()
        if known is None:
            return self.outbound()
        protocol, external, remote = known
        choice = self.data.byte()
        if choice & 1:
            remote = self.endpoint(of_family(REMOTES, 6 if ":" in external[0] else 4))
        what = WHATS[(choice >> 1) % len(WHATS)]
        if protocol == "icmp":
            remote, what = (remote[0], 0), "answer" if choice & 16 else "open"
        return self.copies(
            lambda k: packet(protocol, (remote[0], remote[1] + k & 0xFFFF), external, what)
        )

    def segment(self) -> list[bytearray]:
        """Of TCP, with numbers, window and options as they come."""
        data = self.data
        known = self.known()
        if known is not None and known[0] == "tcp" and data.byte() & 1:
            source, destination = known[2], known[1]
        else:
            source = self.endpoint(HOSTS)
            destination = self.endpoint(of_family(REMOTES, 6 if ":" in source[0] else 4))
        flags = data.one_of(FLAGS)
        sequence, acknowledgment = data.byte() << 20 | data.byte(), data.word()
        options = data.octets(data.byte() % 41 & ~3)
        options += bytes(-len(options) % 4)
        return [
            tcp(source, destination, flags, sequence, acknowledgment, data.word(), options, b"abc")
        ]

    def error(self) -> list[bytearray]:
        """About a packet that left or arrived, whole or cut short."""
        data = self.data
        inward = data.byte() & 1
        known = self.left if inward else self.arrived
        if not known:
            return self.outbound()
        quoted = data.one_of(known)
        version = quoted[0] >> 4
        first, size = (12, 4) if version == 4 else (8, 16)
        about = str(ip_address(quoted[first : first + size]))
        source = data.one_of(of_family(EVERYWHERE, version))
        kind, code = data.one_of(ERRORS[version]), data.byte()
        rest = data.word()
        quoted = quoted[: len(quoted) - data.byte() % 48]
        body = struct.pack("!BBHI", kind, code, 0, rest) + quoted
        body += bytes(data.byte() & 0x7F)
        return [with_checksums(self.headed(source, about, 1 if version == 4 else 58, body))]

    def raw(self) -> list[bytearray]:
        return [bytearray(self.data.octets(self.data.byte()))]

    def headed_raw(self) -> list[bytearray]:
        """Anything at all behind a right IP header."""
        data = self.data
        source = data.one_of(EVERYWHERE)
        destination = data.one_of(of_family(EVERYWHERE, 6 if ":" in source else 4))
        number = data.one_of(NUMBERS)
        return [self.headed(source, destination, number, data.octets(data.byte()))]

    @staticmethod
    def headed(source: str, destination: str, number: int, body: bytes) -> bytearray:
        ends = ip_address(source).packed + ip_address(destination).packed
        if len(ends) == 32:
            return bytearray(struct.pack("!IHBB", 6 << 28, len(body), number, 64) + ends + body)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, number, 0) + ends
        return bytearray(head[:10] + struct.pack("!H", checksum(head)) + ends + body)

    def changed(self) -> list[bytearray]:
        """The last packet again with some octets changed, or cut, or with more at its end."""
        data = self.data
        again = bytearray(self.last)
        for _ in range(data.byte() % 4 + 1):
            at, value = data.byte(), data.byte()
            if at < len(again):
                again[at] = value
        cut = data.byte()
        if cut & 1:
            del again[max(0, len(again) - (cut >> 1)) :]
        elif cut:
            again += bytes(cut >> 1)
        return [again]

    def pieces(self) -> list[bytearray]:
        """Fragments of a datagram like the last packet: each with a start and a size of its own."""
        data = self.data
        if len(self.last) < 28 or self.last[0] >> 4 not in (4, 6):
            return self.outbound()
        if self.last[0] >> 4 == 4 and not 20 <= (self.last[0] & 15) * 4 <= len(self.last):
            return []
        whole = self.last + bytes(data.byte() * 8)
        identification = data.byte()
        made = []
        for _ in range(data.byte() % 8 + 1):
            start, size = data.byte() * 8, data.byte()
            times = size >> 6 or 1
            size = (size & 63) * 8
            for k in range(times * times * times):
                made.append(piece(whole, start + k * size, start + (k + 1) * size, identification))
        return made


MAKERS: tuple[Callable[[Traffic], list[bytearray]], ...] = (
    Traffic.outbound,
    Traffic.reply,
    Traffic.hairpin,
    Traffic.error,
    Traffic.segment,
    Traffic.pieces,
    Traffic.changed,
    Traffic.odd,
    Traffic.headed_raw,
    Traffic.raw,
)
