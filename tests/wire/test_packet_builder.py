"""Packets for tests: scapy makes the same, and the NAT takes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.packet import Packet

from ratsnake.wire.packet_builder import echo_packet, endpoints, tcp_packet, udp_packet

INSIDE, REMOTE = ("192.168.1.10", 4000), ("198.51.100.1", 53)
INSIDE_6, REMOTE_6 = ("2001:db8:1::10", 4000), ("2001:db8:ffff::1", 53)
V4 = IP(src=INSIDE[0], dst=REMOTE[0], id=0)
V6 = IPv6(src=INSIDE_6[0], dst=REMOTE_6[0])
PORTS = {"sport": 4000, "dport": 53}

SAME: list[tuple[Callable[[], bytearray], Packet]] = [
    (lambda: udp_packet(INSIDE, REMOTE, b"odd"), V4 / UDP(**PORTS) / b"odd"),
    (lambda: udp_packet(INSIDE_6, REMOTE_6, b"even"), V6 / UDP(**PORTS) / b"even"),
    (lambda: udp_packet(INSIDE, REMOTE), V4 / UDP(**PORTS)),
    (lambda: tcp_packet(INSIDE, REMOTE), V4 / TCP(**PORTS, window=65535)),
    (
        lambda: tcp_packet(INSIDE_6, REMOTE_6, "PA", b"x", 7, 8),
        V6 / TCP(**PORTS, flags="PA", seq=7, ack=8, window=65535) / b"x",
    ),
    (
        lambda: echo_packet(INSIDE[0], REMOTE[0], 9, 2, b"x"),
        V4 / ICMP(type=8, id=9, seq=2) / b"x",
    ),
    (
        lambda: echo_packet(INSIDE[0], REMOTE[0], 9, reply=True),
        V4 / ICMP(type=0, id=9, seq=1),
    ),
    (
        lambda: echo_packet(INSIDE_6[0], REMOTE_6[0], 9, payload=b"x"),
        V6 / ICMPv6EchoRequest(id=9, seq=1, data=b"x"),
    ),
    (
        lambda: echo_packet(INSIDE_6[0], REMOTE_6[0], 9, reply=True),
        V6 / ICMPv6EchoReply(id=9, seq=1),
    ),
]


@pytest.mark.parametrize(("make", "scapy"), SAME)
def test_scapy_makes_the_same(make: Callable[[], bytearray], scapy: Packet) -> None:
    assert bytes(make()) == bytes(scapy)


def test_a_udp_checksum_of_nought_is_sent_as_ones() -> None:
    """For 0 says that there is none (RFC 768)."""
    checks = {bytes(udp_packet(INSIDE, REMOTE, n.to_bytes(2, "big"))[26:28]) for n in range(65536)}
    assert b"\xff\xff" in checks and bytes(2) not in checks


def test_whose_a_packet_is() -> None:
    for source, destination in ((INSIDE, REMOTE), (INSIDE_6, REMOTE_6)):
        assert endpoints(udp_packet(source, destination)) == (source, destination)
        assert endpoints(tcp_packet(source, destination)) == (source, destination)
        ping = echo_packet(source[0], destination[0], 9)
        assert endpoints(ping) == ((source[0], 9), (destination[0], 9))


def test_both_ends_are_of_one_version() -> None:
    with pytest.raises(ValueError, match="different versions"):
        udp_packet(INSIDE, REMOTE_6)
