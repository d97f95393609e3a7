"""UDP-Lite, DCCP, SCTP, ICMP Timestamp, and protocols without ports, over both IP versions."""

import struct

import pytest

from support import judge
from support.bench import SECOND
from support.courses import COURSES
from support.dual import EACH_FAMILY, Dual
from support.families import (
    ABORT,
    DATA,
    DCCP_DATA,
    INIT_ACK,
    NUMBERS,
    PORTLESS,
    REQUEST,
    SHUTDOWN,
    V4,
    V6,
    Family,
    addresses,
    answer,
    dccp,
    echo,
    message,
    opening,
    packet,
    sctp,
    udplite,
)
from support.flavours import Engine, load

PRESETS = tuple(load("interpreted").PRESETS)
EACH_NEW = pytest.mark.parametrize("protocol", ["udplite", "dccp", "sctp"])
EACH_PORTLESS = pytest.mark.parametrize("protocol", PORTLESS)
LISTEN, COOKIE_ECHO = 10, 10


@EACH_FAMILY
@EACH_NEW
@pytest.mark.parametrize("preset", PRESETS)
def test_every_type_translates_both_ways(
    engine: Engine, preset: str, protocol: str, family: Family
) -> None:
    bench = Dual(engine, preset)
    host, remote = (family.inside, 4000), (family.r1, 80)
    external = bench.open(protocol, host, remote)
    assert external[0] == family.external and external[1] != 4000
    assert judge.is_right(bench.packet)
    assert bench.packet == opening(protocol, external, remote)
    bench.passes(answer(protocol, remote, external))
    assert bench.packet == answer(protocol, remote, host)
    assert judge.is_right(bench.packet)
    stranger = bench.knock(protocol, (family.r2, 80), external)
    assert (stranger == "translated") == (preset == "full-cone")


@EACH_FAMILY
@EACH_NEW
def test_hairpinned_packets_show_external_endpoints(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = Dual(engine, "full-cone")
    caller = bench.open(protocol, (family.inside, 4000), (family.r1, 80))
    called = bench.open(protocol, (family.other, 5000), (family.r1, 80))
    bench.try_open(protocol, (family.inside, 4000), called)
    assert bench.packet == opening(protocol, caller, (family.other, 5000))
    assert judge.is_right(bench.packet)


@EACH_FAMILY
@pytest.mark.parametrize("coverage", [0, 8, 9, 20, 41, 108])
def test_udp_lite_may_cover_a_part(engine: Engine, coverage: int, family: Family) -> None:
    bench = Dual(engine)
    sent = udplite((family.inside, 4000), (family.r1, 80), bytes(range(100)), coverage)
    external = bench.passes(sent).source
    assert judge.is_right(bench.packet)
    assert bench.packet == udplite(external, (family.r1, 80), bytes(range(100)), coverage)
    sent[-1] ^= 1
    bench.passes(sent)
    assert judge.is_right(bench.packet) == (coverage not in (0, 108))


@EACH_FAMILY
@pytest.mark.parametrize("coverage", range(1, 8))
def test_udp_lite_cannot_cover_less_than_its_header(
    engine: Engine, coverage: int, family: Family
) -> None:
    sent = udplite((family.inside, 4000), (family.r1, 80), b"data", coverage)
    assert Dual(engine).send(sent) == "udp-length"


@EACH_FAMILY
@pytest.mark.parametrize("coverage", [0, 1, 3, 15])
def test_dccp_may_cover_a_part(engine: Engine, coverage: int, family: Family) -> None:
    bench = Dual(engine)
    host, remote = (family.inside, 4000), (family.r1, 80)
    bench.open("dccp", host, remote)
    external = bench.passes(dccp(host, remote, DCCP_DATA, bytes(range(60)), coverage)).source
    assert judge.is_right(bench.packet)
    assert bench.packet == dccp(external, remote, DCCP_DATA, bytes(range(60)), coverage)


@EACH_FAMILY
@pytest.mark.parametrize("size", [0, 4, 100, 1000])
def test_sctp_has_the_right_crc32c_after_its_port_changed(
    engine: Engine, size: int, family: Family
) -> None:
    bench = Dual(engine)
    host, remote = (family.inside, 4000), (family.r1, 80)
    external = bench.open("sctp", host, remote)
    data = bytes(k * 7 & 255 for k in range(size))
    bench.passes(sctp(host, remote, DATA, data))
    assert judge.is_right(bench.packet)
    assert bench.packet == sctp(external, remote, DATA, data)
    bench.passes(sctp(remote, external, DATA, data))
    assert judge.is_right(bench.packet)


def test_a_wrong_crc32c_stays_wrong(engine: Engine) -> None:
    bench = Dual(engine)
    sent = sctp((V4.inside, 4000), (V4.r1, 80))
    sent[-1] ^= 1
    bench.passes(sent)
    assert not judge.is_right(bench.packet)


@EACH_FAMILY
@pytest.mark.parametrize("opener", ["inside", "outside"])
@pytest.mark.parametrize("course", COURSES)
def test_connections_are_followed(engine: Engine, course: str, opener: str, family: Family) -> None:
    make, steps = COURSES[course]
    bench = Dual(engine, "full-cone")
    host, remote = (family.inside, 4000), (family.r1, 80)
    protocol = "dccp" if make is dccp else "sctp"
    external = bench.open(protocol, host, (family.r2, 9))
    for side, kind, state, left in steps:
        bench.now += SECOND
        if (side == "client") == (opener == "inside"):
            bench.passes(make(host, remote, kind))
        else:
            bench.passes(make(remote, external, kind))
        row = next(row for row in bench.sessions() if row.remote == family.r1)
        # Before the inside has answered, outsiders change nothing.
        if opener == "inside" or (row.packets_out and state != "init"):
            assert (row.state, row.expires) == (state, left), (side, kind)


@pytest.mark.parametrize("protocol,kind", [("dccp", k) for k in range(10) if k != REQUEST])
def test_only_a_request_opens_dccp(engine: Engine, protocol: str, kind: int) -> None:
    bench = Dual(engine, "full-cone")
    assert bench.send(dccp((V4.inside, 4000), (V4.r1, 80), kind)) == "not-syn"
    assert bench.is_empty()


def test_listen_opens_dccp(engine: Engine) -> None:
    """RFC 5596 section 2.2: it is there to open the way through a NAT."""
    bench = Dual(engine)
    external = bench.passes(dccp((V4.inside, 4000), (V4.r1, 80), LISTEN)).source
    assert bench.reply("dccp", (V4.r1, 80), external) == "translated"


@pytest.mark.parametrize("kind", range(11, 16))
def test_reserved_types_of_dccp_are_dropped(engine: Engine, kind: int) -> None:
    bench = Dual(engine, "full-cone")
    external = bench.open("dccp", (V4.inside, 4000), (V4.r1, 80))
    assert bench.send(dccp((V4.inside, 4000), (V4.r1, 80), kind)) == "tcp-flags"
    assert bench.send(dccp((V4.r1, 80), external, kind)) == "tcp-flags"


@pytest.mark.parametrize("chunk", [DATA, INIT_ACK, ABORT, SHUTDOWN, COOKIE_ECHO, 192])
def test_only_an_init_opens_sctp(engine: Engine, chunk: int) -> None:
    bench = Dual(engine, "full-cone")
    assert bench.send(sctp((V6.inside, 4000), (V6.r1, 80), chunk)) == "not-syn"
    assert bench.is_empty()


@EACH_FAMILY
@EACH_PORTLESS
def test_without_ports_only_the_address_is_translated(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = Dual(engine)
    bench.passes(opening(protocol, (family.inside, 0), (family.r1, 0)))
    assert bench.packet == opening(protocol, (family.external, 0), (family.r1, 0))
    bench.passes(answer(protocol, (family.r1, 0), (family.external, 0)))
    assert bench.packet == answer(protocol, (family.r1, 0), (family.inside, 0))
    assert bench.sessions()[0].protocol == "other"
    assert bench.sessions()[0].expires == 600


@EACH_FAMILY
@EACH_PORTLESS
def test_a_remote_has_one_internal_host_for_each_protocol(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = Dual(engine)
    first, second = (family.inside, 0), (family.other, 0)
    assert bench.try_open(protocol, first, (family.r1, 0)) == "translated"
    assert bench.try_open(protocol, second, (family.r1, 0)) == "no-port"
    assert bench.try_open(protocol, second, (family.r2, 0)) == "translated"
    others = [name for name in PORTLESS if name != protocol]
    assert bench.try_open(others[0], second, (family.r1, 0)) == "translated"
    for remote, host in ((family.r1, family.inside), (family.r2, family.other)):
        bench.passes(answer(protocol, (remote, 0), (family.external, 0)))
        assert addresses(bench.packet) == (remote, host)
    bench.passes(answer(others[0], (family.r1, 0), (family.external, 0)))
    assert addresses(bench.packet) == (family.r1, family.other)
    assert bench.send(answer(protocol, (family.r3, 0), (family.external, 0))) == "no-mapping"
    bench.now = 600 * SECOND
    assert bench.try_open(protocol, second, (family.r1, 0)) == "translated"


@EACH_FAMILY
@EACH_PORTLESS
def test_nobody_is_behind_the_external_address_where_no_host_has_the_protocol(
    engine: Engine, protocol: str, family: Family
) -> None:
    bench = Dual(engine)
    assert bench.try_open(protocol, (family.inside, 0), (family.external, 0)) == "no-mapping"
    assert bench.is_empty()


@EACH_FAMILY
def test_an_authentication_header_is_refused(engine: Engine, family: Family) -> None:
    """It covers the addresses (RFC 4302 section 3.3.3.1): translated, it could only fail."""
    bench = Dual(engine)
    for ends in ((family.inside, family.r1), (family.r1, family.external)):
        assert bench.send(packet(*ends, NUMBERS["ah"], bytes(24))) == "protocol"
        assert bench.send(packet(*ends, 59, bytes(8))) == "protocol"
    assert bench.is_empty()


def timestamp(source: str, destination: str, identifier: int, kind: int) -> bytearray:
    return message(source, destination, struct.pack("!BBHHH3I", kind, 0, 0, identifier, 1, 5, 6, 7))


def test_timestamps_are_asked_and_answered(engine: Engine) -> None:
    bench = Dual(engine)
    address, identifier = bench.passes(timestamp(V4.inside, V4.r1, 4000, 13)).source
    assert (address, judge.is_right(bench.packet)) == (V4.external, True)
    assert bench.packet == timestamp(V4.external, V4.r1, identifier, 13)
    bench.passes(timestamp(V4.r1, V4.external, identifier, 14))
    assert bench.packet == timestamp(V4.r1, V4.inside, 4000, 14)
    assert bench.sessions()[0].expires == 60
    assert bench.send(timestamp(V4.r2, V4.external, identifier, 13)) == "filtered"
    assert bench.send(timestamp(V4.r2, V4.external, identifier, 14)) == "no-session"
    assert bench.send(timestamp(V4.other, V4.r1, 4000, 14)) == "no-session"
    short = timestamp(V4.inside, V4.r1, 4000, 13)[20:-1]
    assert bench.send(message(V4.inside, V4.r1, short)) == "icmp-truncated"


@pytest.mark.parametrize("kind", [4, 5, 6, 9, 10, 15, 16, 17, 18, 30, 42])
def test_other_messages_of_icmp_are_dropped(engine: Engine, kind: int) -> None:
    bench = Dual(engine, "full-cone")
    external = bench.passes(echo(V4.inside, V4.r1, 4000)).source
    for ends in ((V4.inside, V4.r1), (V4.r1, V4.external)):
        body = struct.pack("!BBHHH", kind, 0, 0, external[1], 1) + bytes(20)
        assert bench.send(message(*ends, body)) == "icmp-type"
