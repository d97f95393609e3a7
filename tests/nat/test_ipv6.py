"""IPv6 behind IPv6 (NAPT66): as IPv4, with its extension headers and without its own protocols."""

import struct

import pytest

from support import judge
from support.dual import Dual, far
from support.families import (
    V4,
    V6,
    addresses,
    answer,
    echo,
    extended,
    message,
    opening,
    packet,
    pseudo,
    seen,
    tcp,
    udp,
    upper_layer,
)
from support.flavours import Engine, load
from support.packets import checksum

HOST, CALLED = (V6.inside, 4000), (V6.other, 5000)
PRESETS = tuple(load("interpreted").PRESETS)
PROTOCOLS = ("tcp", "udp", "icmp")
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, MOBILITY = 0, 43, 44, 60, 135
PADDING = bytes.fromhex("0000010400000000")
LONG_PADDING = bytes.fromhex("0001010c") + bytes(12)
ROUTER_ALERT = bytes.fromhex("0000050200000100")
NO_SEGMENTS = bytes.fromhex("0002040000000000") + bytes(16)
ATOMIC = bytes.fromhex("000000001234abcd")
CHAINS = {
    "hop-by-hop": [(HOP_BY_HOP, ROUTER_ALERT)],
    "destination": [(DESTINATION, LONG_PADDING)],
    "routing-done": [(ROUTING, NO_SEGMENTS)],
    "atomic": [(FRAGMENT, ATOMIC)],
    "all": [
        (HOP_BY_HOP, PADDING),
        (DESTINATION, PADDING),
        (ROUTING, NO_SEGMENTS),
        (FRAGMENT, ATOMIC),
        (DESTINATION, LONG_PADDING),
    ],
    "eight": [(DESTINATION, PADDING)] * 8,
}


@EACH_PROTOCOL
@pytest.mark.parametrize("preset", PRESETS)
def test_every_type_translates_both_ways(engine: Engine, preset: str, protocol: str) -> None:
    bench = Dual(engine, preset)
    remote = far(protocol, V6.r1)
    address, port = external = bench.open(protocol, HOST, remote)
    assert address == V6.external and 10000 <= port <= 19999
    assert judge.is_right(bench.packet)
    assert addresses(bench.packet) == (V6.external, V6.r1)
    assert bench.reply(protocol, remote, external) == "translated"
    assert bench.seen().destination == HOST
    assert addresses(bench.packet) == (V6.r1, V6.inside)
    assert judge.is_right(bench.packet)


@EACH_PROTOCOL
@pytest.mark.parametrize("preset", PRESETS)
def test_every_type_maps_and_filters_as_it_says(engine: Engine, preset: str, protocol: str) -> None:
    behaviour = engine.PRESETS[preset].behaviour
    bench = Dual(engine, preset)
    first = bench.open(protocol, HOST, far(protocol, V6.r1))
    stranger = bench.knock(protocol, far(protocol, V6.r2), first)
    acquaintance = bench.knock(protocol, (V6.r1, 81), first) if protocol != "icmp" else ""
    assert (stranger == "translated") == (behaviour.filtering == 0)
    if acquaintance:
        assert (acquaintance == "translated") == (behaviour.filtering <= 1)
    second = bench.open(protocol, HOST, far(protocol, V6.r3))
    if behaviour.mapping == 0 or behaviour.sticky:
        assert second == first
    else:
        assert second != first


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_hairpinned_packets_show_external_endpoints(engine: Engine, protocol: str) -> None:
    bench = Dual(engine, "full-cone")
    caller = bench.open(protocol, HOST, (V6.r1, 80))
    called = bench.open(protocol, CALLED, (V6.r1, 80))
    assert bench.try_open(protocol, HOST, called) == "translated"
    assert bench.seen() == (caller, CALLED)
    assert judge.is_right(bench.packet)
    assert bench.answer(protocol, CALLED, caller) == "translated"
    assert bench.seen() == (called, HOST)
    assert judge.is_right(bench.packet)


@EACH_PROTOCOL
@pytest.mark.parametrize("chain", CHAINS)
def test_extension_headers_are_followed_and_kept(engine: Engine, protocol: str, chain: str) -> None:
    bench = Dual(engine)
    remote = far(protocol, V6.r1)
    external = bench.passes(extended(opening(protocol, HOST, remote), CHAINS[chain])).source
    assert external[0] == V6.external
    assert judge.is_right(bench.packet)
    expected = opening(protocol, external, remote)
    assert bench.packet == extended(expected, CHAINS[chain])
    reply = extended(answer(protocol, remote, external), CHAINS[chain])
    assert bench.passes(reply).destination == HOST
    assert bench.packet == extended(answer(protocol, remote, HOST), CHAINS[chain])


@pytest.mark.parametrize(
    "chain",
    [
        [(DESTINATION, PADDING)] * 9,
        [(DESTINATION, PADDING), (HOP_BY_HOP, PADDING)],
        [(ROUTING, bytes.fromhex("0002000100000000") + bytes(16))],
        [(FRAGMENT, ATOMIC)] * 2,
        [(DESTINATION, bytes.fromhex("00ff010400000000"))],
    ],
    ids=["nine", "hop-by-hop-later", "segments-left", "two-fragment-headers", "overlong"],
)
def test_wrong_chains_of_headers_are_dropped(
    engine: Engine, chain: list[tuple[int, bytes]]
) -> None:
    bench = Dual(engine)
    assert bench.send(extended(udp(HOST, (V6.r1, 80)), chain)) == "extension-header"
    assert bench.dropped() == {"extension-header": 1}
    assert bench.is_empty()


@EACH_PROTOCOL
def test_traffic_class_flow_label_and_hop_limit_stay(engine: Engine, protocol: str) -> None:
    bench = Dual(engine, "full-cone")
    remote = far(protocol, V6.r1)
    external = bench.open(protocol, HOST, remote)
    for traffic, label, hops in ((0xBB, 0xABCDE, 1), (0x03, 0xFFFFF, 255), (0xFF, 1, 2)):
        for made in (opening(protocol, HOST, remote), answer(protocol, remote, external)):
            fields = struct.pack("!I", 6 << 28 | traffic << 20 | label)
            marked = fields + made[4:7] + bytes([hops]) + made[8:]
            bench.passes(marked)
            assert bench.packet[:8] == marked[:8]
            assert judge.is_right(bench.packet)


def test_a_udp_checksum_of_0_stays_0(engine: Engine) -> None:
    """RFC 6936 section 4: a middlebox must neither drop nor change it."""
    bench = Dual(engine)
    sent = udp(HOST, (V6.r1, 80))
    sent[46:48] = b"\0\0"
    bench.passes(sent)
    assert bench.packet[46:48] == b"\0\0"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_partial_checksum_stays_the_sum_of_the_pseudo_header(
    engine: Engine, protocol: str
) -> None:
    bench = Dual(engine)
    number, at = {"tcp": (6, 56), "udp": (17, 46)}[protocol]

    def partial(whole: bytearray) -> bytearray:
        source, destination = addresses(whole)
        total = checksum(pseudo(source, destination, number, len(whole) - 40)) ^ 0xFFFF
        return whole[:at] + struct.pack("!H", total) + whole[at + 2 :]

    external = bench.passes(partial(opening(protocol, HOST, (V6.r1, 80))), True).source
    assert bench.packet == partial(opening(protocol, external, (V6.r1, 80)))
    bench.passes(partial(answer(protocol, (V6.r1, 80), external)), True)
    assert bench.packet == partial(answer(protocol, (V6.r1, 80), HOST))


@pytest.mark.parametrize("mapped", ["::ffff:198.51.100.1", "::ffff:192.168.1.10"])
def test_mapped_addresses_are_refused(engine: Engine, mapped: str) -> None:
    """On the wire they belong to nobody (RFC 4942 section 2.2); in the tables they are IPv4."""
    bench = Dual(engine, "full-cone")
    external = bench.open("udp", (V4.inside, 4000), (V4.r1, 80))
    assert bench.send(udp((V6.inside, 4000), (mapped, 80))) == "ip-version"
    assert bench.send(udp((mapped, 4000), (V6.r1, 80))) == "ip-version"
    assert bench.send(udp((mapped, 80), (f"::ffff:{external[0]}", external[1]))) == "ip-version"


@pytest.mark.parametrize("kind", [133, 134, 135, 136, 137, 130, 131, 132, 143])
def test_neighbour_and_multicast_listener_discovery_never_pass(engine: Engine, kind: int) -> None:
    bench = Dual(engine, "full-cone")
    body = struct.pack("!BBHI", kind, 0, 0, 0) + bytes(16)
    for ends in ((V6.inside, V6.r1), ("fe80::1", "ff02::1"), (V6.r1, V6.external)):
        assert bench.send(message(*ends, body)) == "neighbour-discovery"
    assert bench.dropped() == {"neighbour-discovery": 3}
    assert bench.is_empty()


@pytest.mark.parametrize("kind", [138, 141, 151, 200])
def test_unknown_messages_never_pass(engine: Engine, kind: int) -> None:
    bench = Dual(engine, "full-cone")
    body = struct.pack("!BBHI", kind, 0, 0, 0) + bytes(16)
    for ends in ((V6.inside, V6.r1), ("fe80::1", "ff02::16"), (V6.r1, V6.external)):
        alert = extended(message(*ends, body), [(HOP_BY_HOP, ROUTER_ALERT)])
        assert bench.send(alert) == "icmp-type"
    assert bench.dropped() == {"icmp-type": 3}


@EACH_PROTOCOL
def test_without_an_external_ipv6_address_there_is_no_port(engine: Engine, protocol: str) -> None:
    bench = Dual(engine, externals=(V4,))
    assert bench.try_open(protocol, HOST, far(protocol, V6.r1)) == "no-port"
    assert bench.outgoing() == []
    assert bench.is_empty()
    assert bench.open(protocol, (V4.inside, 4000), far(protocol, V4.r1))[0] == V4.external


@EACH_PROTOCOL
def test_without_an_external_ipv4_address_there_is_no_port(engine: Engine, protocol: str) -> None:
    bench = Dual(engine, externals=(V6,))
    assert bench.try_open(protocol, (V4.inside, 4000), far(protocol, V4.r1)) == "no-port"
    assert bench.open(protocol, HOST, far(protocol, V6.r1))[0] == V6.external


def test_the_versions_have_their_ports_each(engine: Engine) -> None:
    bench = Dual(engine, ports="7000")
    assert bench.open("udp", HOST, (V6.r1, 80)) == (V6.external, 7000)
    assert bench.open("udp", (V4.inside, 4000), (V4.r1, 80)) == (V4.external, 7000)
    assert bench.try_open("udp", CALLED, (V6.r1, 80)) == "no-port"
    assert bench.reply("udp", (V6.r1, 80), (V6.external, 7000)) == "translated"
    assert bench.seen().destination == HOST
    assert bench.reply("udp", (V4.r1, 80), (V4.external, 7000)) == "translated"
    assert bench.seen().destination == (V4.inside, 4000)


@pytest.mark.parametrize(
    "place", ["ff02::1", "ff0e::1", "fe80::1", "::1", "::", "::192.0.2.1", V6.other]
)
def test_what_is_no_remote_host_is_no_destination(engine: Engine, place: str) -> None:
    assert Dual(engine).send(udp(HOST, (place, 80))) == "destination"


@pytest.mark.parametrize("place", ["fe80::10", "2001:db8:9::1", "::", "ff02::1"])
def test_what_is_not_inside_is_no_source(engine: Engine, place: str) -> None:
    assert Dual(engine).send(udp((place, 4000), (V6.r1, 80))) == "source"


def test_strangers_find_nobody(engine: Engine) -> None:
    bench = Dual(engine)
    assert bench.send(tcp((V6.r1, 80), (V6.external, 10000))) == "no-mapping"
    assert bench.send(echo(V6.r1, V6.external, 10000)) == "no-mapping"
    assert bench.send(echo(V6.r1, V6.external, 10000, True)) == "no-session"


def test_each_version_has_its_own_icmp(engine: Engine) -> None:
    bench = Dual(engine)
    for whole, number in ((echo(V4.inside, V4.r1, 1), 58), (echo(V6.inside, V6.r1, 1), 1)):
        source, destination = addresses(whole)
        other = packet(source, destination, number, whole[upper_layer(whole)[1] :])
        assert bench.send(other) == "protocol"


def test_tables_show_addresses_of_both_versions(engine: Engine) -> None:
    bench = Dual(engine)
    bench.open("udp", HOST, (V6.r1, 80))
    row = bench.sessions()[0]
    assert (row.internal, row.external, row.remote) == (V6.inside, V6.external, V6.r1)
    assert (row.packets_out, row.bytes_out) == (1, len(udp(HOST, (V6.r1, 80))))
    assert bench.mappings()[0].internal == V6.inside
    assert seen(bench.packet).source == (row.external, row.external_port)
