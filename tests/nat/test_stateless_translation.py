"""Packets that need no session: remotes that are not translated (RFC 6888 REQ-6), and prefixes that
are exchanged (NPTv6, RFC 6296)."""

import struct
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest

from support import judge
from support.dual import EACH_FAMILY, EACH_PROTOCOL, Dual, far
from support.families import (
    NUMBERS,
    PORTLESS,
    PROTOCOLS,
    V4,
    V6,
    Family,
    addresses,
    answer,
    error,
    message,
    opening,
    packet,
    quoted,
    tcp,
    udp,
)
from support.flavours import Engine
from support.nptv6 import EXTERNAL, INTERNAL, external_of
from support.packets import Buffer
from support.pieces import piece, split

ANY = (*PROTOCOLS, *PORTLESS)
EACH_OF_ALL = pytest.mark.parametrize("protocol", ANY)
UNREACHABLE = {4: 3, 6: 1}
A, B = "fd01:203:405:1::1234", "fd01:203:405:7:8000:1:2:3"
OUTSIDE_A, OUTSIDE_B = external_of(A), external_of(B)


def bypassing(engine: Engine, *remotes: str) -> Dual:
    prefixes = remotes or (V4.r1, V6.r1)
    return Dual(engine, "full-cone", no_nat=tuple(ip_network(prefix) for prefix in prefixes))


def exchanging(engine: Engine, pair: tuple[str, str] = (INTERNAL, EXTERNAL), **more: Any) -> Dual:
    internal, external = (IPv6Network(prefix) for prefix in pair)
    inside = tuple(map(ip_network, (V4.internal, V6.internal, internal)))
    return Dual(engine, internal=inside, nptv6=(internal, external), **more)


def unchanged(bench: Dual, whole: Buffer) -> bool:
    return bench.send(whole) == "translated" and bench.packet == whole


@EACH_FAMILY
@EACH_OF_ALL
def test_no_nat_passes_everything_both_ways_as_it_is(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = bypassing(engine)
    remote = far(protocol, family.r1)
    sent = opening(protocol, (family.inside, 4000), remote)
    came = answer(protocol, remote, (family.other, 4000))
    assert unchanged(bench, came) and unchanged(bench, sent)
    if family is V4:
        loose = packet(family.inside, family.r1, sent[9], sent[20:], field=0, identification=99)
        assert unchanged(bench, loose)
    assert bench.sessions() == [] and bench.is_empty()
    assert bench.nat.counters()["inbound"] == {"packets": 1, "bytes": len(came)}
    assert bench.nat.counters()["outbound"]["packets"] == (2 if family is V4 else 1)


@EACH_FAMILY
def test_no_nat_passes_segments_of_no_connection(engine: Engine, family: Family) -> None:
    bench = bypassing(engine)
    for flags in ("A", "FA", "R", "SA", ""):
        assert unchanged(bench, tcp((family.inside, 4000), (family.r1, 80), flags))
        assert unchanged(bench, tcp((family.r1, 80), (family.inside, 4000), flags))


@EACH_FAMILY
@EACH_PROTOCOL
def test_other_remotes_are_translated_and_kept_out_as_ever(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = bypassing(engine)
    assert bench.open(protocol, (family.inside, 4000), far(protocol, family.r3))[0] == (
        family.external
    )
    assert bench.reply(protocol, far(protocol, family.r3), (family.inside, 4000)) != "translated"
    assert bench.knock(protocol, (family.r1, 80), (family.external, 9)) == "no-mapping"
    strange = "10.9.9.9" if family is V4 else "2001:db8:9::9"
    assert bench.try_open(protocol, (strange, 4000), far(protocol, family.r1)) != "translated"


@EACH_FAMILY
def test_no_nat_passes_fragments_in_any_order(engine: Engine, family: Family) -> None:
    bench = bypassing(engine)
    for ends in ((family.inside, family.r1), (family.r1, family.inside)):
        whole = udp((ends[0], 4000), (ends[1], 80), bytes(300))
        for cut in reversed(split(whole)):
            assert unchanged(bench, cut)
        assert unchanged(bench, piece(whole, 8, 24, 7))  # overlaps: not for the NAT to judge
    assert bench.nat.counters()["fragments_held"] == 0


@EACH_FAMILY
@EACH_OF_ALL
def test_errors_about_what_no_nat_passes(engine: Engine, protocol: str, family: Family) -> None:
    bench = bypassing(engine)
    remote = far(protocol, family.r1)
    sent = opening(protocol, (family.inside, 4000), remote)
    came = answer(protocol, remote, (family.inside, 4000))
    for source in (family.r1, family.r3):
        assert unchanged(bench, error(source, family.inside, sent, UNREACHABLE[family.version]))
    for source in (family.inside, family.lan_router):
        assert unchanged(bench, error(source, family.r1, came, UNREACHABLE[family.version]))
    about = opening(protocol, (family.inside, 4000), far(protocol, family.r3))
    wrong = error(family.r3, family.inside, about, UNREACHABLE[family.version])
    assert bench.send(wrong) != "translated"


@EACH_FAMILY
def test_errors_of_the_router_itself_about_what_no_nat_passes(
    engine: Engine, family: Family
) -> None:
    """Such as a LAN that is too narrow: the remote must hear of it."""
    bench = bypassing(engine)
    router = "192.0.0.8" if family is V4 else "100::8"
    came = udp((family.r1, 80), (family.inside, 4000))
    assert unchanged(bench, error(router, family.r1, came, UNREACHABLE[family.version]))


@EACH_FAMILY
def test_no_nat_passes_what_could_not_be_translated(engine: Engine, family: Family) -> None:
    bench = bypassing(engine)
    other_query = struct.pack("!BBHI", 17 if family is V4 else 139, 0, 0, 0) + bytes(16)
    for ends in ((family.inside, family.r1), (family.r1, family.inside)):
        assert unchanged(bench, packet(*ends, NUMBERS["ah"], bytes(24)))
        assert unchanged(bench, message(*ends, other_query))


@EACH_OF_ALL
def test_prefixes_are_exchanged_both_ways_without_state(engine: Engine, protocol: str) -> None:
    """Every checksum is right because none changes (RFC 6296 section 2.6)."""
    bench = exchanging(engine)
    remote = far(protocol, V6.r1)
    for inside, outside in ((A, OUTSIDE_A), (B, OUTSIDE_B)):
        bench.passes(answer(protocol, remote, (outside, 4000)))
        assert bench.packet == answer(protocol, remote, (inside, 4000))
        bench.passes(opening(protocol, (inside, 4000), remote))
        assert bench.packet == opening(protocol, (outside, 4000), remote)
        assert judge.is_right(bench.packet)
    assert bench.sessions() == [] and bench.is_empty()
    assert bench.nat.counters()["outbound"]["packets"] == 2
    assert bench.nat.counters()["inbound"]["packets"] == 2


def test_the_example_of_the_rfc(engine: Engine) -> None:
    """RFC 6296 section 3.6."""
    pair = IPv6Network("fd01:203:405::/48"), IPv6Network("2001:db8:1::/48")
    bench = Dual(engine, internal=(ip_network(V4.internal), pair[0]), nptv6=pair)
    bench.passes(udp((A, 4000), (V6.r1, 80)))
    assert addresses(bench.packet)[0] == "2001:db8:1:d550::1234"
    bench.passes(udp((V6.r1, 80), ("2001:db8:1:d550::1234", 4000)))
    assert addresses(bench.packet)[1] == "fd01:203:405:1::1234"


@EACH_OF_ALL
def test_exchanged_prefixes_meet_at_the_nat(engine: Engine, protocol: str) -> None:
    bench = exchanging(engine)
    bench.passes(opening(protocol, (A, 4000), (OUTSIDE_B, 4000)))
    assert bench.packet == opening(protocol, (OUTSIDE_A, 4000), (B, 4000))
    assert bench.nat.counters()["inbound"]["packets"] == 1


@EACH_OF_ALL
def test_errors_about_exchanged_prefixes(engine: Engine, protocol: str) -> None:
    bench = exchanging(engine)
    remote = far(protocol, V6.r1)
    inner = opening(protocol, (A, 4000), remote)
    outer = opening(protocol, (OUTSIDE_A, 4000), remote)
    for kind in (1, 2, 3, 4):
        bench.passes(error(V6.r3, OUTSIDE_A, outer, kind, 0, 1400))
        assert bench.packet == error(V6.r3, A, inner, kind, 0, 1400)
    inner, outer = (answer(protocol, remote, (host, 4000)) for host in (A, OUTSIDE_A))
    for source, outside in ((A, OUTSIDE_A), (B, OUTSIDE_B)):
        bench.passes(error(source, V6.r1, inner, 1))
        assert bench.packet == error(outside, V6.r1, outer, 1)
    # Between two internal hosts: what B got, and what A had sent.
    received = opening(protocol, (OUTSIDE_A, 4000), (B, 4000))
    bench.passes(error(B, OUTSIDE_A, received, 1))
    assert bench.packet == error(OUTSIDE_B, A, opening(protocol, (A, 4000), (OUTSIDE_B, 4000)), 1)


def test_errors_that_would_tell_an_inside_address_are_dropped(engine: Engine) -> None:
    """About a later fragment, whose quotation cannot be read, or a host translated by port."""
    bench = exchanging(engine)
    for about in split(udp((V6.r1, 80), (A, 4000), bytes(300)))[1:]:
        assert bench.send(error(A, V6.r1, about, 1)) == "icmp-embedded"
    for about in split(udp((OUTSIDE_A, 4000), (V6.r1, 80), bytes(300)))[1:]:
        assert bench.send(error(V6.r3, OUTSIDE_A, about, 1)) == "icmp-embedded"
    about = udp((V6.r1, 80), (V6.inside, 4000))
    assert bench.send(error(A, V6.r1, about, 1)) == "source"


def test_errors_of_the_router_itself_about_exchanged_prefixes(engine: Engine) -> None:
    bench = exchanging(engine)
    outer = udp((OUTSIDE_A, 4000), (V6.r1, 80))
    bench.passes(error("100::8", OUTSIDE_A, outer, 2, 0, 1400))
    assert bench.packet == error("100::8", A, udp((A, 4000), (V6.r1, 80)), 2, 0, 1400)
    bench.passes(error("100::8", V6.r1, udp((V6.r1, 80), (A, 4000)), 2, 0, 1400))
    assert quoted(bench.packet) == udp((V6.r1, 80), (OUTSIDE_A, 4000))


def test_fragments_have_their_prefixes_exchanged_in_any_order(engine: Engine) -> None:
    bench = exchanging(engine)
    inner, outer = (udp((host, 4000), (V6.r1, 80), bytes(300)) for host in (A, OUTSIDE_A))
    for cut, wanted in list(zip(split(inner), split(outer), strict=True))[::-1]:
        bench.passes(cut)
        assert bench.packet == wanted
    inner, outer = (udp((V6.r1, 80), (host, 4000), bytes(300)) for host in (A, OUTSIDE_A))
    for cut, wanted in list(zip(split(outer), split(inner), strict=True))[::-1]:
        bench.passes(cut)
        assert bench.packet == wanted


@EACH_PROTOCOL
def test_an_address_without_a_mapping_is_answered(engine: Engine, protocol: str) -> None:
    bench = exchanging(engine)
    sent = opening(protocol, ("fd01:203:405:ffff::1", 4000), far(protocol, V6.r1))
    assert bench.send(sent) == "unmappable"
    answers = bench.outgoing()
    assert answers == [error(V6.external, "fd01:203:405:ffff::1", sent, 1, 0)]
    assert judge.is_right(answers[0])
    assert bench.dropped() == {"unmappable": 1}


def test_nobody_is_told_about_an_error_without_a_mapping(engine: Engine) -> None:
    bench = exchanging(engine)
    nobody = "fd01:203:405:ffff::1"
    about = udp((V6.r1, 80), (nobody, 4000))
    assert bench.send(error(nobody, V6.r1, about, 1)) == "unmappable"
    assert bench.send(error(A, V6.r1, about, 1)) == "unmappable"
    assert bench.send(udp((V6.r1, 80), ("2001:db8:a:ffff::1", 4000))) == "unmappable"
    assert bench.outgoing() == []


def test_answers_about_addresses_without_a_mapping_are_limited(engine: Engine) -> None:
    bench = exchanging(engine, limits={"icmp_errors": 3})
    sent = udp(("fd01:203:405:ffff::1", 4000), (V6.r1, 80))
    assert sum(len(bench.emitted(sent)) for _ in range(50)) == 3


@pytest.mark.parametrize("place", ["ff02::1", "fe80::1", "::1", B, V6.other])
def test_exchanged_prefixes_reach_remotes_only(engine: Engine, place: str) -> None:
    assert exchanging(engine).send(udp((A, 4000), (place, 80))) == "destination"


def test_other_prefixes_share_the_external_address(engine: Engine) -> None:
    bench = exchanging(engine)
    assert bench.open("udp", (V6.inside, 4000), (V6.r1, 80))[0] == V6.external
    assert bench.open("udp", (V4.inside, 4000), (V4.r1, 80))[0] == V4.external


def test_no_nat_comes_before_prefixes(engine: Engine) -> None:
    bench = exchanging(engine, no_nat=(ip_network(V6.r1),))
    assert unchanged(bench, udp((A, 4000), (V6.r1, 80)))
    bench.passes(udp((A, 4000), (V6.r2, 80)))
    assert addresses(bench.packet)[0] == str(IPv6Address(OUTSIDE_A))


# What no router on the way has: this network, loopback, link-local, multicast, broadcast, reserved.
NOBODY = {
    4: ("0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
    6: ("::", "::1", "::127.0.0.1", "fe80::1", "ff02::1"),
}


@EACH_FAMILY
def test_errors_from_nobody_about_what_no_nat_passes_are_dropped(
    engine: Engine, family: Family
) -> None:
    bench = bypassing(engine)
    sent = udp((family.inside, 4000), (family.r1, 80))
    came = udp((family.r1, 80), (family.inside, 4000))
    kind = UNREACHABLE[family.version]
    for source in (*NOBODY[family.version], family.external):
        assert bench.send(error(source, family.inside, sent, kind)) == "source"
        assert bench.send(error(source, family.r1, came, kind)) != "translated"
    # From inside, about a packet that went out, or to a host inside.
    assert bench.send(error(family.other, family.inside, sent, kind)) != "translated"
    assert bench.is_empty()


def test_errors_from_nobody_about_exchanged_prefixes_are_dropped(engine: Engine) -> None:
    bench = exchanging(engine)
    sent = udp((OUTSIDE_A, 4000), (V6.r1, 80))
    for source in (*NOBODY[6], V6.external, OUTSIDE_A, OUTSIDE_B):
        assert bench.send(error(source, OUTSIDE_A, sent, 1)) == "source"
    # A host inside cannot have met it.
    assert bench.send(error(B, OUTSIDE_A, sent, 1)) == "source"
    came = udp((V6.r1, 80), (A, 4000))
    for source in NOBODY[6]:
        assert bench.send(error(source, V6.r1, came, 1)) != "translated"


@EACH_FAMILY
def test_errors_from_nobody_about_what_is_translated_are_dropped(
    engine: Engine, family: Family
) -> None:
    bench = Dual(engine)
    external = bench.open("udp", (family.inside, 4000), (family.r1, 80))
    sent = bytes(bench.packet)
    bench.reply("udp", (family.r1, 80), external)
    came = bytes(bench.packet)
    kind = UNREACHABLE[family.version]
    for source in (*NOBODY[family.version], family.external):
        assert bench.send(error(source, family.external, sent, kind)) == "source"
        assert bench.send(error(source, family.r1, came, kind)) == "source"
    bench.passes(error(family.r3, family.external, sent, kind))
    bench.passes(error(family.other, family.r1, came, kind))
