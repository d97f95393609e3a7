"""Checksums of translated packets: by increment, so that scapy agrees and wrong stays wrong."""

import random
import struct

import pytest

from support import oracle
from support.bench import INSIDE, PROTOCOLS, R1, Bench
from support.flavours import Engine
from support.packets import (
    DONT_FRAGMENT,
    answer,
    checksum,
    echo,
    identification,
    ip,
    marked,
    opening,
    pseudo_header,
    seen,
    tcp,
    udp,
)

CHECK_AT = {"tcp": 36, "udp": 26, "icmp": 22}


def checksum_of(packet: bytes | bytearray, protocol: str) -> int:
    return int(struct.unpack_from("!H", packet, CHECK_AT[protocol])[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scapy_finds_every_checksum_right(engine: Engine, protocol: str) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(20):
        inside, remote = (INSIDE, 3000 + port * 3111), (R1, 443)
        external = bench.open(protocol, inside, remote)
        assert oracle.is_right(bench.packet)
        bench.passes(answer(protocol, remote, external))
        assert oracle.is_right(bench.packet)
        assert oracle.transport_of(bench.packet) == protocol


def test_random_payloads_of_any_length_keep_right_checksums(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    chance = random.Random(4)
    for size in range(40):
        payload = chance.randbytes(size)
        bench.passes(udp((INSIDE, 4000), (R1, 53), payload))
        assert oracle.is_right(bench.packet)
        bench.passes(tcp((INSIDE, 4000), (R1, 53), "S", payload))
        assert oracle.is_right(bench.packet)
        bench.passes(echo(INSIDE, R1, 4000, payload=payload))
        assert oracle.is_right(bench.packet)


def test_options_of_the_ip_header_stay_and_are_summed(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    options = bytes([7, 39, 4]) + bytes(36) + b"\0"
    bench.passes(ip(INSIDE, R1, 17, udp((INSIDE, 4000), (R1, 53))[20:], options))
    assert oracle.is_right(bench.packet)
    assert bench.packet[20:60] == options


def differences(before: bytes | bytearray, after: bytes | bytearray) -> set[int]:
    """Where two packets of one size differ."""
    return {at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_but_address_port_and_checksums_changes(engine: Engine, protocol: str) -> None:
    bench = Bench(engine, "full-cone")
    sent = marked(opening(protocol, (INSIDE, 4000), (R1, 53)), DONT_FRAGMENT)
    external = bench.passes(sent).source
    port_at = 24 if protocol == "icmp" else 20
    free = {10, 11, 12, 13, 14, 15, port_at, port_at + 1}
    free |= {CHECK_AT[protocol], CHECK_AT[protocol] + 1}
    assert differences(sent, bench.packet) <= free
    # Inbound the identification is the sender's, who has one address: it stays in every packet.
    reply = answer(protocol, (R1, 53), external)
    bench.passes(reply)
    port_at = 24 if protocol == "icmp" else 22
    free = {10, 11, 16, 17, 18, 19, port_at, port_at + 1}
    free |= {CHECK_AT[protocol], CHECK_AT[protocol] + 1}
    assert differences(reply, bench.packet) <= free


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_may_be_fragmented_leaves_with_an_identification_of_the_nats_own(
    engine: Engine, protocol: str
) -> None:
    """RFC 7857 section 10, RFC 6864 section 5.3.1: hosts that choose alike must not collide, and a
    number comes again as late as can be."""
    bench = Bench(engine, "full-cone")
    numbers = []
    for n in range(300):
        sent = opening(protocol, (f"192.168.1.{1 + n % 100}", 4000), (R1, 53))
        bench.passes(sent)
        assert identification(sent) == 7
        assert oracle.is_right(bench.packet)
        numbers.append(identification(bench.packet))
    assert len(set(numbers)) == 300
    steps = {(after - before) % 65536 for before, after in zip(numbers, numbers[1:], strict=False)}
    assert len(steps) > 200  # nobody can count a NAT's packets by them


def test_an_identification_that_means_nothing_stays(engine: Engine) -> None:
    """RFC 6864 section 4.1: what is never fragmented has none, so it takes none of the NAT's."""
    bench = Bench(engine, "full-cone")
    for _ in range(3):
        bench.passes(marked(udp((INSIDE, 4000), (R1, 53)), DONT_FRAGMENT))
        assert identification(bench.packet) == 7
        assert oracle.is_right(bench.packet)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("error", [1, 0x0100, 0x7FFF, 0xFFFE])
def test_a_wrong_transport_checksum_leaves_wrong_by_as_much(
    engine: Engine, protocol: str, error: int
) -> None:
    bench = Bench(engine, "full-cone")
    packet = opening(protocol, (INSIDE, 4000), (R1, 53))
    wrong = (checksum_of(packet, protocol) + error) % 0xFFFF or 0xFFFF
    struct.pack_into("!H", packet, CHECK_AT[protocol], wrong)
    bench.passes(packet)
    left = checksum_of(bench.packet, protocol)
    right = checksum_of(oracle.recomputed(bench.packet), protocol)
    assert (left - right) % 0xFFFF == error
    assert bench.packet[:20] == oracle.recomputed(bench.packet)[:20]


def test_a_wrong_ip_header_checksum_leaves_wrong(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    packet = udp((INSIDE, 4000), (R1, 53))
    packet[10] ^= 0x40
    bench.passes(packet)
    assert bench.packet[10:12] != oracle.recomputed(bench.packet)[10:12]


def test_a_udp_checksum_of_0_stays_0_both_ways(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.passes(udp((INSIDE, 4000), (R1, 53), check=False)).source
    assert checksum_of(bench.packet, "udp") == 0
    bench.passes(udp((R1, 53), external, check=False))
    assert checksum_of(bench.packet, "udp") == 0
    assert oracle.is_right(bench.packet)


@pytest.mark.parametrize("outbound", [True, False])
def test_a_computed_udp_checksum_never_leaves_as_0(engine: Engine, outbound: bool) -> None:
    """The payload is chosen so that the sum after translation is the one that gives 0."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", (INSIDE, 4000), (R1, 53))
    ends = ((INSIDE, 4000), (R1, 53)) if outbound else ((R1, 53), external)
    bench.passes(udp(*ends, b"\0\0"))
    source, destination = seen(bench.packet)
    header = struct.pack("!4H", source[1], destination[1], 10, 0)
    filler = checksum(pseudo_header(source[0], destination[0], 17, 10) + header)
    bench.passes(udp(*ends, struct.pack("!H", filler)))
    assert checksum_of(bench.packet, "udp") == 0xFFFF
    assert oracle.is_right(bench.packet)


@pytest.mark.parametrize("check", [0x0000, 0xFFFF])
def test_edges_of_a_tcp_checksum_come_back_equivalent(engine: Engine, check: int) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("tcp", (INSIDE, 4000), (R1, 53))
    packet = tcp((INSIDE, 4000), (R1, 53))
    struct.pack_into("!H", packet, 36, check)
    error = (check - checksum_of(oracle.recomputed(packet), "tcp")) % 0xFFFF
    bench.passes(packet)
    assert seen(bench.packet).source == external
    left, right = (checksum_of(p, "tcp") for p in (bench.packet, oracle.recomputed(bench.packet)))
    assert (left - right) % 0xFFFF == error


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_partial_checksum_changes_by_the_address_alone(engine: Engine, protocol: str) -> None:
    """With checksum offload the field holds the folded sum of the pseudo-header."""
    bench = Bench(engine, "full-cone")
    number, size = {"tcp": (6, 20), "udp": (17, 12)}[protocol]
    packet = opening(protocol, (INSIDE, 4000), (R1, 53))
    pseudo = checksum(pseudo_header(INSIDE, R1, number, size)) ^ 0xFFFF
    struct.pack_into("!H", packet, CHECK_AT[protocol], pseudo)
    assert bench.nat.translate(packet, 0, True) == 0
    external = seen(packet).source[0]
    expected = checksum(pseudo_header(external, R1, number, size)) ^ 0xFFFF
    assert checksum_of(packet, protocol) == expected
    assert packet[:20] == oracle.recomputed(packet)[:20]


def test_a_partial_icmp_checksum_stays(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    packet = echo(INSIDE, R1, 4000)
    struct.pack_into("!H", packet, 22, 0)
    assert bench.nat.translate(packet, 0, True) == 0
    assert checksum_of(packet, "icmp") == 0
    assert seen(packet).source[1] != 4000
