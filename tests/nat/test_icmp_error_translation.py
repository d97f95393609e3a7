"""ICMP errors both ways: what they quote is restored, whatever that is and however short."""

import struct
from itertools import product

import pytest

from support import oracle
from support.bench import EXTERNAL, INSIDE, OTHER, PROTOCOLS, R1, R2, R3, SECOND, Bench
from support.flavours import Engine
from support.packets import (
    DONT_FRAGMENT,
    ECHO_REPLY,
    PARAMETER_PROBLEM,
    TIME_EXCEEDED,
    UNREACHABLE,
    Endpoint,
    answer,
    checksum,
    echo,
    error,
    identification,
    ip,
    marked,
    opening,
    quoted,
    renumbered,
    seen,
    tcp,
    udp,
)

HOST = (INSIDE, 4000)
LAN_ROUTER = "192.168.1.1"
KINDS = [(UNREACHABLE, code) for code in range(16)]
KINDS += [(TIME_EXCEEDED, 0), (TIME_EXCEEDED, 1), (PARAMETER_PROBLEM, 0), (PARAMETER_PROBLEM, 1)]
# How much of the quoted packet's payload an error carries beyond its IP header.
SIZES = (8, 9, 10, 17, 18, 19, 20, 1000)
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)


def far(protocol: str) -> Endpoint:
    return R1, 0 if protocol == "icmp" else 80


class Exchange:
    """A packet sent from inside and its answer, each as it was on both sides of the NAT.

    `sent` is the packet as the host gets it quoted: what may be fragmented leaves with another
    identification (RFC 7857 section 10), and nobody remembers the old one.
    """

    def __init__(self, engine: Engine, protocol: str, fragment: int = DONT_FRAGMENT) -> None:
        self.bench = Bench(engine, "full-cone")
        self.sent = marked(opening(protocol, HOST, far(protocol)), fragment)
        self.external = self.bench.passes(self.sent).source
        self.sent_outside = bytes(self.bench.packet)
        if not fragment & DONT_FRAGMENT:
            self.sent = renumbered(self.sent, self.sent_outside)
        self.answer_outside = answer(protocol, far(protocol), self.external)
        self.bench.passes(self.answer_outside)
        self.answer = bytes(self.bench.packet)


@EACH_PROTOCOL
@pytest.mark.parametrize("fragment", [DONT_FRAGMENT, 0])
def test_an_inbound_error_quotes_what_the_host_sent_byte_by_byte(
    engine: Engine, protocol: str, fragment: int
) -> None:
    exchange = Exchange(engine, protocol, fragment)
    for (kind, code), rest in product(KINDS, (0, 1400)):
        packet = error(R3, EXTERNAL, exchange.sent_outside, kind, code, rest)
        exchange.bench.send(packet)
        assert oracle.is_right(exchange.bench.packet)
        assert quoted(exchange.bench.packet) == exchange.sent
        assert exchange.bench.packet == error(R3, INSIDE, exchange.sent, kind, code, rest)


@EACH_PROTOCOL
def test_an_outbound_error_quotes_what_the_remote_sent_byte_by_byte(
    engine: Engine, protocol: str
) -> None:
    exchange = Exchange(engine, protocol)
    for kind, code in KINDS:
        packet = marked(error(INSIDE, R1, exchange.answer, kind, code), DONT_FRAGMENT)
        exchange.bench.send(packet)
        assert oracle.is_right(exchange.bench.packet)
        expected = error(EXTERNAL, R1, exchange.answer_outside, kind, code)
        assert exchange.bench.packet == marked(expected, DONT_FRAGMENT)


@EACH_PROTOCOL
def test_quotations_may_be_as_short_as_8_bytes(engine: Engine, protocol: str) -> None:
    exchange = Exchange(engine, protocol)
    check_ends = {"tcp": 38, "udp": 28, "icmp": 24}[protocol]
    for size in SIZES:
        cut = exchange.sent_outside[: 20 + size]
        assert exchange.bench.send(error(R3, EXTERNAL, cut)) == "translated"
        assert oracle.is_right(exchange.bench.packet)
        restored = quoted(exchange.bench.packet)
        assert len(restored) == len(cut)
        end = len(cut) if len(cut) >= check_ends else min(len(cut), check_ends - 2)
        assert restored[:end] == exchange.sent[:end]


@EACH_PROTOCOL
def test_scapy_finds_the_quoted_checksums_right(engine: Engine, protocol: str) -> None:
    exchange = Exchange(engine, protocol)
    exchange.bench.send(error(R3, EXTERNAL, exchange.sent_outside))
    assert oracle.is_right(quoted(exchange.bench.packet))
    exchange.bench.send(error(INSIDE, R1, exchange.answer))
    assert oracle.is_right(quoted(exchange.bench.packet))


def test_a_quoted_udp_checksum_of_0_stays_0(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    sent = marked(udp(HOST, (R1, 80), check=False), DONT_FRAGMENT)
    bench.passes(sent)
    bench.passes(error(R3, EXTERNAL, bench.packet))
    assert quoted(bench.packet) == sent
    assert oracle.is_right(bench.packet)


def test_a_quoted_udp_checksum_is_never_restored_to_0(engine: Engine) -> None:
    """A host sends 0xFFFF where it computed 0; the quotation must say so again."""
    bench = Bench(engine, "full-cone")
    blank = udp(HOST, (R1, 80), b"\0\0")
    filler = struct.unpack_from("!H", blank, 26)[0]
    sent = marked(udp(HOST, (R1, 80), struct.pack("!H", filler)), DONT_FRAGMENT)
    assert sent[26:28] == b"\xff\xff"
    bench.passes(sent)
    bench.passes(error(R3, EXTERNAL, bench.packet))
    assert quoted(bench.packet) == sent


def test_quoted_ip_options_stay(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    sent = ip(INSIDE, R1, 17, udp(HOST, (R1, 80))[20:], bytes([1] * 8), DONT_FRAGMENT)
    bench.passes(sent)
    bench.passes(error(R3, EXTERNAL, bench.packet))
    assert quoted(bench.packet) == sent
    assert oracle.is_right(bench.packet)


def test_an_extension_behind_the_quotation_is_left_alone(engine: Engine) -> None:
    """RFC 4884: 128 bytes of quotation, then objects, such as a router's MPLS labels."""
    exchange = Exchange(engine, "udp")
    extension = bytes.fromhex("20005d3b00080101000001ff")
    padded = exchange.sent_outside + bytes(128 - len(exchange.sent_outside)) + extension
    exchange.bench.passes(error(R3, EXTERNAL, padded, TIME_EXCEEDED, 0, 32 << 16))
    restored = exchange.sent + padded[len(exchange.sent) :]
    assert exchange.bench.packet == error(R3, INSIDE, restored, TIME_EXCEEDED, 0, 32 << 16)


def wrong_checksums(packet: bytearray) -> list[bytearray]:
    """The error with a wrong checksum of its own, and with one in the IP header it quotes."""
    own, embedded = bytearray(packet), bytearray(packet)
    own[22] ^= 0x10
    embedded[28 + 10] ^= 0x10
    struct.pack_into("!H", embedded, 22, 0)
    struct.pack_into("!H", embedded, 22, checksum(embedded[20:]))
    return [own, embedded]


@EACH_PROTOCOL
def test_an_error_with_a_wrong_checksum_or_about_a_header_with_one_is_dropped(
    engine: Engine, protocol: str
) -> None:
    """RFC 5508 REQ-3, REQ-3a and section 4.2, both ways."""
    exchange = Exchange(engine, protocol)
    bench = exchange.bench
    inbound = error(R3, EXTERNAL, exchange.sent_outside)
    outbound = error(INSIDE, R1, exchange.answer)
    for packet in (*wrong_checksums(inbound), *wrong_checksums(outbound)):
        assert bench.send(packet) == "icmp-checksum"
        assert bench.packet == packet
    assert bench.dropped() == {"icmp-checksum": 4}
    assert bench.send(inbound) == bench.send(outbound) == "translated"


@EACH_PROTOCOL
def test_a_wrong_transport_checksum_in_a_quotation_is_no_reason_to_drop(
    engine: Engine, protocol: str
) -> None:
    """RFC 5508 REQ-3c: most of what it covers is usually cut off."""
    exchange = Exchange(engine, protocol)
    at = {"tcp": 36, "udp": 26, "icmp": 22}[protocol]
    quotation = bytearray(exchange.sent_outside)
    quotation[at] ^= 0x10
    exchange.bench.passes(error(R3, EXTERNAL, quotation))
    assert oracle.is_right(exchange.bench.packet)
    assert not oracle.is_right(quoted(exchange.bench.packet))


def test_a_checksum_that_the_device_is_to_complete_is_not_judged(engine: Engine) -> None:
    exchange = Exchange(engine, "udp")
    for packet in wrong_checksums(error(R3, EXTERNAL, exchange.sent_outside)):
        assert exchange.bench.nat.translate(packet, 0, True) == 0


def test_a_partial_icmp_checksum_of_an_error_stays(engine: Engine) -> None:
    exchange = Exchange(engine, "udp")
    for packet in (
        error(R3, EXTERNAL, exchange.sent_outside),
        error(INSIDE, R1, exchange.answer),
    ):
        struct.pack_into("!H", packet, 22, 0)
        assert exchange.bench.nat.translate(packet, 0, True) == 0
        assert packet[22:24] == b"\0\0"


@EACH_PROTOCOL
def test_errors_about_no_session_are_dropped(engine: Engine, protocol: str) -> None:
    exchange = Exchange(engine, protocol)
    bench = exchange.bench
    stranger = opening(protocol, (EXTERNAL, exchange.external[1] + 1), far(protocol))
    other_remote = opening(protocol, exchange.external, (R2, far(protocol)[1]))
    for inside_out in (stranger, other_remote, opening(protocol, (R2, 9), (R3, 9))):
        assert bench.send(error(R3, EXTERNAL, inside_out)) == "no-session"
    about = answer(protocol, far(protocol), (INSIDE, 4001))
    assert bench.send(error(INSIDE, R1, about)) == "no-session"
    # A host must not quote its own packet: an error is about one that came.
    assert bench.send(error(INSIDE, R1, exchange.sent)) == "no-session"
    assert bench.dropped() == {"no-session": 5}


@EACH_PROTOCOL
def test_errors_about_an_expired_session_are_dropped(engine: Engine, protocol: str) -> None:
    exchange = Exchange(engine, protocol)
    exchange.bench.now = 7440 * SECOND
    assert exchange.bench.send(error(R3, EXTERNAL, exchange.sent_outside)) == "no-session"
    assert exchange.bench.send(error(INSIDE, R1, exchange.answer)) == "no-session"


def test_errors_open_no_session_and_count_as_translated_packets(engine: Engine) -> None:
    exchange = Exchange(engine, "udp")
    before = exchange.bench.sessions()
    packet = error(R3, EXTERNAL, exchange.sent_outside)
    counted = exchange.bench.nat.counters()["inbound"]
    exchange.bench.passes(packet)
    after = exchange.bench.nat.counters()["inbound"]
    assert after["packets"] == counted["packets"] + 1
    assert after["bytes"] == counted["bytes"] + len(packet)
    assert exchange.bench.sessions() == before


def test_an_error_from_a_router_on_the_lan_leaves_from_the_external_address(
    engine: Engine,
) -> None:
    """RFC 5508 REQ-5c: the router's private address must not be seen outside."""
    exchange = Exchange(engine, "udp")
    about = (exchange.answer, TIME_EXCEEDED, 0)
    exchange.bench.send(marked(error(LAN_ROUTER, R1, *about), DONT_FRAGMENT))
    expected = error(EXTERNAL, R1, exchange.answer_outside, TIME_EXCEEDED, 0)
    assert exchange.bench.packet == marked(expected, DONT_FRAGMENT)


def test_outbound_errors_from_or_to_the_wrong_place_are_dropped(engine: Engine) -> None:
    exchange = Exchange(engine, "udp")
    assert exchange.bench.send(error("10.9.9.9", R1, exchange.answer)) == "source"
    assert exchange.bench.send(error(INSIDE, OTHER, exchange.answer)) == "destination"
    assert exchange.bench.send(error(INSIDE, "224.0.0.1", exchange.answer)) == "destination"


def test_errors_from_inside_that_may_be_fragmented_get_an_identification_of_the_nats_own(
    engine: Engine,
) -> None:
    """RFC 7857 section 10: else those of two hosts may collide at one remote."""
    exchange = Exchange(engine, "udp")
    numbers = set()
    for _ in range(8):
        exchange.bench.passes(error(INSIDE, R1, exchange.answer))
        assert oracle.is_right(exchange.bench.packet)
        numbers.add(identification(exchange.bench.packet))
    assert len(numbers) == 8
    unfragmentable = marked(error(INSIDE, R1, exchange.answer), DONT_FRAGMENT)
    exchange.bench.passes(unfragmentable)
    assert identification(exchange.bench.packet) == identification(unfragmentable)


@pytest.mark.parametrize("router", ["10.0.0.1", "192.168.1.1", "100.64.0.1", R2])
def test_an_inbound_error_may_come_from_a_router_with_any_address_a_host_can_have(
    engine: Engine, router: str
) -> None:
    """Routers on the way often have private addresses; what the error quotes decides."""
    exchange = Exchange(engine, "udp")
    exchange.bench.passes(error(router, EXTERNAL, exchange.sent_outside, TIME_EXCEEDED, 0))
    assert exchange.bench.packet == error(router, INSIDE, exchange.sent, TIME_EXCEEDED, 0)


@pytest.mark.parametrize(
    "source", ["127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.1.1"]
)
def test_an_inbound_error_from_what_is_no_host_is_dropped(engine: Engine, source: str) -> None:
    """RFC 1122 section 3.2.1.3; an inbound packet of any other kind is dropped for it too."""
    exchange = Exchange(engine, "udp")
    assert exchange.bench.send(error(source, EXTERNAL, exchange.sent_outside)) == "source"


def test_path_mtu_discovery_gets_its_mtu(engine: Engine) -> None:
    bench = Bench(engine, "port-restricted-cone")
    bench.connect(HOST, (R1, 80))
    bench.passes(tcp(HOST, (R1, 80), "A", bytes(1400)))
    bench.passes(error(R2, EXTERNAL, bench.packet[:28], UNREACHABLE, 4, 1300))
    assert struct.unpack_from("!BBHHH", bench.packet, 20)[::4] == (UNREACHABLE, 1300)
    assert seen(quoted(bench.packet)) == (HOST, (R1, 80))
    assert seen(bench.packet).destination[0] == INSIDE


def test_a_traceroute_hop_of_a_ping_and_the_reply_both_come_back(engine: Engine) -> None:
    bench = Bench(engine, "symmetric")
    sent = marked(echo(INSIDE, R1, 4000), DONT_FRAGMENT)
    external = bench.passes(sent).source
    bench.passes(error(R2, EXTERNAL, bench.packet, TIME_EXCEEDED, 0))
    assert quoted(bench.packet) == sent
    assert bench.passes(echo(R1, EXTERNAL, external[1], ECHO_REPLY)).destination == HOST
