"""Fragmented datagrams through the NAT: translated like their first fragment, in whatever order
they come (RFC 4787 REQ-14), and told apart behind it (RFC 6864 section 5.3.1)."""

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from support import judge
from support.bench import SECOND
from support.dual import EACH_FAMILY, Dual
from support.families import (
    DATA,
    NUMBERS,
    V4,
    V6,
    Family,
    addresses,
    dccp,
    echo,
    extended,
    packet,
    sctp,
    tcp,
    udp,
    udplite,
)
from support.flavours import Engine
from support.packets import Buffer, Endpoint
from support.pieces import identification_of, joined, piece, split

ORDERS = {
    "in-order": (0, 1, 2, 3, 4),
    "backwards": (4, 3, 2, 1, 0),
    "last-first": (4, 0, 1, 2, 3),
    "first-in-the-middle": (2, 4, 0, 3, 1),
}
EACH_ORDER = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
EACH_PROTOCOL = pytest.mark.parametrize(
    "protocol", ["udp", "icmp", "tcp", "udplite", "dccp", "gre"]
)
LIFETIME = 15 * SECOND
OPTIONS = (60, bytes.fromhex("0001010c") + bytes(12))


def datagram(
    protocol: str, source: Endpoint, destination: Endpoint, reply: bool = False, seed: int = 1
) -> bytearray:
    """One that five fragments of 64 octets hold."""
    payload = random.Random(seed).randbytes(280)
    if protocol == "icmp":
        identifier = (destination if reply else source)[1]
        return echo(source[0], destination[0], identifier, reply, payload)
    if protocol == "tcp":
        return tcp(source, destination, "SA" if reply else "S", payload)
    if protocol == "dccp":
        return dccp(source, destination, 1 if reply else 0, payload)
    if protocol == "gre":
        return packet(source[0], destination[0], NUMBERS["gre"], payload)
    return (udplite if protocol == "udplite" else udp)(source, destination, payload)


def deliver(bench: Dual, pieces: Sequence[Buffer], order: Sequence[int]) -> list[bytes]:
    """What leaves; those before the first fragment are held, and come in the order they came."""
    left = []
    for place, number in enumerate(order):
        emitted = bench.emitted(pieces[number])
        known = 0 in order[: place + 1]
        assert len(emitted) == (1 + place if number == 0 else known)
        left += emitted
    return left


@EACH_FAMILY
@EACH_PROTOCOL
@EACH_ORDER
def test_fragments_leave_and_come_back_in_any_order(
    engine: Engine, order: Sequence[int], protocol: str, family: Family
) -> None:
    bench = Dual(engine)
    host, remote = (family.inside, 4000), (family.r1, 80)
    left = deliver(bench, split(datagram(protocol, host, remote)), order)
    whole = joined(left)
    external = (family.external, bench.sessions()[0].external_port)
    assert whole == datagram(protocol, external, remote)
    assert judge.is_right(whole)
    came = deliver(bench, split(datagram(protocol, remote, external, True), 64, 5), order)
    assert joined(came) == datagram(protocol, remote, host, True)
    assert {identification_of(fragment) for fragment in came} == {5}
    counted = bench.nat.counters()
    assert counted["outbound"] == {"packets": 5, "bytes": sum(map(len, left))}
    assert counted["inbound"] == {"packets": 5, "bytes": sum(map(len, came))}
    assert counted["fragments_held"] == 2 * order.index(0)
    assert bench.dropped() == {}


@EACH_FAMILY
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@EACH_ORDER
def test_fragments_are_hairpinned(
    engine: Engine, order: Sequence[int], protocol: str, family: Family
) -> None:
    bench = Dual(engine, "full-cone")
    caller = bench.open(protocol, (family.inside, 4000), (family.r1, 80))
    called = bench.open(protocol, (family.other, 5000), (family.r1, 80))
    came = deliver(bench, split(datagram(protocol, (family.inside, 4000), called)), order)
    assert joined(came) == datagram(protocol, caller, (family.other, 5000))


@EACH_ORDER
def test_extension_headers_before_and_in_the_fragments_stay(
    engine: Engine, order: Sequence[int]
) -> None:
    bench = Dual(engine)
    host, remote = (V6.inside, 4000), (V6.r1, 80)
    inner = extended(datagram("udp", host, remote), [OPTIONS])
    pieces = [extended(cut, [OPTIONS]) for cut in split(inner)]
    left = deliver(bench, pieces, order)
    assert all(bytes(cut[41:56]) == OPTIONS[1][1:] for cut in left)
    bare = [bytearray(cut[:6]) + bytes([44, 64]) + cut[8:40] + cut[56:] for cut in left]
    external = (V6.external, bench.sessions()[0].external_port)
    assert joined(bare) == extended(datagram("udp", external, remote), [OPTIONS])


@EACH_FAMILY
@pytest.mark.parametrize(
    "wrong",
    [(64, 128), (72, 80), (120, 136), (288, 304), (0, 64)],
    ids=["again", "within", "across", "beyond-the-end", "first-again"],
)
def test_fragments_that_overlap_end_their_datagram(
    engine: Engine, wrong: tuple[int, int], family: Family
) -> None:
    """RFC 8200 section 4.5: those that came and those that come."""
    bench = Dual(engine)
    whole = datagram("udp", (family.inside, 4000), (family.r1, 80))
    pieces = split(whole)
    bad = piece(whole + bytes(64), *wrong, 7)
    for cut in (pieces[0], pieces[1], pieces[4]):
        bench.passes(cut)
    assert bench.send(bad) == "fragment-overlap"
    assert bench.emitted(pieces[2]) == bench.emitted(pieces[3]) == []
    assert bench.dropped() == {"fragment-overlap": 1, "fragment-refused": 2}


@EACH_FAMILY
def test_held_fragments_that_overlap_never_leave(engine: Engine, family: Family) -> None:
    bench = Dual(engine)
    whole = datagram("udp", (family.inside, 4000), (family.r1, 80))
    assert bench.emitted(piece(whole, 64, 128, 7)) == []
    assert bench.send(piece(whole, 72, 136, 7)) == "fragment-overlap"
    assert bench.emitted(piece(whole, 0, 64, 7)) == []
    assert bench.is_empty()


@EACH_FAMILY
@EACH_ORDER
def test_what_follows_a_refused_first_fragment_is_dropped(
    engine: Engine, order: Sequence[int], family: Family
) -> None:
    bench = Dual(engine)
    external = bench.open("udp", (family.inside, 4000), (family.r1, 80))
    pieces = split(datagram("udp", (family.r2, 80), external))
    assert [bench.emitted(pieces[number]) for number in order] == [[]] * 5
    assert bench.dropped()["filtered"] == 1
    assert bench.nat.counters()["inbound"]["packets"] == 0


@EACH_FAMILY
@EACH_ORDER
@pytest.mark.parametrize("hairpin", [False, True], ids=["out", "hairpin"])
def test_two_hosts_with_the_same_identification_are_not_mixed_up(
    engine: Engine, hairpin: bool, order: Sequence[int], family: Family
) -> None:
    """They send to one remote, or to one internal host, at the same time."""
    bench = Dual(engine, "full-cone")
    remote = target = (family.r1, 80)
    if hairpin:
        target = (family.lan_router, 80)
        remote = bench.open("udp", target, (family.r2, 9))
    hosts = [(family.inside, 4000), (family.other, 4000)]
    sent = [datagram("udp", host, remote, seed=seed) for seed, host in enumerate(hosts)]
    groups: dict[int, list[bytes]] = defaultdict(list)
    for cuts in zip(*([split(whole)[number] for number in order] for whole in sent), strict=True):
        for cut in cuts:
            for out in bench.emitted(cut):
                assert addresses(out) == (family.external, target[0])
                groups[identification_of(out)].append(out)
    assert len(groups) == 2
    ports = {row.internal: row.external_port for row in bench.sessions()}
    expected = [
        datagram("udp", (family.external, ports[host[0]]), target, seed=seed)
        for seed, host in enumerate(hosts)
    ]
    received = sorted(bytes(joined(group)) for group in groups.values())
    assert received == sorted(bytes(whole) for whole in expected)


@EACH_FAMILY
def test_a_datagram_has_its_time_and_no_more(engine: Engine, family: Family) -> None:
    bench = Dual(engine)
    pieces = split(datagram("udp", (family.inside, 4000), (family.r1, 80)))
    bench.passes(pieces[0])
    bench.now = LIFETIME - 1
    bench.passes(pieces[1])
    bench.now = LIFETIME
    assert bench.send(pieces[2]) == "fragment-held"
    bench.now = 2 * LIFETIME
    # Another datagram by now: what is held of the former one must not leave with it.
    assert len(bench.emitted(pieces[0])) == 1
    assert bench.send(pieces[3]) == "translated"


@EACH_FAMILY
def test_the_sweep_lets_nothing_out(engine: Engine, family: Family) -> None:
    bench = Dual(engine, timeouts={"fragments": 2})
    pieces = split(datagram("udp", (family.inside, 4000), (family.r1, 80)))
    assert bench.send(pieces[1]) == "fragment-held"
    bench.now = 2 * SECOND
    bench.expire()
    assert bench.outgoing() == []
    assert len(bench.emitted(pieces[0])) == 1


def flood(bench: Dual, family: Family, external: Endpoint, count: int) -> None:
    """Outsiders send fragments from forged sources, of datagrams that are never whole."""
    whole = datagram("udp", (family.r2, 9), external)
    for n in range(count):
        cut = piece(whole, 64, 128, n)
        at = 15 if family is V4 else 23
        cut[at] = n % 251
        if family is V4:
            cut[10:12] = b"\0\0"
        assert bench.send(cut) in ("fragment-held", "fragment-limit")


@EACH_FAMILY
def test_a_flood_harms_neither_whole_packets_nor_known_datagrams(
    engine: Engine, family: Family
) -> None:
    """RFC 4787 REQ-14a."""
    bench = Dual(engine, limits={"fragments": 64})
    host, remote = (family.inside, 4000), (family.r1, 80)
    pieces = split(datagram("udp", host, remote))
    bench.passes(pieces[0])
    external = bench.seen().source
    flood(bench, family, external, 3000)
    bench.passes(udp(host, remote))
    bench.passes(udp(remote, external))
    bench.passes(pieces[1])
    again = split(datagram("udp", host, remote), 64, 8)
    out = joined(deliver(bench, again, ORDERS["backwards"]))
    assert out == datagram("udp", external, remote)


@EACH_FAMILY
def test_what_a_flood_holds_is_bounded(engine: Engine, family: Family) -> None:
    bench = Dual(engine, "full-cone", limits={"fragments": 16})
    external = bench.open("udp", (family.inside, 4000), (family.r1, 80))
    whole = datagram("udp", (family.r2, 9), external)
    for n in range(1000):
        assert bench.send(piece(whole, 64, 128, n)) == "fragment-held"
    released = sum(len(bench.emitted(piece(whole, 0, 64, n))) - 1 for n in range(999, -1, -1))
    assert 0 < released <= 16


@EACH_FAMILY
def test_one_datagram_cannot_be_held_in_ever_more_pieces(engine: Engine, family: Family) -> None:
    bench = Dual(engine)
    whole = udp((family.inside, 4000), (family.r1, 80), bytes(4000))
    cuts = [piece(whole, start, start + 8, 7) for start in range(8, 3000, 8)]
    verdicts = [bench.send(cut) for cut in cuts]
    assert verdicts.count("fragment-held") == 128
    assert "fragment-limit" in verdicts
    assert bench.emitted(piece(whole, 0, 8, 7)) == []


@EACH_FAMILY
def test_sctp_passes_in_fragments_only_if_its_port_stays(engine: Engine, family: Family) -> None:
    """Its CRC32c is known to who has the whole datagram, which the NAT never has."""
    host, remote = (family.inside, 12000), (family.r1, 80)
    whole = sctp(host, remote, DATA, bytes(280))
    bench = Dual(engine, ports="10000")
    bench.open("sctp", host, remote)
    verdicts = [bench.send(cut) for cut in split(whole)]
    assert verdicts[0] == "fragment" and "translated" not in verdicts
    preserving = engine.modules["nat.rules.behaviour"].parse_behaviour("eim/apdf+preserve")
    bench = Dual(engine, sctp=preserving)
    assert bench.open("sctp", host, remote)[1] == 12000
    out = joined(deliver(bench, split(whole), ORDERS["backwards"]))
    assert out == sctp((family.external, 12000), remote, DATA, bytes(280))
    assert judge.is_right(out)
