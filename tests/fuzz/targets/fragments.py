"""Fragments of a few datagrams in any order, size and place, both ways and of both IP versions.

No two that are let through overlap (RFC 5722), and all of a whole datagram make what the whole
datagram is translated to.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace

from ratsnake.nat.nat import Nat
from support.packets import Endpoint
from support.pieces import FRAGMENT_HEADER, joined, piece
from support.wire import packet, with_checksums

from ..configurations import EXTERNAL4, EXTERNAL6, HOSTS, LIMITS, REMOTES, settings
from ..data import Data
from ..invariants import Border, Look, check_tables
from ..traffic import ends_of

STEPS = 120
SEED = bytes(range(80))
PLAIN = settings(
    "full-cone", limits=replace(LIMITS, fragments=128)
)  # none is forgotten for want of room
LIFETIME = 15_000  # as configurations.py has it: the default


def datagrams(nat: Nat) -> list[bytearray]:
    """Of each IP version one out, which opens its session, and one back; with different sizes."""
    made = []
    for host, remote, external in (
        (HOSTS[0], REMOTES[0], EXTERNAL4),
        (HOSTS[3], REMOTES[3], EXTERNAL6),
    ):
        source: Endpoint = (host, 4000)
        made.append(packet("udp", source, (remote, 53), payload=bytes(range(256)) * 2))
        opening = packet("udp", source, (remote, 53))
        assert nat.translate(opening, 0) == 0
        ends = ends_of(opening)
        assert ends is not None and ends[2][0] == external
        made.append(packet("udp", (remote, 53), ends[2], payload=bytes(range(200, 100, -1)) * 6))
    return made


def spans_of(fragment: bytes) -> tuple[int, int, bytes]:
    """Start and end in the datagram's payload, and what tells one datagram from the others."""
    if fragment[0] >> 4 == 4:
        at = (fragment[0] & 15) * 4
        start = (int.from_bytes(fragment[6:8]) & 0x1FFF) * 8
        return start, start + len(fragment) - at, fragment[4:6] + fragment[12:20]
    start = int.from_bytes(fragment[42:44]) & 0xFFF8
    return start, start + len(fragment) - 48, fragment[8:40] + fragment[44:48]


def has_more(fragment: bytes) -> bool:
    return bool(fragment[6] & 0x20 if fragment[0] >> 4 == 4 else fragment[43] & 1)


class Course:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.nat = Nat(PLAIN, SEED)
        self.border = Border(self.nat.settings)
        self.now = 0
        self.wholes = datagrams(self.nat)
        self.seen: dict[bytes, list[tuple[int, int]]] = {}
        self.ends: dict[bytes, int] = {}

    def came(self, fragment: bytes) -> None:
        """A fragment got through: none of the same datagram has."""
        self.border.check(Look(fragment))
        assert Look(fragment).header_is_sound
        start, end, key = spans_of(fragment)
        if start == 0 and not has_more(fragment):
            return  # atomic: no part of the others (RFC 6946)
        spans = self.seen.setdefault(key, [])
        for first, last in spans:
            assert end <= first or last <= start, f"{start}-{end} overlaps {first}-{last}"
        spans.append((start, end))
        if not has_more(fragment):
            self.ends[key] = end
        if sum(last - first for first, last in spans) == self.ends.get(key):
            # The datagram is whole; the next with its identification is another one.
            del self.seen[key], self.ends[key]

    def forget(self) -> None:
        self.seen.clear()
        self.ends.clear()

    def send(self, fragment: bytearray) -> None:
        if self.nat.translate(fragment, self.now) == 0:
            self.came(bytes(fragment))
        while own := self.nat.outgoing():
            if is_fragment(own):
                self.came(own)

    def step(self) -> None:
        data = self.data
        choice = data.byte()
        datagram = self.wholes[choice & 3]
        identification = choice >> 2 & 3
        if choice >> 4 == 15:
            self.now += data.byte() * 100
            self.nat.expire(self.now, data.byte())
            if self.now >= LIFETIME:
                # Identifications may come again by now.
                self.forget()
            return
        start, size = data.byte(), data.byte() + 1
        if choice >> 4 == 14:
            fragment = piece(datagram, start * 8, (start + size) * 8, identification)
            at = data.byte()
            if at < len(fragment):
                fragment[at] ^= 1 << (data.byte() & 7)
            if fragment[0] >> 4 in (4, 6):
                self.nat.translate(fragment, self.now)
                while self.nat.outgoing():
                    continue
                # What was changed may be of any datagram.
                self.forget()
            return
        length = len(datagram) - 20 if choice & 3 < 2 else len(datagram) - 40
        start = start * 8 % (length + 8)
        if start < length:
            self.send(piece(datagram, start, min(length, start + size * 8), identification))


def is_fragment(own: bytes) -> bool:
    if own[0] >> 4 == 4:
        return int.from_bytes(own[6:8]) & 0x3FFF != 0
    return own[6] == FRAGMENT_HEADER


def whole_in_order(order: bytes, which: int) -> None:
    """All pieces of one datagram, each once, in an order: together they are the datagram as it
    would have been translated whole."""
    course = Course(Data(b""))
    whole = course.wholes[which]
    length = len(whole) - (20 if which < 2 else 40)
    cuts = sorted({8 + octet * 8 % (length - 8) // 8 * 8 for octet in order[:12]} | {0, length})
    pieces = [piece(whole, start, end, 9) for start, end in zip(cuts, cuts[1:], strict=False)]
    out = []
    keys = list(order[12:]) + [0] * len(pieces)
    for _, fragment in sorted(zip(keys, pieces, strict=False), key=lambda pair: pair[0]):
        if course.nat.translate(fragment, 0) == 0:
            out.append(bytes(fragment))
        while own := course.nat.outgoing():
            out.append(own)
    if len(cuts) < 3:
        return
    assert len(out) == len(pieces), "a fragment is missing"
    there = joined(out)
    expected = bytearray(whole)
    assert course.nat.translate(expected, 0) == 0
    if which < 2:
        struct.pack_into("!H", expected, 4, 7)
        expected = with_checksums(expected)
    assert there == expected


def run(octets: bytes) -> None:
    data = Data(octets)
    mode = data.byte()
    if mode >= 252:
        whole_in_order(data.rest(), mode - 252)
        return
    course = Course(data)
    for _ in range(STEPS):
        if not data:
            break
        course.step()
    check_tables(course.nat, course.now)


def seeds() -> Iterator[bytes]:
    for which in range(4):
        yield bytes([252 + which]) + bytes(range(0, 240, 9))
        yield bytes([252 + which]) + bytes(range(240, 0, -9))
        in_order = [(which, start, 7) for start in range(0, 72, 8)]
        yield bytes([0]) + b"".join(bytes(step) for step in in_order)
        yield bytes([0]) + b"".join(bytes(step) for step in reversed(in_order))
        overlapping = [(which, start, 15) for start in range(0, 72, 8)]
        yield bytes([0]) + b"".join(bytes(step) for step in overlapping) + bytes([0xF0, 200, 9])
