"""Flows that are ended because somebody wants them to: which, how many at a time, what is left."""

from typing import Any

import pytest

from support.bench import INSIDE, OTHER, R1, R2, R3, SECOND, Bench
from support.filters import row_filter
from support.flavours import Engine
from support.noted import MAPPINGS, SESSIONS, endpoint, listening, taken
from support.packets import tcp
from support.site import V4, Site

HOST = (INSIDE, 4000)
FLOWS = (
    ("tcp", (INSIDE, 1), (R1, 80)),
    ("udp", (INSIDE, 2), (R1, 53)),
    ("udp", (OTHER, 3), (R2, 53)),
)
PAGE = 256
MOST_ENDED = 64


def flush(
    bench: Bench | Site, wanted: Any, by_remote: bool = False, began: int | None = None
) -> tuple[int, int, int]:
    """End what is wanted: how many mappings and sessions were, in how many pages."""
    mappings = sessions = start = pages = 0
    while start or not pages:
        ended = bench.nat.flush(
            start, PAGE, bench.now if began is None else began, bench.now, wanted, by_remote
        )
        mappings, sessions, start = mappings + ended[0], sessions + ended[1], ended[2]
        pages += 1
    return mappings, sessions, pages


def opened(engine: Engine, preset: str = "full-cone", **keywords: Any) -> Bench:
    """A bench with FLOWS, whose internal ports are 1, 2 and 3."""
    bench = Bench(engine, preset, **keywords)
    for flow in FLOWS:
        bench.open(*flow)
    return bench


def left(bench: Bench) -> list[int]:
    ports = [row.internal_port for row in bench.mappings()]
    assert ports == [row.internal_port for row in bench.sessions()]
    return ports


def test_all(engine: Engine) -> None:
    bench = opened(engine, "symmetric")
    assert flush(bench, row_filter(engine)) == (3, 3, 1)
    assert bench.is_empty()
    assert flush(bench, row_filter(engine)) == (0, 0, 1)
    for flow in FLOWS:
        bench.open(*flow)
    assert left(bench) == [3, 2, 1]


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"internal": (f"{INSIDE}/32", None)}, [3]),
        ({"internal": (None, 2)}, [1, 3]),
        ({"protocol": 1}, [1]),
        ({"protocol": 1, "internal": (INSIDE, None)}, [1, 3]),
        ({"external": ("203.0.113.2", None)}, [1, 2, 3]),
        ({"protocol": 5}, [1, 2, 3]),
    ],
)
def test_what_is_wanted_ends_and_the_others_live_on(
    keywords: dict[str, Any], expected: list[int], engine: Engine
) -> None:
    bench = opened(engine)
    before = {row.internal_port: row for row in bench.sessions()}
    mappings, sessions, _ = flush(bench, row_filter(engine, **keywords))
    assert (mappings, sessions) == (3 - len(expected),) * 2
    assert left(bench) == expected
    assert [row for row in bench.sessions()] == [before[port] for port in expected]
    for _, (_, port), remote in FLOWS:
        if port in expected:
            external = before[port].external, before[port].external_port
            assert bench.reply(before[port].protocol, remote, external) == "translated"


def test_of_a_remote_only_its_sessions_end(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 53))
    bench.open("udp", HOST, (R2, 53))
    bench.open("udp", (OTHER, 4000), (R1, 53))
    bench.knock("udp", (R1, 9), external)
    assert flush(bench, row_filter(engine, remote=(R1, None)), by_remote=True) == (1, 3, 1)
    assert [(row.internal, row.remote) for row in bench.sessions()] == [(INSIDE, R2)]
    assert bench.open("udp", HOST, (R1, 53)) == external


@pytest.mark.parametrize("preset", ["restricted-cone", "symmetric", "quasi-restricted-cone"])
def test_of_a_remote_the_mapping_ends_with_its_last_session(preset: str, engine: Engine) -> None:
    bench = Bench(engine, preset)
    bench.open("udp", HOST, (R1, 53))
    bench.open("udp", HOST, (R1, 54))
    wanted = row_filter(engine, remote=(R1, None))
    assert flush(bench, wanted, by_remote=True)[:2] == (2 if preset == "symmetric" else 1, 2)
    assert bench.is_empty()


def test_a_permission_ends_with_the_session_that_gave_it(engine: Engine) -> None:
    bench = Bench(engine, "restricted-cone")
    external = bench.open("udp", HOST, (R1, 53))
    bench.open("udp", HOST, (R2, 53))
    flush(bench, row_filter(engine, remote=(R1, None)), by_remote=True)
    assert bench.knock("udp", (R1, 9), external) == "filtered"
    assert bench.knock("udp", (R2, 9), external) == "translated"


def test_a_forward_can_be_flushed_and_serves_again(engine: Engine) -> None:
    site = Site(engine, "eim/eif", forwards=("udp:5000=192.168.1.10:50",))
    outside = (V4.external, 5000)
    for number in (1, 2, 3):
        assert site.admits("udp", (V4.remotes[number], 9), outside)
    assert flush(site, row_filter(engine)) == (1, 3, 1)
    assert site.is_empty()
    assert site.admits("udp", (V4.remotes[1], 9), outside)
    assert site.seen().destination == ("192.168.1.10", 50)


def test_a_port_rests_as_after_any_end(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", ports="5000-5001")
    given = []
    for host in range(4):
        given.append(bench.open("udp", (f"192.168.1.{20 + host}", 1), (R1, 53)))
        bench.now += SECOND
        flush(bench, row_filter(engine))
    assert given[0] != given[1]
    assert given[:2] == given[2:]


def test_a_connection_that_was_ended_is_not_taken_up_again(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.connect(HOST, (R1, 80))
    flush(bench, row_filter(engine))
    assert bench.send(tcp(HOST, (R1, 80), "A")) == "not-syn"
    assert bench.send(tcp((R1, 80), external, "A")) == "not-syn"
    bench.connect(HOST, (R1, 80))


def test_limits_have_room_again(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"host_sessions": 1, "unanswered_sessions": 1})
    external = bench.open("udp", HOST, (R1, 53))
    assert bench.knock("udp", (R2, 9), external) == "translated"
    assert bench.knock("udp", (R3, 9), external) == "inbound-limit"
    assert bench.try_open("udp", (INSIDE, 4001), (R1, 53)) == "host-limit"
    flush(bench, row_filter(engine))
    external = bench.open("udp", (INSIDE, 4001), (R1, 53))
    assert bench.knock("udp", (R3, 9), external) == "translated"


def test_a_page_ends_few_sessions_and_goes_on_with_the_same_mapping(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 151):
        bench.open("udp", HOST, (R1, port))
    for port in range(1, 151):
        bench.open("udp", (OTHER, port), (R1, 53))
    wanted = row_filter(engine)
    assert bench.nat.flush(0, PAGE, 0, 0, wanted, False) == (0, MOST_ENDED, 1)
    assert bench.nat.flush(1, PAGE, 0, 0, wanted, False) == (0, MOST_ENDED, 1)
    rest = 150 - 2 * MOST_ENDED
    others = MOST_ENDED - rest
    assert bench.nat.flush(1, PAGE, 0, 0, wanted, False) == (1 + others, MOST_ENDED, 1 + others)
    assert flush(bench, wanted)[:2] == (150 - others, 150 - others)
    assert bench.is_empty()


@pytest.mark.parametrize("by_remote", [False, True])
def test_a_page_looks_at_so_many_rows(by_remote: bool, engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 601):
        bench.open("udp", (INSIDE, port), (R1, 53))
    wanted = row_filter(engine, internal=(None, 600))
    assert flush(bench, wanted, by_remote) == (1, 1, 3)
    ended = row_filter(engine, internal=(None, 599))
    assert bench.nat.flush(0, 1000, 0, 0, ended, by_remote) == (1, 1, 0)


def test_sessions_of_a_remote_are_ended_in_pages(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    for port in range(1, 151):
        bench.open("udp", HOST, (R1 if port % 3 else R2, port))
    wanted = row_filter(engine, remote=(R1, None))
    assert bench.nat.flush(0, PAGE, 0, 0, wanted, True)[:2] == (0, MOST_ENDED)
    assert flush(bench, wanted, by_remote=True) == (0, 100 - MOST_ENDED, 1)
    assert {row.remote for row in bench.sessions()} == {R2}


def test_what_outsiders_began_goes_with_the_mapping(engine: Engine) -> None:
    bench = Bench(engine, "full-cone", limits={"unanswered_sessions": 200})
    external = bench.open("udp", HOST, (R1, 53))
    for port in range(1, 201):
        assert bench.knock("udp", (R2, port), external) == "translated"
    assert bench.nat.flush(0, PAGE, 0, 0, row_filter(engine), False)[:2] == (1, 201)
    assert bench.is_empty()


@pytest.mark.parametrize("by_remote", [False, True])
def test_what_begins_meanwhile_lives_on(by_remote: bool, engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", (INSIDE, 1), (R1, 53))
    bench.now = 10
    bench.open("udp", (INSIDE, 2), (R1, 53))
    bench.now = 11
    bench.open("udp", (INSIDE, 3), (R1, 53))
    assert flush(bench, row_filter(engine), by_remote, began=10)[:2] == (2, 2)
    assert left(bench) == [3]


def test_the_end_is_an_event_like_any_other(engine: Engine) -> None:
    bench = listening(engine, MAPPINGS | SESSIONS, "full-cone")
    external = bench.open("udp", HOST, (R1, 53))
    assert bench.reply("udp", (R1, 53), external) == "translated"
    taken(bench)
    bench.now = 7 * SECOND
    flush(bench, row_filter(engine))
    session, mapping = taken(bench)
    record = engine.modules["nat.events.event_record"]
    assert (session.kind, mapping.kind) == (record.SESSION_ENDED, record.MAPPING_REMOVED)
    for event in (session, mapping):
        assert (event.time, event.duration) == (7 * SECOND, 7 * SECOND)
        assert (event.packets_out, event.packets_in) == (1, 1)
        assert endpoint(bench, event.external_high, event.external_low, event.external_port) == (
            external
        )


def test_nothing_ends_before_its_last_packet(engine: Engine) -> None:
    """The question may be older than the packets that came before its turn."""
    bench = listening(engine, MAPPINGS | SESSIONS, "full-cone")
    bench.now = 5 * SECOND
    bench.open("udp", HOST, (R1, 53))
    bench.now = 9 * SECOND
    bench.open("udp", HOST, (R2, 53))
    taken(bench)
    bench.nat.flush(0, PAGE, 6 * SECOND, 6 * SECOND, row_filter(engine), False)
    ended = taken(bench)
    assert {event.time for event in ended} == {9 * SECOND}
    assert sorted(event.duration for event in ended) == [0, 4 * SECOND, 4 * SECOND]


def test_what_has_expired_ends_when_it_expired(engine: Engine) -> None:
    bench = listening(engine, MAPPINGS, "full-cone", timeouts={"udp": 10})
    bench.open("udp", HOST, (R1, 53))
    taken(bench)
    bench.now = 60 * SECOND
    flush(bench, row_filter(engine))
    (mapping,) = taken(bench)
    assert (mapping.time, mapping.duration) == (10 * SECOND, 10 * SECOND)
