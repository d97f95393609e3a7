"""Whatever comes in: nothing raises, nothing grows or shrinks, and nothing private gets out."""

import socket
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import oracle
from support.bench import EXTERNAL, INSIDE, INTERNAL, R1, R2, Bench
from support.flavours import Engine, load
from support.packets import error, opening, seen, tcp, udp
from support.properties import examples
from support.traffic import HOSTS, Traffic

LAN = IPv4Network(INTERNAL)
PRESETS = tuple(load("interpreted").PRESETS)


def address(packet: bytes | bytearray, at: int) -> IPv4Address:
    return IPv4Address(bytes(packet[at : at + 4]))


def quoted_addresses(packet: bytes | bytearray) -> list[IPv4Address]:
    """The addresses an ICMP error quotes."""
    transport = (packet[0] & 15) * 4
    if packet[9] != 1 or packet[transport] not in (3, 11, 12):
        return []
    return [address(packet, transport + 8 + at) for at in (12, 16)]


def assert_nothing_wrong_left(before: bytes | bytearray, after: bytes | bytearray) -> None:
    """What may be said of every translated packet, from its bytes alone."""
    source, destination = address(after, 12), address(after, 16)
    if str(address(before, 16)) == EXTERNAL:
        assert destination in LAN
        assert source not in LAN or quoted_addresses(after)
        assert not quoted_addresses(after) or quoted_addresses(after)[0] in LAN
    else:
        assert str(source) == EXTERNAL
        assert destination not in LAN
        assert destination == address(before, 16)
        assert not any(quote in LAN for quote in quoted_addresses(after))
    assert len(after) == len(before)


def judge(bench: Bench, packet: bytes | bytearray) -> bool:
    """Send a packet; whether it was translated."""
    translated = bench.send(packet) == "translated"
    assert len(bench.packet) == len(packet)
    if translated:
        assert_nothing_wrong_left(packet, bench.packet)
    return translated


@examples(150)
@given(data=st.binary(max_size=120))
def test_random_bytes_are_judged(engine: Engine, data: bytes) -> None:
    judge(shared(engine), data)


@examples(150)
@given(data=st.binary(min_size=19, max_size=100))
def test_random_bytes_behind_a_plausible_header_are_judged(engine: Engine, data: bytes) -> None:
    size = len(data) + 1
    for protocol in (1, 6, 17):
        packet = bytearray(b"\x45" + data)
        packet[2:4], packet[6:8], packet[9:10] = bytes([0, size]), bytes(2), bytes([protocol])
        packet[12:20] = socket.inet_aton(INSIDE) + socket.inet_aton(R1)
        judge(shared(engine), packet)
        packet[12:20] = socket.inet_aton(R1) + socket.inet_aton(EXTERNAL)
        judge(shared(engine), packet)


@examples(150)
@given(at=st.integers(0, 90), value=st.integers(0, 255), cut=st.integers(0, 90), which=st.data())
def test_a_changed_and_cut_packet_is_judged(
    engine: Engine, at: int, value: int, cut: int, which: Any
) -> None:
    external = (EXTERNAL, 10000)
    packet = which.draw(
        st.sampled_from(
            [
                udp((INSIDE, 4000), (R1, 53)),
                tcp((INSIDE, 4000), (R1, 80), "S", b"payload"),
                error(R2, EXTERNAL, tcp(external, (R1, 80))),
                error(R2, EXTERNAL, udp(external, (R1, 53))),
                error(INSIDE, R1, udp((R1, 53), (INSIDE, 4000))),
            ]
        )
    )[:]
    packet[at % len(packet)] = value
    judge(shared(engine), packet[: len(packet) - cut % len(packet)])


BENCHES: dict[int, Bench] = {}


def shared(engine: Engine) -> Bench:
    """One NAT for all examples, with sessions that packets may hit; port 10000 is in use."""
    if id(engine) not in BENCHES:
        bench = BENCHES[id(engine)] = Bench(engine, "full-cone", ports="10000-10009")
        for protocol, port in (("udp", 53), ("tcp", 80), ("icmp", 0)):
            for inside in range(3990, 4000):
                bench.open(protocol, (INSIDE, inside), (R1, port))
    return BENCHES[id(engine)]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_private_address_leaves_and_nothing_enters_unrewritten(
    engine: Engine, preset: str
) -> None:
    """RFC 5508 REQ-5 and issue 2: also in what errors quote."""
    bench = Bench(engine, preset, ports="2000-2100")
    traffic = Traffic(31)
    for _ in range(1500):
        bench.now += 100
        packet = traffic.packet()
        if judge(bench, packet):
            traffic.learn(bench.packet)


def test_checksums_of_valid_random_traffic_are_right_by_scapy(engine: Engine) -> None:
    bench, traffic = Bench(engine, "full-cone"), Traffic(8)
    seen_kinds = set()
    for _ in range(600):
        packet = traffic.chance.choice((traffic.open, traffic.reply, traffic.error, traffic.call))()
        if bench.send(packet) == "translated":
            traffic.learn(bench.packet)
            assert oracle.is_right(bench.packet)
            seen_kinds.add((packet[9], packet[20] if packet[9] == 1 else 0, packet[12] == 192))
    assert len(seen_kinds) > 9


def test_what_the_nat_does_not_translate_never_leaves(engine: Engine) -> None:
    """Kernel masquerade lets packets out with a private source that its tracker calls invalid."""
    bench = Bench(engine, "full-cone")
    for flags in ("A", "FA", "RA", "SA", "R", "SF", ""):
        assert bench.send(tcp((INSIDE, 4000), (R1, 80), flags)) in ("not-syn", "tcp-flags")
    assert bench.nat.counters()["outbound"] == {"packets": 0, "bytes": 0}
    assert bench.is_empty()


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
@pytest.mark.parametrize("source", [R2, "192.168.2.1", "10.0.0.1", "127.0.0.1", "0.0.0.0"])
def test_outbound_from_outside_the_internal_prefixes_is_dropped(
    engine: Engine, protocol: str, source: str
) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.send(opening(protocol, (source, 4000), (R1, 0))) == "source"


BEYOND = ("192.168.1.77", "224.0.0.251", "239.1.1.1", "255.255.255.255", "127.0.0.1", "0.0.0.0")


@pytest.mark.parametrize("destination", [*BEYOND, "169.254.169.254", "240.0.0.1"])
def test_outbound_to_what_is_no_remote_host_is_dropped(engine: Engine, destination: str) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.try_open("udp", (INSIDE, 4000), (destination, 53)) == "destination"
    assert bench.is_empty()


@pytest.mark.parametrize("source", BEYOND[1:])
def test_inbound_from_what_is_no_remote_host_is_dropped(engine: Engine, source: str) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", (INSIDE, 4000), (R1, 53))
    assert bench.knock("udp", (source, 53), external) == "source"


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
def test_a_packet_to_192_0_2_2_asks_for_the_status_and_goes_nowhere(
    engine: Engine, protocol: str
) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.send(opening(protocol, (INSIDE, 4000), ("192.0.2.2", 0))) == "status-request"
    assert bench.send(opening(protocol, (R2, 4000), ("192.0.2.2", 0))) == "source"
    assert bench.is_empty()


def test_a_flood_from_outside_leaves_no_state_behind(engine: Engine) -> None:
    bench = Bench(engine, "port-restricted-cone", ports="2000-2009")
    bench.open("udp", (HOSTS[0], 4000), (R1, 53))
    before = bench.nat.usage()
    for port in range(1, 300):
        for protocol in ("tcp", "udp", "icmp"):
            bench.knock(protocol, (R2, port), (EXTERNAL, 2000 + port % 10))
    assert bench.nat.usage() == before


def test_a_reply_is_not_a_way_in(engine: Engine) -> None:
    """An Echo Reply or a SYN-ACK opens nothing, even where filtering is endpoint-independent."""
    bench = Bench(engine, "full-cone")
    for protocol, verdict in (("icmp", "no-session"), ("tcp", "not-syn")):
        external = bench.open(protocol, (INSIDE, 4000), (R1, 0))
        assert bench.reply(protocol, (R2, 0), external) == verdict
        assert bench.answer(protocol, (INSIDE, 4001), (R1, 0)) == verdict
    assert seen(bench.packet).source[0] == INSIDE
