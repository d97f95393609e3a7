"""The packet loop over a socket pair: offload headers, stopping, its lock, expiry, a dead device."""

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ratsnake.device.vnet_header import (
    VNET_F_NEEDS_CSUM,
    VNET_GSO_ECN,
    VNET_GSO_NONE,
    VNET_GSO_TCPV4,
    VNET_GSO_TCPV6,
    VNET_GSO_UDP,
    VNET_GSO_UDP_L4,
    VnetHeader,
)
from support import oracle
from support.bench import EXTERNAL, INSIDE, R1, SEED, settings
from support.flavours import Engine
from support.packets import checksum, echo, pseudo_header, seen, tcp, udp

PATIENCE = 20.0  # seconds after which a test gives up
HOST = (INSIDE, 4000)
CSUM = VNET_F_NEEDS_CSUM


class Rig:
    """A worker in a thread; `peer` is the other end of its device."""

    def __init__(self, engine: Engine, vnet_header: bool, timeouts: dict[str, int]) -> None:
        self.peer, self.device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer.settimeout(PATIENCE)
        self.device.setblocking(False)
        self.nat = engine.Nat(settings(engine, "full-cone", timeouts=timeouts), SEED)
        self.worker = engine.Worker(self.nat, self.device.fileno(), vnet_header)
        self.results: list[int] = []
        self.thread = threading.Thread(target=lambda: self.results.append(self.worker.run()))

    def exchange(self, frame: bytes | bytearray) -> bytes:
        self.peer.send(frame)
        return self.peer.recv(70_000)

    def read(self, look: Callable[[Any], Any]) -> Any:
        with self.worker.locked():
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
    engine: Engine, vnet_header: bool = False, timeouts: dict[str, int] | None = None
) -> Iterator[Rig]:
    rig = Rig(engine, vnet_header, timeouts or {})
    rig.thread.start()
    try:
        yield rig
    finally:
        rig.worker.stop()
        rig.thread.join(PATIENCE)
        rig.worker.close()
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


def partial(packet: bytearray, at: int, protocol: int) -> bytearray:
    """The packet with the pseudo-header's sum where its transport checksum was."""
    addresses = tuple(socket.inet_ntoa(packet[k : k + 4]) for k in (12, 16))
    value = checksum(pseudo_header(*addresses, protocol, len(packet) - 20)) ^ 0xFFFF
    copy = bytearray(packet)
    struct.pack_into("!H", copy, at, value)
    return copy


def test_packets_are_translated_both_ways(engine: Engine) -> None:
    with running(engine) as rig:
        out = rig.exchange(udp(HOST, (R1, 53)))
        assert seen(out).source[0] == EXTERNAL
        back = rig.exchange(udp((R1, 53), seen(out).source))
        assert seen(back).destination == HOST
        assert oracle.is_right(out) and oracle.is_right(back)


def test_a_dropped_packet_is_not_sent_and_is_counted(engine: Engine) -> None:
    with running(engine) as rig:
        rig.peer.send(udp(("10.9.9.9", 1), (R1, 53)))
        rig.barrier()
        assert rig.dropped() == {"source": 1}


def test_the_largest_packet_passes_with_and_without_a_vnet_header(engine: Engine) -> None:
    for header in (b"", VnetHeader().build()):
        with running(engine, bool(header)) as rig:
            rig.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            rig.device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            largest = udp(HOST, (R1, 53), bytes(65535 - 28))
            assert len(rig.exchange(header + largest)) == len(header) + 65535
            rig.peer.send(header + largest + b"x")
            rig.barrier(header)
            assert rig.dropped() == {"ip-overlong": 1}


TRUE_HEADERS = {
    "whole": (VnetHeader(), udp(HOST, (R1, 53))),
    "data valid": (VnetHeader(flags=2), udp(HOST, (R1, 53))),
    "partial TCP": (VnetHeader(CSUM, 0, 0, 0, 20, 16), partial(tcp(HOST, (R1, 80)), 36, 6)),
    "partial UDP": (VnetHeader(CSUM, 0, 0, 0, 20, 6), partial(udp(HOST, (R1, 53)), 26, 17)),
    "TSO": (
        VnetHeader(CSUM, VNET_GSO_TCPV4, 40, 1448, 20, 16),
        partial(tcp(HOST, (R1, 80), "S", bytes(5000)), 36, 6),
    ),
    "TSO with ECN": (
        VnetHeader(CSUM, VNET_GSO_TCPV4 | VNET_GSO_ECN, 40, 1448, 20, 16),
        partial(tcp(HOST, (R1, 80), "S", bytes(5000)), 36, 6),
    ),
    "USO": (
        VnetHeader(CSUM, VNET_GSO_UDP_L4, 28, 1200, 20, 6),
        partial(udp(HOST, (R1, 53), bytes(5000)), 26, 17),
    ),
}


@pytest.mark.parametrize("name", TRUE_HEADERS)
def test_the_vnet_header_is_kept_and_a_partial_checksum_changes_by_the_address_alone(
    engine: Engine, name: str
) -> None:
    header, packet = TRUE_HEADERS[name]
    with running(engine, True) as rig:
        frame = rig.exchange(header.build() + packet)
    assert frame[:10] == header.build()
    out = bytearray(frame[10:])
    assert seen(out).source[0] == EXTERNAL
    assert out[:20] == oracle.recomputed(out)[:20]
    if header.flags == CSUM:
        assert out == partial(out, 20 + header.csum_offset, out[9])
    else:
        assert oracle.is_right(out)


SUPER = TRUE_HEADERS["TSO"][1]
DATAGRAM = TRUE_HEADERS["partial UDP"][1]
LIES = {
    "cut short": b"\0" * 9,
    "TSO without a partial checksum": VnetHeader(0, VNET_GSO_TCPV4, 40, 1448).build() + SUPER,
    "checksum starts elsewhere": VnetHeader(CSUM, 0, 0, 0, 24, 16).build() + SUPER,
    "checksum starts beyond the packet": VnetHeader(CSUM, 0, 0, 0, 65535, 16).build() + SUPER,
    "checksum at another offset": VnetHeader(CSUM, 0, 0, 0, 20, 6).build() + SUPER,
    "checksum offset beyond the packet": VnetHeader(CSUM, 0, 0, 0, 20, 65535).build() + SUPER,
    "UDP checksum where TCP's is": VnetHeader(CSUM, 0, 0, 0, 20, 16).build() + DATAGRAM,
    "ICMP checksum where UDP's is": VnetHeader(CSUM, 0, 0, 0, 20, 6).build() + echo(INSIDE, R1, 1),
    "segments of size 0": VnetHeader(CSUM, VNET_GSO_TCPV4, 40, 0, 20, 16).build() + SUPER,
    "headers beyond the packet": VnetHeader(CSUM, VNET_GSO_TCPV4, 9999, 9, 20, 16).build() + SUPER,
    "TSO of a UDP datagram": VnetHeader(CSUM, VNET_GSO_TCPV4, 28, 9, 20, 6).build() + DATAGRAM,
    "USO of a TCP segment": VnetHeader(CSUM, VNET_GSO_UDP_L4, 40, 9, 20, 16).build() + SUPER,
    "TSO6 of an IPv4 packet": VnetHeader(CSUM, VNET_GSO_TCPV6, 40, 9, 20, 16).build() + SUPER,
    "UFO": VnetHeader(CSUM, VNET_GSO_UDP, 28, 9, 20, 6).build() + DATAGRAM,
    "an unknown GSO type": VnetHeader(CSUM, 0x7F, 40, 9, 20, 16).build() + SUPER,
}


@pytest.mark.parametrize("name", LIES)
def test_a_vnet_header_that_lies_is_dropped_under_its_reason(engine: Engine, name: str) -> None:
    with running(engine, True) as rig:
        rig.peer.send(LIES[name])
        rig.barrier(VnetHeader().build())
        assert rig.dropped() == {"offload": 1}


@pytest.mark.parametrize("protocol", [6, 17, 1])
def test_a_partial_checksum_of_a_packet_cut_short_is_dropped(engine: Engine, protocol: int) -> None:
    offset = {6: 16, 17: 6, 1: 2}[protocol]
    packet = bytes.fromhex("4500 0014 0000 0000 40") + bytes([protocol]) + bytes(10)
    packet = packet[:12] + socket.inet_aton(INSIDE) + socket.inet_aton(R1)
    reason = {6: "tcp-truncated", 17: "udp-truncated", 1: "icmp-truncated"}[protocol]
    with running(engine, True) as rig:
        rig.peer.send(VnetHeader(CSUM, VNET_GSO_NONE, 0, 0, 20, offset).build() + packet)
        rig.barrier(VnetHeader().build())
        assert rig.dropped() == {reason: 1}


@pytest.mark.parametrize("vnet_header", [False, True])
def test_an_empty_read_is_survived_and_counted(engine: Engine, vnet_header: bool) -> None:
    with running(engine, vnet_header) as rig:
        rig.peer.send(b"")
        rig.barrier(VnetHeader().build() if vnet_header else b"")
        assert rig.dropped() == {"empty": 1}


def test_stop_from_another_thread_ends_run_with_0(engine: Engine) -> None:
    with running(engine) as rig:
        rig.barrier()
        rig.worker.stop()
        assert rig.result() == 0


def test_stop_before_run_is_not_lost(engine: Engine) -> None:
    rig = Rig(engine, False, {})
    rig.worker.stop()
    rig.worker.stop()
    assert rig.worker.run() == 0
    rig.worker.close()


def test_stop_under_a_flood_is_heard(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        until(lambda: rig.read(lambda nat: nat.counters()["outbound"]["packets"]) > 500)
        rig.worker.stop()
        assert rig.result() == 0


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


def test_the_lock_gets_its_turn_under_a_flood_and_stops_translation(engine: Engine) -> None:
    with running(engine) as rig, flood(rig):
        counted = -1
        for _ in range(20):
            with rig.worker.locked():
                before = rig.nat.counters()
                os.sched_yield()
                select.select([], [], [], 0.005)
                assert rig.nat.counters() == before
            assert before["outbound"]["packets"] >= counted
            counted = before["outbound"]["packets"]
        until(lambda: rig.read(lambda nat: nat.counters()["outbound"]["packets"]) > counted)


def test_the_lock_is_given_back_after_an_exception(engine: Engine) -> None:
    with running(engine) as rig:
        with pytest.raises(ZeroDivisionError), rig.worker.locked():
            raise ZeroDivisionError
        rig.barrier()


def test_a_peer_that_is_gone_ends_run_with_an_errno(engine: Engine) -> None:
    with running(engine) as rig:
        rig.barrier()
        rig.peer.close()
        assert rig.result() in (errno.ENODEV, errno.EPIPE, errno.ECONNRESET)


def test_a_descriptor_that_cannot_be_read_ends_run_with_its_errno(engine: Engine) -> None:
    nat = engine.Nat(settings(engine), SEED)
    folder = os.open("/", os.O_RDONLY)
    worker = engine.Worker(nat, folder, False)
    assert worker.run() == errno.EISDIR
    worker.close()
    os.close(folder)


def test_sessions_expire_while_nothing_arrives(engine: Engine) -> None:
    with running(engine, timeouts={"udp": 1}) as rig:
        rig.barrier()
        assert rig.read(lambda nat: nat.usage()["sessions"]) == 1
        until(lambda: rig.read(lambda nat: nat.usage()["sessions"]) == 0)
        assert rig.read(lambda nat: nat.usage()["mappings"]) == 0


def test_a_device_that_takes_no_more_costs_packets_and_is_counted(engine: Engine) -> None:
    with running(engine) as rig:
        rig.device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        packet = udp(HOST, (R1, 53), bytes(1000))
        until(lambda: bool(rig.peer.send(packet)) and "device-refused" in rig.dropped())
        assert set(rig.dropped()) == {"device-refused"}
