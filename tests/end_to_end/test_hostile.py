"""Hostile packets through the real device: the process lives, and each drop has its name.

Written straight into the TUN, as no kernel on the way would forward them; the engine's own tests
say what becomes of every octet.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from end_to_end.frames import (
    ICMP,
    SYN,
    TCP,
    UDP,
    captured,
    icmp,
    injector,
    ipv4,
    raw_sender,
    send,
    sniffer,
    tcp,
    udp,
)
from end_to_end.harness import DEVICE, drops, greet, status, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic

_LAN, _REMOTE = "192.0.2.130", "198.51.100.1"
_GOOD = udp(_LAN, _REMOTE, (5000, 53), b"question")
_QUOTED = udp(EXTERNAL, _REMOTE, (5000, 53), b"question")
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15  # linux/if_packet.h

#: Reason: packets that must be dropped for it, besides those cut short.
_PACKETS: dict[str, tuple[bytes, ...]] = {
    "ip-version": tuple(bytes([version << 4 | 5]) + _GOOD[1:] for version in (0, 5, 15)),
    "ipv6": (bytes([6 << 4]) + bytes(39), b"\x60"),
    "ip-header-length": (ipv4(_LAN, _REMOTE, UDP, bytes(20), words=2), b"\x40" + _GOOD[1:]),
    "ip-truncated": (
        *(_GOOD[:size] for size in (1, 10, 19, 20, 27, 35)),
        ipv4(_LAN, _REMOTE, UDP, bytes(20), total=41),
        ipv4(_LAN, _REMOTE, UDP, bytes(20), total=65535),
    ),
    "ip-length": (ipv4(_LAN, _REMOTE, UDP, bytes(20), total=19),),
    "ip-overlong": (_GOOD + b"x", ipv4(_LAN, _REMOTE, UDP, bytes(20), total=39)),
    "fragment": tuple(
        ipv4(_LAN, _REMOTE, UDP, _GOOD[20:], fragment=field) for field in (0x2000, 1, 0x2001)
    ),
    "tcp-truncated": tuple(ipv4(_LAN, _REMOTE, TCP, bytes(size)) for size in (0, 4, 10, 19)),
    "tcp-header-length": tuple(
        ipv4(_LAN, _REMOTE, TCP, bytes(12) + bytes([words << 4, SYN]) + bytes(6))
        for words in (0, 4, 6, 15)
    ),
    "udp-truncated": (ipv4(_LAN, _REMOTE, UDP, bytes(4)), ipv4(_LAN, _REMOTE, UDP, b"")),
    "udp-length": tuple(
        ipv4(_LAN, _REMOTE, UDP, struct.pack("!4H", 5000, 53, length, 0) + b"ab")
        for length in (0, 4, 7, 11, 9000, 65535)
    ),
    "icmp-truncated": tuple(ipv4(_LAN, _REMOTE, ICMP, b"\x08" + bytes(n)) for n in (3, 6)),
    "icmp-embedded": (
        *(icmp(_REMOTE, EXTERNAL, 3, 1, 0, bytes([0x40 | n]) + _QUOTED[1:]) for n in (0, 4, 15)),
        *(icmp(_REMOTE, EXTERNAL, 3, 1, 0, _QUOTED[:size]) for size in range(28)),
    ),
    "protocol": (ipv4(_LAN, _REMOTE, 253, bytes(8)),),
    "source": (
        udp("203.0.113.77", _REMOTE, (1, 2)),  # neither inside, nor to an external address
        udp("127.0.0.1", EXTERNAL, (1, 2)),
        udp("255.255.255.255", EXTERNAL, (1, 2)),
        udp("224.0.0.1", EXTERNAL, (1, 2)),
    ),
    "destination": tuple(
        udp(_LAN, remote, (1, 2))
        for remote in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "192.0.2.131")
    ),
}


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[Topology, RunningNat]]:
    """One NAT for all of them: each must leave it as it was."""
    with Topology() as topology, nat(topology, "full-cone") as running:
        yield topology, running


@pytest.mark.parametrize("reason", _PACKETS)
def test_each_by_its_reason(attacked: tuple[Topology, RunningNat], reason: str) -> None:
    topology, running = attacked
    packets = _PACKETS[reason]
    before = status(running)
    expected = before["counters"]["dropped"] | {reason: len(packets)}
    with (
        sniffer(topology.router, DEVICE) as watch,
        injector(topology.router, DEVICE) as device,
    ):
        for packet in packets:
            device.send(packet)
        until(lambda: status(running)["counters"]["dropped"] == expected, f"drops are {expected}")
        # What the sniffer saw is what was put in: nothing came out.
        assert len(captured(watch)) <= len(packets)
    after = status(running)
    assert after["counters"]["outbound"] == before["counters"]["outbound"]
    assert after["usage"] == before["usage"]
    traffic.exchange(topology, rounds=1)


#: A vnet header: flags, GSO type, header length, segment size, checksum start and offset.
_VNET = struct.Struct("=BBHHHH")
_NEEDS_CSUM, _GSO_TCP4, _GSO_UDP_L4 = 1, 1, 5
_TRUTHS_ABOUT_TCP = (_NEEDS_CSUM, _GSO_TCP4, 40, 1000, 20, 16)


def test_offload_headers_from_a_local_sender(topology: Topology) -> None:
    """The kernel checks them first: what it lets pass is dropped or translated, all the same."""
    segment = tcp(_LAN, _REMOTE, (5000, 80), SYN, payload=bytes(4000))
    lies = (
        _TRUTHS_ABOUT_TCP,
        (_NEEDS_CSUM, _GSO_UDP_L4, 40, 1000, 20, 16),
        (_NEEDS_CSUM, _GSO_TCP4, 0, 1000, 20, 16),
        (_NEEDS_CSUM, _GSO_TCP4, 40, 0, 20, 16),
        (_NEEDS_CSUM, _GSO_TCP4, 65535, 65535, 20, 16),
        (_NEEDS_CSUM, 0, 0, 0, 0, 0),
        (_NEEDS_CSUM, 0, 0, 0, 12, 4),
        (_NEEDS_CSUM, 0, 0, 0, 20, 2),
        (_NEEDS_CSUM, 0, 0, 0, 4000, 16),
        (0, _GSO_TCP4, 40, 1000, 0, 0),
    )
    taken = 0
    with nat(topology) as running, injector(topology.router, DEVICE) as device:
        device.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        for lie in lies:
            try:
                device.send(_VNET.pack(*lie) + segment)
                taken += 1
            except OSError:
                continue
        assert taken > 1
        with injector(topology.router, DEVICE) as plain:
            plain.send(ipv4(_LAN, _REMOTE, 253, b""))
        until(lambda: drops(running).get("protocol") == 1, "all before it were read")
        assert set(drops(running)) <= {"protocol", "offload"}
        assert drops(running)["offload"] >= 1
        traffic.exchange(topology, rounds=1)


def test_a_hundred_thousand_random_and_mutated_packets(topology: Topology) -> None:
    """A live flow goes on among them, and no answer to any of them is the NAT's own."""
    chance = random.Random(20260101)
    good = [
        _GOOD,
        tcp(_LAN, _REMOTE, (5000, 80), SYN),
        udp(_REMOTE, EXTERNAL, (53, 5000)),
        icmp(_LAN, _REMOTE, 8, 0, 1, b"ping"),
        icmp(_REMOTE, EXTERNAL, 3, 4, 1300, _QUOTED),
    ]
    with (
        nat(topology, "full-cone") as running,
        injector(topology.router, DEVICE) as device,
        udp_pair(topology) as (near, far),
    ):
        for number in range(100_000):
            packet = bytearray(chance.choice(good))
            if number % 3:
                for _ in range(chance.randrange(1, 4)):
                    packet[chance.randrange(len(packet))] = chance.randrange(256)
            else:
                packet = bytearray(os.urandom(chance.randrange(1, 100)))
            try:
                device.send(packet[: chance.randrange(1, len(packet) + 1)])
            except OSError:  # ENOBUFS: the queue is full
                continue
            if number % 1000 == 0:
                greet(near, far)
        greet(near, far)
        assert running.process.poll() is None
        assert len(drops(running)) > 10


def test_hostile_packets_by_raw_sockets_from_both_sides(topology: Topology) -> None:
    """As far as a kernel sends and the router's forwards them."""
    inside = raw_sender(topology.hosts[0].namespace)
    outside = raw_sender(topology.internet)
    with nat(topology, "full-cone") as running, inside, outside:
        for reason, size in (("tcp-truncated", 4), ("udp-truncated", 4), ("icmp-truncated", 4)):
            protocol = {"tcp": TCP, "udp": UDP, "icmp": ICMP}[reason.split("-")[0]]
            for sender, source, target in (
                (inside, _LAN, _REMOTE),
                (outside, _REMOTE, EXTERNAL),
            ):
                send(sender, ipv4(source, target, protocol, bytes(size)))
        spoofed = udp("192.0.2.131", EXTERNAL, (1, 2), b"from the LAN, says the internet")
        send(outside, spoofed)
        send(inside, udp("203.0.113.99", _REMOTE, (1, 2), b"from elsewhere, says the LAN"))
        expected = {"tcp-truncated": 2, "udp-truncated": 2, "icmp-truncated": 2}
        until(lambda: expected.items() <= drops(running).items(), f"{expected} are dropped")
        traffic.exchange(topology, rounds=1)
        assert status(running)["usage"]["sessions"] <= 3


def test_an_empty_packet(topology: Topology) -> None:
    with nat(topology) as running, injector(topology.router, DEVICE) as device:
        with suppress(OSError):  # most kernels refuse to
            device.send(b"")
        traffic.exchange(topology, rounds=1)
        assert set(drops(running)) <= {"empty"}
