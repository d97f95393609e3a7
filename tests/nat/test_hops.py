"""A NAT that counts as a hop: TTL and hop limit, and who is told when they are used up."""

import struct
from ipaddress import ip_network

import pytest

from support import judge
from support.bench import SECOND
from support.dual import EACH_FAMILY, EACH_PROTOCOL, Dual, far
from support.families import (
    V4,
    V6,
    Family,
    answer,
    error,
    extended,
    opening,
    packet,
    quoted,
    udp,
    upper_layer,
)
from support.flavours import Engine
from support.packets import Buffer, checksum
from support.pieces import joined, split

HOP_BY_HOP = (0, bytes.fromhex("0000010400000000"))


def hops_of(whole: Buffer) -> int:
    return whole[8] if whole[0] >> 4 == 4 else whole[7]


def with_hops(whole: Buffer, hops: int) -> bytearray:
    """A copy with that TTL or hop limit."""
    copy = bytearray(whole)
    if copy[0] >> 4 == 6:
        copy[7] = hops
        return copy
    copy[8] = hops
    copy[10:12] = b"\0\0"
    copy[10:12] = struct.pack("!H", checksum(copy[: (copy[0] & 15) * 4]))
    return copy


def time_exceeded(family: Family, destination: str, about: Buffer) -> bytearray:
    """What the NAT answers: a whole packet is quoted over IPv6, 8 octets behind IP over IPv4."""
    if family is V4:
        size = upper_layer(about)[1] + 8
        made = error(family.external, destination, about[:size], 11)
        return packet(family.external, destination, 1, made[20:], traffic=0xC0, identification=0)
    return error(family.external, destination, about[: 1280 - 48], 3)


@EACH_FAMILY
@EACH_PROTOCOL
def test_every_packet_loses_a_hop_and_no_more(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = Dual(engine, decrement_ttl=True)
    host, remote = (family.inside, 4000), far(protocol, family.r1)
    for hops in (255, 64, 2):
        external = bench.passes(with_hops(opening(protocol, host, remote), hops)).source
        assert hops_of(bench.packet) == hops - 1
        assert judge.is_right(bench.packet)
        bench.passes(with_hops(answer(protocol, remote, external), hops))
        assert hops_of(bench.packet) == hops - 1
        assert judge.is_right(bench.packet)


@EACH_FAMILY
@pytest.mark.parametrize("hops", [0, 1, 64, 255])
def test_without_the_option_hops_stay(engine: Engine, hops: int, family: Family) -> None:
    bench = Dual(engine)
    external = bench.passes(with_hops(udp((family.inside, 4000), (family.r1, 80)), hops)).source
    assert hops_of(bench.packet) == hops
    bench.passes(with_hops(udp((family.r1, 80), external), hops))
    assert hops_of(bench.packet) == hops
    assert bench.outgoing() == []


@EACH_FAMILY
@EACH_PROTOCOL
@pytest.mark.parametrize("hops", [0, 1])
def test_the_sender_inside_is_told(
    engine: Engine, hops: int, protocol: str, family: Family
) -> None:
    """This makes the NAT the hop of a traceroute (RFC 1812 section 5.3.1, RFC 4443 3.3)."""
    bench = Dual(engine, decrement_ttl=True)
    sent = with_hops(opening(protocol, (family.inside, 4000), far(protocol, family.r1)), hops)
    assert bench.send(sent) == "hop-limit"
    answers = bench.outgoing()
    assert answers == [time_exceeded(family, family.inside, sent)]
    assert judge.is_right(answers[0])
    assert bench.dropped() == {"hop-limit": 1}
    assert bench.nat.counters()["icmp_errors_sent"] == 1
    assert bench.is_empty()


@EACH_FAMILY
def test_the_sender_outside_is_told(engine: Engine, family: Family) -> None:
    bench = Dual(engine, decrement_ttl=True)
    external = bench.open("udp", (family.inside, 4000), (family.r1, 80))
    sent = with_hops(udp((family.r1, 80), external), 1)
    assert bench.send(sent) == "hop-limit"
    assert bench.outgoing() == [time_exceeded(family, family.r1, sent)]


def test_an_error_fits_the_minimum_mtu(engine: Engine) -> None:
    bench = Dual(engine, decrement_ttl=True)
    sent = with_hops(udp((V6.inside, 4000), (V6.r1, 80), bytes(5000)), 1)
    bench.send(extended(sent, [HOP_BY_HOP]))
    answers = bench.outgoing()
    assert len(answers[0]) == 1280
    assert judge.is_right(answers[0])
    assert quoted(answers[0]) == extended(sent, [HOP_BY_HOP])[: 1280 - 48]


@EACH_FAMILY
def test_nobody_is_told_about_errors_and_later_fragments(engine: Engine, family: Family) -> None:
    """RFC 1122 section 3.2.2, RFC 4443 section 2.4 e."""
    bench = Dual(engine, decrement_ttl=True)
    host, remote = (family.inside, 4000), (family.r1, 80)
    external = bench.open("udp", host, remote)
    about = error(family.r2, family.external, bench.packet, 3)
    assert bench.send(with_hops(about, 1)) == "hop-limit"
    first, later = split(udp(host, remote, bytes(100)))
    assert bench.send(with_hops(later, 1)) == "hop-limit"
    assert bench.outgoing() == []
    assert bench.send(with_hops(first, 1)) == "hop-limit"
    assert len(bench.outgoing()) == 1
    assert external[0] == family.external


@pytest.mark.parametrize(
    "source,destination",
    [
        *((V4.inside, "224.0.0.251"), (V4.inside, "255.255.255.255"), ("0.0.0.0", V4.r1)),
        *(("127.0.0.1", V4.r1), ("224.0.0.1", V4.r1), (V6.inside, "ff02::fb")),
        *(("::", V6.r1), ("ff02::1", V6.r1), ("::1", V6.r1)),
    ],
)
def test_nobody_is_told_who_is_not_one_host(engine: Engine, source: str, destination: str) -> None:
    """A TTL of 1 is usual for multicast on a link."""
    bench = Dual(engine, decrement_ttl=True)
    assert bench.send(with_hops(udp((source, 5353), (destination, 5353)), 1)) == "hop-limit"
    assert bench.outgoing() == []


@EACH_FAMILY
def test_no_more_errors_leave_than_the_limit_allows(engine: Engine, family: Family) -> None:
    """RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f."""
    bench = Dual(engine, decrement_ttl=True, limits={"icmp_errors": 5})
    sent = with_hops(udp((family.inside, 4000), (family.r1, 80)), 1)

    def told(count: int) -> int:
        return sum(len(bench.emitted(sent)) for _ in range(count))

    assert told(100) == 5
    bench.now = 199
    assert told(10) == 0
    bench.now = 200
    assert told(10) == 1
    bench.now = 60 * SECOND
    assert told(100) == 5
    assert bench.nat.counters()["icmp_errors_sent"] == 11
    assert bench.dropped() == {"hop-limit": 220}


@EACH_FAMILY
def test_a_limit_of_0_mutes_the_nat(engine: Engine, family: Family) -> None:
    bench = Dual(engine, decrement_ttl=True, limits={"icmp_errors": 0})
    assert bench.send(with_hops(udp((family.inside, 4000), (family.r1, 80)), 1)) == "hop-limit"
    assert bench.outgoing() == []


@EACH_FAMILY
def test_hairpinned_packets_lose_one_hop(engine: Engine, family: Family) -> None:
    bench = Dual(engine, "full-cone", decrement_ttl=True)
    called = bench.open("udp", (family.other, 5000), (family.r1, 80))
    bench.passes(with_hops(udp((family.inside, 4000), called), 2))
    assert hops_of(bench.packet) == 1
    assert judge.is_right(bench.packet)


@EACH_FAMILY
def test_held_fragments_lose_one_hop(engine: Engine, family: Family) -> None:
    bench = Dual(engine, decrement_ttl=True)
    pieces = split(udp((family.inside, 4000), (family.r1, 80), bytes(300)))
    left = [out for cut in reversed(pieces) for out in bench.emitted(with_hops(cut, 9))]
    assert {hops_of(out) for out in left} == {8}
    assert judge.is_right(joined(left))


@EACH_FAMILY
def test_packets_that_are_not_translated_lose_a_hop_too(engine: Engine, family: Family) -> None:
    bench = Dual(engine, decrement_ttl=True, no_nat=(ip_network(family.r1),))
    sent = udp((family.inside, 4000), (family.r1, 80))
    bench.passes(sent)
    assert bench.packet == with_hops(sent, 63)
    assert bench.send(with_hops(sent, 1)) == "hop-limit"
    assert bench.outgoing() == [time_exceeded(family, family.inside, with_hops(sent, 1))]
