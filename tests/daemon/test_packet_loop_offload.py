"""vnet headers through the packet loop: true ones are kept, and every lie is dropped."""

import socket
import struct

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
from support.bench import EXTERNAL, INSIDE, R1
from support.flavours import Engine
from support.packets import checksum, echo, pseudo_header, seen, tcp, udp
from support.rig import HOST, running

CSUM = VNET_F_NEEDS_CSUM


def partial(packet: bytearray, at: int, protocol: int) -> bytearray:
    """The packet with the pseudo-header's sum where its transport checksum was."""
    addresses = tuple(socket.inet_ntoa(packet[k : k + 4]) for k in (12, 16))
    value = checksum(pseudo_header(*addresses, protocol, len(packet) - 20)) ^ 0xFFFF
    copy = bytearray(packet)
    struct.pack_into("!H", copy, at, value)
    return copy


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
