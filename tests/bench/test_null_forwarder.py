"""The null forwarder over a socket pair: both addresses, every checksum, and its end."""

import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from ratsnake.device.vnet_header import VNET_F_NEEDS_CSUM, VNET_SIZE, VnetHeader
from support import oracle
from support.flavours import Engine
from support.packets import Buffer, checksum, echo, ip, pseudo_header, seen, tcp, udp

INSIDE, EXTERNAL, REMOTE = "192.0.2.130", "203.0.113.1", "198.51.100.1"
PATIENCE = 20.0
PLAIN = VnetHeader().build()


class Rig:
    def __init__(self, engine: Engine) -> None:
        self.peer, self.device = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer.settimeout(PATIENCE)
        self.device.setblocking(False)
        addresses = int(IPv4Address(INSIDE)), int(IPv4Address(EXTERNAL))
        module = engine.modules["bench.null_forwarder"]
        forwarder = module.NullForwarder(self.device.fileno(), *addresses)
        self.results: list[int] = []
        self.thread = threading.Thread(target=lambda: self.results.append(forwarder.run()))
        self.thread.start()

    def passes(self, packet: Buffer, header: bytes = PLAIN) -> bytes:
        self.peer.send(header + packet)
        frame = self.peer.recv(70_000)
        assert frame[:VNET_SIZE] == header
        return frame[VNET_SIZE:]

    def close(self) -> None:
        self.peer.close()
        self.thread.join(PATIENCE)
        self.device.close()
        assert not self.thread.is_alive()


@pytest.fixture
def rig(engine: Engine) -> Iterator[Rig]:
    rig = Rig(engine)
    try:
        yield rig
    finally:
        rig.close()


@pytest.mark.parametrize("make", [udp, tcp])
def test_the_address_is_exchanged_and_the_ports_stay(rig: Rig, make: object) -> None:
    assert callable(make)
    for port in range(1024, 65536, 5000):
        out = rig.passes(make((INSIDE, port), (REMOTE, 53)))
        assert seen(out) == ((EXTERNAL, port), (REMOTE, 53))
        back = rig.passes(make((REMOTE, 53), (EXTERNAL, port)))
        assert seen(back) == ((REMOTE, 53), (INSIDE, port))
        assert oracle.is_right(out) and oracle.is_right(back)


def test_options_of_the_ip_header_and_other_protocols(rig: Rig) -> None:
    options = bytes([7, 39, 4]) + bytes(36) + b"\0"
    sent = ip(INSIDE, REMOTE, 17, udp((INSIDE, 4000), (REMOTE, 53))[20:], options)
    assert oracle.is_right(rig.passes(sent))
    pinged = rig.passes(echo(INSIDE, REMOTE, 7))
    assert seen(pinged).source == (EXTERNAL, 7) and oracle.is_right(pinged)


def test_no_udp_checksum_stays_none_and_none_is_computed(rig: Rig) -> None:
    assert rig.passes(udp((INSIDE, 4000), (REMOTE, 53), check=False))[26:28] == bytes(2)
    # The payload makes the checksum 0 on the way, which says 0xFFFF in its place.
    zero = udp((EXTERNAL, 4000), (REMOTE, 53), b"\0\0")
    word = int.from_bytes(zero[26:28], "big").to_bytes(2, "big")
    out = rig.passes(udp((INSIDE, 4000), (REMOTE, 53), word))
    assert out[26:28] == b"\xff\xff" and oracle.is_right(out)


@pytest.mark.parametrize(("make", "at"), [(udp, 6), (tcp, 16)])
def test_a_partial_checksum_is_the_sum_of_the_new_pseudo_header(
    rig: Rig, make: object, at: int
) -> None:
    assert callable(make)
    header = VnetHeader(VNET_F_NEEDS_CSUM, csum_start=20, csum_offset=at).build()
    packet = make((INSIDE, 4000), (REMOTE, 53))

    def partial(source: str) -> bytes:
        whole = pseudo_header(source, REMOTE, packet[9], len(packet) - 20)
        return (checksum(whole) ^ 0xFFFF).to_bytes(2, "big")

    packet[20 + at : 22 + at] = partial(INSIDE)
    assert rig.passes(packet, header)[20 + at : 22 + at] == partial(EXTERNAL)


def test_it_ends_with_its_device(engine: Engine) -> None:
    rig = Rig(engine)
    rig.passes(udp((INSIDE, 4000), (REMOTE, 53)))
    rig.close()
    assert rig.results == [0]
