"""Hostile packets through the real device: the process lives, and each drop has its name.

Written straight into the TUN, as no kernel on the way would forward them; the engine's own tests
say what becomes of every octet.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network
from typing import Any

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
from end_to_end.pieces import piece
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    RunningNat,
    Topology,
    nat,
    traffic_generator,
)
from support import layers
from support.malformed import MALFORMED

_LAN, _REMOTE = "192.0.2.130", "198.51.100.1"
_LAN_6, _REMOTE_6 = "2001:db8:1::130", "2001:db8:2::1"
_GOOD = udp(_LAN, _REMOTE, (5000, 53), b"question")
_QUOTED = udp(EXTERNAL, _REMOTE, (5000, 53), b"question")
_PREFIX, _PREFIX_6 = ip_network(LAN_PREFIX), ip_network(LAN_PREFIX_6)
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15  # linux/if_packet.h


def _udp_6(source: str, destination: str) -> bytes:
    return layers.ipv6(UDP, layers.udp(), source, destination)


def _spoilt(packet: bytes, at: int) -> bytes:
    """With one octet changed."""
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]


_UNREACHABLE = icmp(_REMOTE, EXTERNAL, 3, 1, 0, _QUOTED)

#: Reason: packets that must be dropped for it, besides those that `MALFORMED` has.
_PACKETS: dict[str, tuple[bytes, ...]] = {
    "ip-truncated": tuple(_GOOD[:size] for size in range(1, len(_GOOD))),
    "icmp-embedded": (
        *(icmp(_REMOTE, EXTERNAL, 3, 1, 0, bytes([0x40 | n]) + _QUOTED[1:]) for n in (0, 4, 15)),
        *(icmp(_REMOTE, EXTERNAL, 3, 1, 0, _QUOTED[:size]) for size in range(28)),
    ),
    "icmp-checksum": (
        *(_spoilt(_UNREACHABLE, at) for at in (22, 23, 27, 50)),
        # The quoted IP header's own checksum, which the sum of the error takes in.
        icmp(_REMOTE, EXTERNAL, 3, 1, 0, _spoilt(_QUOTED, 10)),
        icmp(_REMOTE, EXTERNAL, 11, 0, 0, _spoilt(_QUOTED, 8)),
        _spoilt(icmp(_LAN, _REMOTE, 3, 3, 0, udp(_REMOTE, _LAN, (53, 5000))), 22),
        layers.ipv6(58, layers.icmp(1, _udp_6(EXTERNAL_6, _REMOTE_6)), _REMOTE_6, EXTERNAL_6),
        layers.ipv6(58, layers.icmp(1, _udp_6(_REMOTE_6, _LAN_6)), _LAN_6, _REMOTE_6),
    ),
    "source": (
        udp("203.0.113.77", _REMOTE, (1, 2)),  # neither inside, nor to an external address
        udp("127.0.0.1", EXTERNAL, (1, 2)),
        udp("255.255.255.255", EXTERNAL, (1, 2)),
        udp("224.0.0.1", EXTERNAL, (1, 2)),
        udp("169.254.0.1", EXTERNAL, (1, 2)),
        udp(EXTERNAL, EXTERNAL, (1, 2)),
        *(_udp_6("2001:db8:3::77", remote) for remote in (_REMOTE_6, _LAN_6)),
        *(_udp_6(source, EXTERNAL_6) for source in ("::1", "fe80::1", "ff02::1", EXTERNAL_6)),
        *(_udp_6(source, _REMOTE_6) for source in ("::", "fe80::1")),
    ),
    "destination": (
        *(
            udp(_LAN, remote, (1, 2))
            for remote in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "192.0.2.131")
        ),
        *(
            _udp_6(_LAN_6, remote)
            for remote in ("::", "::1", "fe80::1", "ff02::1", "::192.0.2.1", "2001:db8:1::131")
        ),
    ),
}
for _packet, _reason in MALFORMED.values():
    if _packet:
        _PACKETS[_reason] = (*_PACKETS.get(_reason, ()), _packet)


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[Topology, RunningNat]]:
    """One NAT, of both versions, for all of them: each must leave it as it was."""
    external, internal = (EXTERNAL, EXTERNAL_6), (LAN_PREFIX, LAN_PREFIX_6)
    with (
        Topology(ipv6=True) as topology,
        nat(topology, "full-cone", external=external, internal=internal) as running,
    ):
        yield topology, running


@pytest.mark.parametrize("reason", _PACKETS)
def test_each_by_its_reason(attacked: tuple[Topology, RunningNat], reason: str) -> None:
    _check(attacked, _PACKETS[reason], {reason: len(_PACKETS[reason])})


#: Where the fragments are, before the first one, that cannot be of one datagram: offset, size and
#: whether more follow.  The first is good, and waits.
_CONTRADICTIONS = {
    "the same twice": ((800, 800, True), (800, 800, True)),
    "one inside another": ((800, 800, True), (1200, 8, True)),
    "one across the start": ((800, 800, True), (400, 408, True)),
    "one across the end": ((800, 800, True), (1592, 16, True)),
    "one beyond the end": ((800, 800, False), (1600, 8, True)),
    "an end inside": ((800, 800, True), (400, 8, False)),
    "a later end": ((800, 800, False), (1600, 8, False)),
}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", _CONTRADICTIONS)
def test_fragments_that_contradict_each_other(
    attacked: tuple[Topology, RunningNat], name: str, version: int
) -> None:
    """Then the datagram's first fragment does not pass either."""
    source, destination = {4: (_LAN, _REMOTE), 6: (_LAN_6, _REMOTE_6)}[version]
    identification = list(_CONTRADICTIONS).index(name)
    packets = [
        piece(source, destination, identification, offset, bytes(size), more)
        for offset, size, more in _CONTRADICTIONS[name]
    ]
    first = udp(_LAN, _REMOTE, (5000, 53), bytes(392))[20:]
    packets.append(piece(source, destination, identification, 0, first, True))
    expected = {"fragment-overlap": 1, "fragment-refused": 1}
    _check(attacked, tuple(packets), expected, held=1)


def _check(
    attacked: tuple[Topology, RunningNat],
    packets: tuple[bytes, ...],
    expected: dict[str, int],
    held: int = 0,
) -> None:
    """Send them: the drops are those `expected`, and nothing comes out or remains."""
    topology, running = attacked
    before = status(running)
    counters = before["counters"]["dropped"]
    wanted = counters | {reason: counters[reason] + more for reason, more in expected.items()}
    with (
        sniffer(topology.router, DEVICE) as watch,
        injector(topology.router, DEVICE) as device,
    ):
        for packet in packets:
            device.send(packet)
        until(lambda: status(running)["counters"]["dropped"] == wanted, f"drops are {wanted}")
        # What the sniffer saw is what was put in: nothing came out.
        assert sorted(captured(watch, 4, 6)) == sorted(packets)
    after = status(running)
    for counter in ("outbound", "inbound", "icmp_errors_sent"):
        assert after["counters"][counter] == before["counters"][counter]
    assert after["counters"]["fragments_held"] == before["counters"]["fragments_held"] + held
    assert after["usage"] == before["usage"]
    traffic_generator.exchange(topology, rounds=1)


#: A vnet header: flags, GSO type, header length, segment size, checksum start and offset.
_VNET = struct.Struct("=BBHHHH")
_NEEDS_CSUM, _GSO_TCP4, _GSO_UDP, _GSO_TCP6, _GSO_UDP_L4, _GSO_ECN = 1, 1, 3, 4, 5, 0x80


@pytest.mark.parametrize("version", [4, 6])
def test_offload_headers_from_a_local_sender(
    attacked: tuple[Topology, RunningNat], version: int
) -> None:
    """The kernel checks them first: what it lets pass is dropped or translated, all the same."""
    topology, running = attacked
    segment = tcp(_LAN, _REMOTE, (5000, 80), SYN, payload=bytes(4000))
    start, right, wrong = 20, _GSO_TCP4, _GSO_TCP6
    fence = ipv4(_LAN, _REMOTE, layers.AH, b"")
    if version == 6:
        segment = layers.ipv6(TCP, segment[20:], _LAN_6, _REMOTE_6)
        start, right, wrong = 40, _GSO_TCP6, _GSO_TCP4
        fence = layers.ipv6(layers.AH, bytes(8), _LAN_6, _REMOTE_6)
    size = start + 20
    headers = (
        (_NEEDS_CSUM, right, size, 1000, start, 16),  # the one that tells the truth
        (_NEEDS_CSUM, right | _GSO_ECN, size, 1000, start, 16),
        (_NEEDS_CSUM, wrong, size, 1000, start, 16),
        (_NEEDS_CSUM, _GSO_UDP, size, 1000, start, 16),
        (_NEEDS_CSUM, _GSO_UDP_L4, size, 1000, start, 16),
        (_NEEDS_CSUM, _GSO_UDP_L4, start + 8, 1000, start, 6),
        (_NEEDS_CSUM, right, 0, 1000, start, 16),
        (_NEEDS_CSUM, right, size, 0, start, 16),
        (_NEEDS_CSUM, right, 65535, 65535, start, 16),
        (_NEEDS_CSUM, 0, 0, 0, 0, 0),
        (_NEEDS_CSUM, 0, 0, 0, 12, 4),
        (_NEEDS_CSUM, 0, 0, 0, start, 2),
        (_NEEDS_CSUM, 0, 0, 0, start + 8, 8),
        (_NEEDS_CSUM, 0, 0, 0, 4000, 16),
        (0, right, size, 1000, 0, 0),
    )
    before = drops(running)
    taken = 0
    with injector(topology.router, DEVICE, version) as device:
        device.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        for header in headers:
            with suppress(OSError):
                device.send(_VNET.pack(*header) + segment)
                taken += 1
    assert taken > 1
    with injector(topology.router, DEVICE, version) as plain:
        plain.send(fence)
    protocol = before.get("protocol", 0) + 1
    until(lambda: drops(running).get("protocol") == protocol, "all before it were read")
    after = drops(running)
    assert {reason for reason in after if after[reason] != before.get(reason)} == {
        "protocol",
        "offload",
    }
    traffic_generator.exchange(topology, rounds=1, version=version)


#: What is mutated: of both versions, from both sides, whole and in fragments.
_SEEDS = (
    _GOOD,
    tcp(_LAN, _REMOTE, (5000, 80), SYN),
    udp(_REMOTE, EXTERNAL, (53, 5000)),
    icmp(_LAN, _REMOTE, 8, 0, 1, b"ping"),
    icmp(_REMOTE, EXTERNAL, 3, 4, 1300, _QUOTED),
    ipv4(_LAN, _REMOTE, UDP, _GOOD[20:], fragment=0x2000),
    ipv4(_LAN, _REMOTE, UDP, bytes(16), fragment=2),
    ipv4(_LAN, _REMOTE, 132, layers.sctp()),
    ipv4(_LAN, _REMOTE, 47, bytes(12)),
    _udp_6(_LAN_6, _REMOTE_6),
    _udp_6(_REMOTE_6, EXTERNAL_6),
    layers.ipv6(60, layers.extension(TCP, layers.tcp()), _LAN_6, _REMOTE_6),
    layers.ipv6(44, layers.fragment_header(UDP, layers.udp(), 0, 1), _LAN_6, _REMOTE_6),
    layers.ipv6(58, layers.icmp(128), _LAN_6, _REMOTE_6),
    layers.ipv6(58, layers.icmp(2, _udp_6(EXTERNAL_6, _REMOTE_6)), _REMOTE_6, EXTERNAL_6),
)
#: Where IPv6 has its interface identifiers.  With ever new ones the kernel looks for thousands of
#: neighbours, and forgets those it has (`gc_thresh3`).
_IDENTIFIERS = frozenset((*range(16, 24), *range(32, 40)))
_PACKET_COUNT = 100_000
_BURST = 500  # packets between two exchanges of a live flow: half of what the device's queue holds


def test_a_hundred_thousand_random_and_mutated_packets(
    attacked: tuple[Topology, RunningNat],
) -> None:
    """Live flows go on among them, the NAT itself answers none but those it has no port for, and
    nothing leaves with an address of the LAN."""
    topology, running = attacked
    chance = random.Random(20260101)
    before = status(running)["counters"]
    with ExitStack() as stack:
        device = stack.enter_context(injector(topology.router, DEVICE))
        watch = stack.enter_context(sniffer(topology.internet, "eth0"))
        pairs = [stack.enter_context(udp_pair(topology, version=version)) for version in (4, 6)]
        for number in range(_PACKET_COUNT):
            packet = _mutated(chance) if number % 3 else chance.randbytes(chance.randrange(1, 100))
            size = len(packet) if number % 2 else chance.randrange(1, len(packet) + 1)
            device.send(packet[:size])
            if number % _BURST == 0:
                for pair in pairs:
                    greet(*pair)
        for pair in pairs:
            greet(*pair)
        seen = captured(watch, 4, 6)
    assert running.process.poll() is None
    after = status(running)["counters"]
    assert _decided(after) - _decided(before) >= _PACKET_COUNT
    refused = after["dropped"]["no-port"] - before["dropped"]["no-port"]
    assert after["icmp_errors_sent"] - before["icmp_errors_sent"] <= refused
    assert sum(count > before["dropped"][name] for name, count in after["dropped"].items()) > 15
    assert len(seen) > _PACKET_COUNT // 100
    assert not any(_is_of_the_lan(packet) for packet in seen)


def _mutated(chance: random.Random) -> bytes:
    """One of the seeds with a few other octets."""
    packet = bytearray(chance.choice(_SEEDS))
    spared = _IDENTIFIERS if packet[0] >> 4 == 6 else frozenset()
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(packet))
        if at not in spared:
            packet[at] = chance.randrange(256)
    return bytes(packet)


def _decided(counters: dict[str, Any]) -> int:
    """How many packets the NAT has read and translated, kept or dropped."""
    return int(
        sum(counters["dropped"].values())
        + counters["fragments_held"]
        + counters["outbound"]["packets"]
        + counters["inbound"]["packets"]
    )


def _is_of_the_lan(packet: bytes) -> bool:
    source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
    return ip_address(source) in (_PREFIX if len(source) == 4 else _PREFIX_6)


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
        traffic_generator.exchange(topology, rounds=1)
        assert status(running)["usage"]["sessions"] <= 3


def test_an_empty_packet(topology: Topology) -> None:
    with nat(topology) as running, injector(topology.router, DEVICE) as device:
        with suppress(OSError):  # most kernels refuse to
            device.send(b"")
        traffic_generator.exchange(topology, rounds=1)
        assert set(drops(running)) <= {"empty"}
