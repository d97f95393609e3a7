"""Time: every timeout exact to the millisecond without a sweep, and who may refresh."""

import pytest

from support.bench import EXTERNAL, INSIDE, OTHER, PROTOCOLS, R1, R2, R3, SECOND, Bench
from support.flavours import Engine
from support.packets import Endpoint, error, ip, tcp, udp

HOST = (INSIDE, 4000)
GRE = 47
# Idle seconds of a session that one packet opened, by protocol.
FIRST = {"tcp": 240, "udp": 300, "icmp": 60}
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)
# What becomes of an answer nobody asked for.
STRANGER = {"tcp": "not-syn", "udp": "no-mapping", "icmp": "no-session"}
CUSTOM = {"tcp_established": 500, "tcp_opening": 7, "tcp_closing": 5, "udp": 3, "icmp": 2}


def far(protocol: str, address: str = R1) -> Endpoint:
    return address, 0 if protocol == "icmp" else 80


@EACH_PROTOCOL
@pytest.mark.parametrize("late", [-1, 0])
def test_answers_are_accepted_until_the_last_millisecond(
    engine: Engine, protocol: str, late: int
) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open(protocol, HOST, far(protocol))
    bench.now = FIRST[protocol] * SECOND + late
    verdict = bench.reply(protocol, far(protocol), external)
    assert verdict == ("translated" if late else STRANGER[protocol])


@EACH_PROTOCOL
def test_an_expired_mapping_admits_nobody_new(engine: Engine, protocol: str) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open(protocol, HOST, far(protocol))
    bench.now = FIRST[protocol] * SECOND
    assert bench.knock(protocol, far(protocol, R2), external) == "no-mapping"
    assert bench.knock(protocol, far(protocol), external) == "no-mapping"


@EACH_PROTOCOL
def test_outbound_keeps_its_mapping_until_the_last_millisecond(
    engine: Engine, protocol: str
) -> None:
    bench = Bench(engine, "full-cone")
    first = bench.open(protocol, HOST, far(protocol))
    bench.now = FIRST[protocol] * SECOND - 1
    assert bench.open(protocol, HOST, far(protocol)) == first
    assert bench.sessions()[0].packets_out == 2
    bench.now += FIRST[protocol] * SECOND
    second = bench.open(protocol, HOST, far(protocol))
    assert second != first  # one of 10,000, and the seed is fixed
    assert [row.packets_out for row in bench.sessions()] == [1]


def test_an_expired_tcp_session_needs_a_syn_to_begin_again(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("tcp", HOST, (R1, 80))
    bench.now = 240 * SECOND
    assert bench.send(tcp(HOST, (R1, 80), "A")) == "not-syn"
    assert bench.is_empty()


def test_an_established_tcp_session_lives_7440_seconds(engine: Engine) -> None:
    for late, verdict in ((-1, "translated"), (0, "not-syn")):
        bench = Bench(engine, "full-cone")
        external = bench.connect(HOST, (R1, 80))
        bench.now = 7440 * SECOND + late
        assert bench.send(tcp((R1, 80), external, "A")) == verdict


@pytest.mark.parametrize("late", [-1, 0])
def test_every_timeout_can_be_set(engine: Engine, late: int) -> None:
    for protocol, seconds in (("tcp", 7), ("udp", 3), ("icmp", 2)):
        bench = Bench(engine, "full-cone", timeouts=CUSTOM)
        external = bench.open(protocol, HOST, far(protocol))
        bench.now = seconds * SECOND + late
        verdict = bench.reply(protocol, far(protocol), external)
        assert verdict == ("translated" if late else STRANGER[protocol])
    bench = Bench(engine, "full-cone", timeouts=CUSTOM)
    external = bench.connect(HOST, (R1, 80))
    bench.now = 500 * SECOND + late
    verdict = bench.send(tcp((R1, 80), external, "A"))
    assert verdict == ("translated" if late else "not-syn")
    for ending in ("FA", "R"):
        bench = Bench(engine, "full-cone", timeouts=CUSTOM)
        external = bench.connect(HOST, (R1, 80))
        bench.passes(tcp(HOST, (R1, 80), "FA"))
        bench.passes(tcp((R1, 80), external, ending))
        bench.now = 5 * SECOND + late
        verdict = bench.send(tcp((R1, 80), external, "A"))
        assert verdict == ("translated" if late else "not-syn")


@pytest.mark.parametrize("late", [-1, 0])
def test_protocols_without_ports_have_a_timeout_of_their_own(engine: Engine, late: int) -> None:
    for timeouts, seconds in (({}, 600), ({"other": 4}, 4)):
        bench = Bench(engine, "full-cone", timeouts=timeouts)
        assert bench.send(ip(INSIDE, R1, GRE, bytes(20))) == "translated"
        bench.now = seconds * SECOND + late
        verdict = bench.send(ip(R1, EXTERNAL, GRE, bytes(20)))
        assert verdict == ("translated" if late else "no-mapping")


def test_both_directions_refresh_once_the_inside_has_sent(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    for _ in range(5):
        bench.now += 299 * SECOND
        assert bench.reply("udp", (R1, 80), external) == "translated"
    for _ in range(5):
        bench.now += 299 * SECOND
        assert bench.open("udp", HOST, (R1, 80)) == external


@pytest.mark.parametrize(("protocol", "seconds"), [("udp", 300), ("icmp", 60)])
def test_inbound_refresh_may_be_turned_off(engine: Engine, protocol: str, seconds: int) -> None:
    """RFC 4787 REQ-6a: then only what the inside sends keeps sessions without connections alive."""
    for refresh in (True, False):
        bench = Bench(engine, "full-cone", inbound_refresh=refresh)
        external = bench.open(protocol, HOST, far(protocol))
        bench.now = (seconds - 1) * SECOND
        assert bench.reply(protocol, far(protocol), external) == "translated"
        bench.now = seconds * SECOND
        verdict = bench.reply(protocol, far(protocol), external)
        assert verdict == ("translated" if refresh else STRANGER[protocol])
    bench.open(protocol, HOST, far(protocol))
    bench.now += (seconds - 1) * SECOND
    external = bench.open(protocol, HOST, far(protocol))
    bench.now += (seconds - 1) * SECOND
    assert bench.reply(protocol, far(protocol), external) == "translated"


def test_a_connection_is_refreshed_from_both_sides_always(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", inbound_refresh=False)
    external = bench.connect(HOST, (R1, 80))
    for _ in range(3):
        bench.now += 7439 * SECOND
        assert bench.send(tcp((R1, 80), external, "A")) == "translated"


def test_an_outsider_cannot_refresh_a_session_the_inside_never_used(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 100 * SECOND
    assert bench.knock("udp", (R2, 9), external) == "translated"
    for bench.now in (200 * SECOND, 299 * SECOND):
        assert bench.knock("udp", (R2, 9), external) == "translated"
    bench.now = 400 * SECOND
    assert bench.knock("udp", (R2, 9), external) == "no-mapping"


def test_outsiders_cannot_keep_a_mapping_by_opening_ever_new_sessions(engine: Engine) -> None:
    """RFC 4787 REQ-6: what keeps a mapping is traffic the inside takes part in."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    for turn in range(1, 4):
        bench.now = turn * 299 * SECOND
        bench.knock("udp", (R2, turn), external)
    assert bench.knock("udp", (R2, 99), external) == "no-mapping"


def test_the_inside_may_take_up_a_session_opened_from_outside(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 100 * SECOND
    assert bench.knock("udp", (R2, 9), external) == "translated"
    assert bench.answer("udp", HOST, (R2, 9)) == "translated"
    for _ in range(4):
        bench.now += 299 * SECOND
        assert bench.knock("udp", (R2, 9), external) == "translated"


@pytest.mark.parametrize("late", [-1, 0])
def test_an_expired_session_does_not_permit_its_address(engine: Engine, late: int) -> None:
    """Address-dependent filtering on a mapping that lives on by another session."""
    bench = Bench(engine, "restricted-cone")
    external = bench.open("udp", HOST, (R2, 80))
    bench.now = 10 * SECOND
    bench.open("udp", HOST, (R1, 80))
    bench.now = 200 * SECOND
    bench.open("udp", HOST, (R2, 80))
    bench.now = 310 * SECOND + late
    verdict = bench.knock("udp", (R1, 99), external)
    assert verdict == ("translated" if late else "filtered")


def test_errors_neither_refresh_nor_end_a_session(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 299 * SECOND
    inbound = error(R3, EXTERNAL, udp(external, (R1, 80)))
    outbound = error(INSIDE, R1, udp((R1, 80), HOST))
    before = bench.sessions()
    assert bench.send(inbound) == bench.send(outbound) == "translated"
    assert bench.sessions() == before
    bench.now = 300 * SECOND - 1
    assert bench.send(inbound) == bench.send(outbound) == "translated"
    assert bench.reply("udp", (R1, 80), external) == "translated"
    bench.now = 600 * SECOND - 1
    assert bench.send(inbound) == bench.send(outbound) == "no-session"


def test_the_last_session_takes_its_mapping_along(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 200 * SECOND
    assert bench.open("udp", HOST, (R2, 80)) == external
    bench.now = 301 * SECOND + 24
    bench.expire()
    assert [(row.sessions, row.age) for row in bench.mappings()] == [(1, 301)]
    assert bench.knock("udp", (R3, 1), external) == "translated"


def test_a_clock_that_goes_back_stands_still(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.now = 1000 * SECOND
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 0
    assert bench.reply("udp", (R1, 80), external) == "translated"
    bench.expire()
    bench.now = 1300 * SECOND - 1
    assert bench.knock("udp", (R2, 80), external) == "translated"
    bench = Bench(engine, "full-cone")
    bench.now = 1000 * SECOND
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 1300 * SECOND
    assert bench.try_open("udp", (OTHER, 1), (R1, 80)) == "translated"
    bench.now = 1299 * SECOND
    assert bench.reply("udp", (R1, 80), external) == "no-mapping"


def test_expire_ends_no_more_than_its_budget(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 26):
        bench.open("udp", (INSIDE, port), (R1, 80))
        bench.open("icmp", (INSIDE, port), (R1, 0))
    assert bench.nat.expire(59 * SECOND) == 0
    bench.now = 400 * SECOND
    assert [bench.nat.expire(bench.now, 20) for _ in range(4)] == [20, 20, 10, 0]
    assert bench.is_empty()


def test_a_sweep_leaves_nothing_that_expired_a_second_and_a_bit_ago(engine: Engine) -> None:
    """1,024 ms: sessions move within their timer's order only when they enter another one."""
    bench = Bench(engine, "full-cone")
    used = {}
    for port in range(1, 60):
        used[port] = bench.now = port * 37
        bench.open("udp", (INSIDE, port), (R1, 80))
    for port in range(1, 60, 3):
        used[port] = bench.now = 3000 + port * 41
        bench.open("udp", (INSIDE, port), (R1, 80))
    for bench.now in range(300 * SECOND, 308 * SECOND, 100):
        bench.expire()
        ages = [bench.now - last for last in used.values()]
        left = bench.nat.usage()["sessions"]
        assert sum(age < 300_000 for age in ages) <= left
        assert left <= sum(age < 300_000 + 1024 for age in ages)
    assert bench.is_empty()


def test_rows_tell_age_and_time_left_in_whole_seconds(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", HOST, (R1, 80))
    bench.now = 12_999
    assert (bench.mappings()[0].age, bench.sessions()[0].expires) == (12, 287)
    bench.now = 300 * SECOND
    assert bench.sessions() == []
