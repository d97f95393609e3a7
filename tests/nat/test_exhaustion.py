"""The last free port, refusals when there is none, limits, and room again after expiry."""

from typing import Any

import pytest

from support.bench import EXTERNAL, INSIDE, OTHER, PROTOCOLS, R1, R2, SECOND, Bench
from support.flavours import Engine, load

PRESETS = tuple(load("interpreted").PRESETS)
EVERY = pytest.mark.parametrize("preset", PRESETS)
REMOTE = (R1, 80)
ALL_PORTS = 64512
MANY = {"mappings": 70_000, "sessions": 70_000}


def fill(bench: Bench, count: int, protocol: str = "udp") -> list[int]:
    """Open a session toward REMOTE from `count` internal endpoints; their external ports."""
    remote = (R1, 0 if protocol == "icmp" else 80)
    hosts = ((f"192.168.1.{1 + n % 4}", 1 + n // 4) for n in range(count))
    return [bench.open(protocol, host, remote)[1] for host in hosts]


@EVERY
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_permitted_port_is_found_and_then_the_next_flow_is_refused(
    engine: Engine, preset: str, protocol: str
) -> None:
    bench = Bench(engine, preset, ports="1024,3000-3037,65535")
    ports = fill(bench, 40, protocol)
    assert sorted(ports) == [1024, *range(3000, 3038), 65535]
    assert bench.nat.usage()["ports"][protocol] == {"used": 40, "total": 40}
    remote = (R1, 0 if protocol == "icmp" else 80)
    assert bench.try_open(protocol, (OTHER, 9999), remote) == "no-port"
    assert bench.dropped() == {"no-port": 1}
    assert bench.reply(protocol, remote, (EXTERNAL, ports[7])) == "translated"
    assert bench.seen().destination == ("192.168.1.4", 2)


@EVERY
def test_the_last_of_all_64512_ports_is_found(preset: str) -> None:
    """Compiled only, for its time; the source's choice is the same (test_flavours.py)."""
    bench = Bench(load("compiled"), preset, "1024-65535", limits=MANY)
    ports = fill(bench, ALL_PORTS)
    assert len(set(ports)) == ALL_PORTS
    assert (min(ports), max(ports)) == (1024, 65535)
    assert bench.try_open("udp", ("192.168.1.9", 1), REMOTE) == "no-port"


@EVERY
def test_the_port_that_expires_alone_is_the_one_found(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000-5029")
    ports = fill(bench, 30)
    bench.now = 299 * SECOND
    for n in (n for n in range(30) if n != 17):
        bench.open("udp", (f"192.168.1.{1 + n % 4}", 1 + n // 4), REMOTE)
    bench.now = 302 * SECOND
    bench.expire()
    assert bench.nat.usage()["ports"]["udp"]["used"] == 29
    assert bench.open("udp", (OTHER, 9999), REMOTE) == (EXTERNAL, ports[17])


@EVERY
def test_ports_of_expired_mappings_are_free_although_nothing_swept(
    engine: Engine, preset: str
) -> None:
    bench = Bench(engine, preset, ports="5000-5003")
    fill(bench, 4)
    bench.now = 302 * SECOND
    assert bench.try_open("udp", (OTHER, 9999), REMOTE) == "translated"


LIMITS = {
    "mapping-limit": {"mappings": 10},
    "session-limit": {"sessions": 10},
}


@pytest.mark.parametrize("reason", LIMITS)
def test_at_a_limit_new_flows_are_refused_and_live_ones_untouched(
    engine: Engine, reason: str
) -> None:
    bench = Bench(engine, "full-cone", limits=LIMITS[reason])
    ports = fill(bench, 10)
    assert bench.try_open("udp", (OTHER, 9999), REMOTE) == reason
    assert bench.try_open("tcp", (OTHER, 9999), REMOTE) == reason
    assert bench.dropped() == {reason: 2}
    assert [row.external_port for row in bench.mappings()] == ports
    assert all(bench.reply("udp", REMOTE, (EXTERNAL, p)) == "translated" for p in ports)
    bench.now = 302 * SECOND
    bench.expire()
    assert bench.is_empty()
    assert len(fill(bench, 10)) == 10
    assert bench.try_open("udp", (OTHER, 9999), REMOTE) == reason


@pytest.mark.parametrize("reason", LIMITS)
def test_expired_rows_make_room_although_nothing_swept(engine: Engine, reason: str) -> None:
    bench = Bench(engine, "full-cone", limits=LIMITS[reason])
    fill(bench, 10)
    bench.now = 302 * SECOND
    assert bench.try_open("udp", (OTHER, 9999), REMOTE) == "translated"


def test_the_mapping_limit_leaves_more_sessions_of_one_mapping(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"mappings": 1})
    external = bench.open("udp", (INSIDE, 4000), REMOTE)
    assert bench.open("udp", (INSIDE, 4000), (R2, 80)) == external
    assert bench.try_open("udp", (INSIDE, 4001), (R2, 80)) == "mapping-limit"


HOST_LIMITS = {"mappings": {"host_mappings": 10}, "sessions": {"host_sessions": 10}}


@pytest.mark.parametrize("of", HOST_LIMITS)
def test_at_its_own_limit_a_host_is_refused_and_others_are_not(engine: Engine, of: str) -> None:
    """RFC 6888 REQ-4."""
    bench = Bench(engine, "full-cone", limits=HOST_LIMITS[of])
    for port in range(1, 11):
        bench.open("udp", (INSIDE, port), REMOTE)
    assert bench.try_open("udp", (INSIDE, 11), REMOTE) == "host-limit"
    assert bench.try_open("tcp", (INSIDE, 11), REMOTE) == "host-limit"
    again = bench.try_open("udp", (INSIDE, 1), (R2, 80))
    assert again == ("translated" if of == "mappings" else "host-limit")
    assert bench.try_open("udp", (INSIDE, 1), REMOTE) == "translated"
    assert bench.try_open("udp", (OTHER, 11), REMOTE) == "translated"


@pytest.mark.parametrize("of", HOST_LIMITS)
@pytest.mark.parametrize("late", [-1, 0])
def test_what_expired_does_not_count_against_a_host_although_nothing_swept(
    engine: Engine, of: str, late: int
) -> None:
    bench = Bench(engine, "full-cone", limits=HOST_LIMITS[of])
    for port in range(1, 11):
        bench.open("udp", (INSIDE, port), REMOTE)
    bench.now = 300 * SECOND + late
    expected = "host-limit" if late else "translated"
    assert bench.try_open("udp", (INSIDE, 11), REMOTE) == expected


def test_sessions_from_outside_do_not_count_against_the_host(engine: Engine) -> None:
    """Else strangers could keep a host from opening any."""
    bench = Bench(engine, "full-cone", limits={"host_sessions": 3})
    external = bench.open("udp", (INSIDE, 4000), REMOTE)
    for port in range(1, 10):
        assert bench.knock("udp", (R2, port), external) == "translated"
    assert bench.try_open("udp", (INSIDE, 4001), REMOTE) == "translated"
    assert bench.try_open("udp", (INSIDE, 4002), REMOTE) == "translated"
    assert bench.try_open("udp", (INSIDE, 4003), REMOTE) == "host-limit"


def test_a_host_opens_as_many_sessions_a_second_as_it_may(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"host_rate": 2})
    verdicts: list[str] = []
    for bench.now in (0, 0, 0, 499, 500, 500, 2000, 2000, 2000):
        verdicts.append(bench.try_open("udp", (INSIDE, 1 + len(verdicts)), REMOTE))
    assert verdicts == [
        *("translated", "translated", "host-rate", "host-rate"),
        *("translated", "host-rate", "translated", "translated", "host-rate"),
    ]
    assert bench.try_open("udp", (INSIDE, 1), REMOTE) == "translated"  # opens nothing
    assert bench.try_open("udp", (OTHER, 1), REMOTE) == "translated"


def preserving(engine: Engine, filtering: str) -> Any:
    """Endpoint-independent mapping that keeps the internal port where it can."""
    module = engine.modules["nat.rules.behaviour"]
    kind = (module.Mapping.EIM, module.Filtering[filtering])
    return engine.Behaviour(*kind, selection=module.Selection.PRESERVE)


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
@pytest.mark.parametrize(("rest", "late"), [(120, -1), (120, 0), (7, -1), (7, 0)])
def test_a_port_open_to_everybody_rests_after_its_last_mapping(
    engine: Engine, protocol: str, rest: int, late: int
) -> None:
    """RFC 6888 REQ-8: so that packets for its last user do not reach the next one."""
    timeouts = {"udp": 10, "icmp": 10, "rest": rest}
    bench = Bench(engine, timeouts=timeouts, **{protocol: preserving(engine, "EIF")})
    remote = (R1, 0 if protocol == "icmp" else 80)
    assert bench.open(protocol, (INSIDE, 10_007), remote) == (EXTERNAL, 10_007)
    bench.now = 12 * SECOND
    bench.expire()
    assert bench.is_empty()
    assert bench.knock(protocol, remote, (EXTERNAL, 10_007)) == "no-mapping"
    bench.now = (10 + rest) * SECOND + late  # from when it expired, not from the sweep
    external = bench.open(protocol, (OTHER, 10_007), remote)
    assert (external == (EXTERNAL, 10_007)) == (late == 0)


@pytest.mark.parametrize(
    ("protocol", "filtering", "rest"),
    [("tcp", "EIF", 120), ("udp", "ADF", 120), ("udp", "APDF", 120), ("udp", "EIF", 0)],
)
def test_a_port_rests_no_longer_than_it_needs_to(
    engine: Engine, protocol: str, filtering: str, rest: int
) -> None:
    """RFC 6888 REQ-8 A and C: connections are tracked, and a filter keeps late packets out."""
    timeouts = {"udp": 10, "tcp_opening": 10, "rest": rest}
    bench = Bench(engine, timeouts=timeouts, **{protocol: preserving(engine, filtering)})
    assert bench.open(protocol, (INSIDE, 10_007), REMOTE) == (EXTERNAL, 10_007)
    bench.now = 12 * SECOND
    bench.expire()
    assert bench.open(protocol, (OTHER, 10_007), REMOTE) == (EXTERNAL, 10_007)


def test_ports_that_rest_are_used_when_no_other_is_left_the_longest_rested_first(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone", ports="5000-5019", timeouts={"udp": 1})
    ports = []
    for turn in range(40):
        ports.append(bench.open("udp", (INSIDE, 1 + turn), REMOTE)[1])
        bench.now += 2 * SECOND
        bench.expire()
    assert sorted(ports[:20]) == list(range(5000, 5020))
    assert ports[20:] == ports[:20]


def test_a_host_without_room_in_its_block_ends_no_rest_of_another_hosts_ports(
    engine: Engine,
) -> None:
    """What rests there is of no use to it, and still a danger to the next user."""
    bench = Bench(
        engine,
        "full-cone",
        ports="5000-5127",
        timeouts={"udp": 10},
        port_block=64,
        blocks_per_host=1,
    )
    used = {bench.open("udp", (OTHER, port), REMOTE)[1] for port in range(1, 63)}
    bench.now = 5 * SECOND
    kept = bench.open("udp", (OTHER, 1), REMOTE)[1]
    bench.now = 12 * SECOND
    bench.expire()
    for port in range(1, 65):
        bench.open("udp", (INSIDE, port), REMOTE)
    assert bench.try_open("udp", (INSIDE, 65), REMOTE) == "no-port"
    assert bench.open("udp", (OTHER, 1), REMOTE)[1] == kept
    unused = {bench.open("udp", (OTHER, port), REMOTE)[1] for port in (100, 101)}
    assert not unused & used


def test_outsiders_open_at_most_the_inbound_limit(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"inbound_sessions": 5})
    external = bench.open("udp", (INSIDE, 4000), REMOTE)
    verdicts = [bench.knock("udp", (R2, port), external) for port in range(1, 10)]
    assert verdicts == ["translated"] * 5 + ["inbound-limit"] * 4
    assert bench.dropped() == {"inbound-limit": 4}
    assert bench.nat.usage()["inbound_sessions"] == 5
    # Those who have a session, and the inside, go on.
    assert bench.knock("udp", (R2, 3), external) == "translated"
    assert bench.try_open("udp", (INSIDE, 4000), (R2, 9)) == "translated"
    assert bench.try_open("udp", (OTHER, 4000), (R2, 9)) == "translated"
    bench.now = 200 * SECOND
    bench.open("udp", (INSIDE, 4000), REMOTE)
    bench.now = 302 * SECOND
    bench.expire()
    assert bench.nat.usage()["inbound_sessions"] == 0
    assert bench.knock("udp", (R2, 8), external) == "translated"


def test_the_session_limit_holds_for_outsiders_too(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"sessions": 4})
    external = [bench.open("udp", (INSIDE, 4000 + n), REMOTE) for n in range(3)][0]
    verdicts = [bench.knock("udp", (R2, port), external) for port in range(1, 3)]
    assert verdicts == ["translated", "session-limit"]


@pytest.mark.parametrize("table", ["mappings", "sessions"])
def test_outsiders_have_half_of_a_table_at_most(engine: Engine, table: str) -> None:
    bench = Bench(engine, "full-cone", limits={table: 6})
    external = bench.open("udp", (INSIDE, 4000), REMOTE)
    verdicts = [bench.knock("udp", (R2, port), external) for port in range(1, 6)]
    assert verdicts == ["translated"] * 3 + ["inbound-limit"] * 2


@EVERY
def test_everything_is_given_back_when_all_has_expired(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000-5020")
    for turn in range(3):
        for n in range(1, 60):
            for protocol in PROTOCOLS:
                remote = (f"198.51.100.{n % 7}", 0 if protocol == "icmp" else n)
                bench.try_open(protocol, (f"192.168.1.{n % 11}", 4000 + n), remote)
                bench.knock(protocol, remote, (EXTERNAL, 5000 + n % 21))
        assert not bench.is_empty()
        bench.now = (turn + 1) * 8000 * SECOND
        bench.expire()
        assert bench.is_empty()
        assert bench.mappings() == bench.sessions() == []


def test_limits_and_totals_are_shown_beside_what_is_used(engine: Engine) -> None:
    limits = {"mappings": 7, "sessions": 8, "inbound_sessions": 2}
    bench = Bench(engine, "full-cone", ports="5000-5009", limits=limits)
    external = bench.open("udp", (INSIDE, 4000), REMOTE)
    bench.knock("udp", (R2, 1), external)
    usage: dict[str, Any] = bench.nat.usage()
    assert {name: usage["limits"][name] for name in limits} == limits
    assert (usage["mappings"], usage["sessions"], usage["inbound_sessions"]) == (1, 2, 1)
    assert usage["ports"]["udp"] == {"used": 1, "total": 10}
