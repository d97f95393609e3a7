"""Frames with and without vnet headers through the packet loop: true headers, lies, batches that
are full, packets of the NAT's own, captures, and many sessions.

All frames wait when the loop begins, so that the same input makes the same batches.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic_ns

from ratsnake.daemon.loop.packet_loop import PacketLoop
from ratsnake.device.vnet_header import VNET_SIZE, VnetHeader
from ratsnake.nat.nat import Nat
from ratsnake.nat.rules.drop_reasons import REASONS
from ratsnake.nat.views.packet_loop_call import PacketLoopCall
from support.wire import packet

from ..configurations import CONFIGURATIONS, HOSTS, LIMITS, REMOTES, settings
from ..data import Data
from ..invariants import Border, Look, check_tables
from ..traffic import Traffic

SEED = bytes(range(80))
ROOM = 2 << 20
FRAMES = 400
PREPARED = 40  # steps before the loop begins
EARLIER = 9000  # ms: what was unsolicited then is answered now
MANY = 4096  # sessions from which on a batch is announced
HEAD = struct.Struct(">QQIBBxx")
CHECKSUM_AT = {6: 16, 17: 6, 1: 2, 58: 2}
SEGMENTS = {(4, 6): 1, (6, 6): 4, (4, 17): 5, (6, 17): 5}
LARGE_LIMITS = replace(LIMITS, mappings=64, sessions=2 * MANY)
LARGE = packet("udp", (HOSTS[0], 4000), (REMOTES[0], 53), payload=bytes(40_000))


def true_header(frame: bytes, segments: bool) -> VnetHeader:
    """As the kernel makes it for a packet whose transport checksum is still to be completed."""
    if len(frame) < 40 or frame[0] >> 4 not in (4, 6):
        return VnetHeader()
    look = Look(frame)
    if look.number not in CHECKSUM_AT:
        return VnetHeader()
    kind = SEGMENTS.get((frame[0] >> 4, look.number), 0) if segments else 0
    offset = CHECKSUM_AT[look.number]
    size = 1000 if kind else 0
    return VnetHeader(1, kind, look.at + 20 if kind else 0, size, look.at, offset)


class Course:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.choice = data.byte()
        self.vnet = bool(self.choice & 1)
        self.capturing = bool(self.choice & 2)
        is_many = self.choice & 0xF0 == 0xF0
        chosen = settings("full-cone", "1024-65535", limits=LARGE_LIMITS)
        self.nat = Nat(chosen if is_many else data.one_of(CONFIGURATIONS), SEED)
        self.border = Border(self.nat.settings)
        self.traffic = Traffic(data)
        self.now = monotonic_ns() // 1_000_000
        if is_many:
            for one in many():
                self.nat.translate(bytearray(one), self.now)

    def prepare(self) -> None:
        """Some seconds ago: flows to answer, SYNs that nobody waited for, fragments that wait."""
        for _ in range(self.data.byte() % PREPARED):
            for one in self.traffic.packets():
                if self.nat.translate(one, self.now - EARLIER) == 0:
                    look = Look(one)
                    is_inside = self.border.is_inside(look.destination)
                    self.traffic.learn(look.octets, is_inside)
                while self.choice & 4 and self.nat.outgoing():
                    continue

    def frames(self) -> list[bytes]:
        data, frames = self.data, list[bytes]()
        while data and len(frames) < FRAMES:
            choice = data.byte()
            if choice == 255:
                frames.append(self.headed(LARGE, choice))
                continue
            frames += [self.headed(one, choice) for one in self.traffic.packets()]
        return frames[:FRAMES]

    def headed(self, one: bytes, choice: int) -> bytes:
        if not self.vnet:
            return bytes(one) or b"\0"
        if choice & 3 == 3:
            return self.data.octets(VNET_SIZE) + one
        header = true_header(bytes(one), bool(choice & 8)) if choice & 3 == 2 else VnetHeader()
        return header.build() + one

    def run(self) -> list[bytes]:
        """What the loop has sent."""
        peer, device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with peer, device:
            for end in (peer, device):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
                end.setblocking(False)
            packet_loop = PacketLoop(self.nat, device.fileno(), self.vnet)
            if self.capturing:
                packet_loop.capture.begin(255, (0, 0), (0, 0))
            for frame in self.frames():
                try:
                    peer.send(frame)
                except BlockingIOError:
                    break
            thread = threading.Thread(target=packet_loop.run)
            thread.start()
            try:
                until_read(packet_loop, device)
            finally:
                packet_loop.stop()
                thread.join()
                packet_loop.close()
            if self.capturing:
                self.check_capture(packet_loop)
            return received(peer)

    def check_capture(self, packet_loop: PacketLoop) -> None:
        size, _ = packet_loop.capture.swap()
        records, at = packet_loop.capture.taken(size), 0
        while at < size:
            _, _, length, side, verdict = HEAD.unpack_from(records, at)
            assert side < 3 and verdict < len(REASONS)
            at += HEAD.size + length
        assert at == size


def until_read(packet_loop: PacketLoop, device: socket.socket) -> None:
    """Return when the loop has translated and sent all that waits."""
    while True:
        packet_loop.send(PacketLoopCall())
        try:
            if not device.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            break
    for _ in range(2):
        packet_loop.send(PacketLoopCall())


def received(peer: socket.socket) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(peer.recv(70_000))
        except BlockingIOError:
            return frames


def many() -> list[bytes]:
    if not _many:
        for port in range(MANY + 100):
            _many.append(bytes(packet("udp", (HOSTS[0], 4000), (REMOTES[1], 1 + port))))
    return _many


_many: list[bytes] = []


def run(octets: bytes) -> None:
    course = Course(Data(octets))
    course.prepare()
    for frame in course.run():
        assert len(frame) > (VNET_SIZE if course.vnet else 0)
        left = frame[VNET_SIZE:] if course.vnet else frame
        course.border.check(Look(left))
    check_tables(course.nat, monotonic_ns() // 1_000_000)


def seeds() -> Iterator[bytes]:
    out = bytes([0, 0, 0, 40, 0, 53])  # from the first host to the first remote
    once, often = bytes([0, 0, 4, 0]), bytes([0, 0, 4, 255])
    for choice in (0, 1, 2, 3, 0xF0, 0xF3):
        yield bytes([choice, 0, 1]) + out[1:] + once + out + often + out + once
        # Unsolicited SYNs that are answered at once, and as many frames at the same time.
        syns = bytes([7, 6, 0, 40, 0, 80, 1, 0, 0, 255])
        yield bytes([choice, 0, 2]) + syns + out[1:] + often + out + often
        # Later fragments, then the first.
        later = bytes([0, 5, 255, 1, 0, 2, 0xC1])
        yield bytes([choice, 0, 1]) + out[1:] + once + out + once + later * 3
    for kind in range(4):
        yield bytes([1, 0, 1]) + out[1:] + once + bytes([kind]) + out[1:] + once
        yield bytes([1, 0, 1]) + out[1:] + once + bytes([kind | 8, 0, 0, 40, 0, 53, 1, 0, 255, 3])
        yield bytes([1, 0, 1]) + out[1:] + once + bytes([255, 255, 3]) + bytes(range(10))
