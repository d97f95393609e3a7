"""No packet makes the engine work for long: the last free port is found as fast as the first, and
what expired at once is not all ended at once."""

from itertools import product
from typing import Any

import pytest

from support import packets
from support.bench import INSIDE, OTHER, R1, R2, SECOND, Bench
from support.flavours import Engine, load
from support.packets import Endpoint
from support.site import V4, Site
from support.wire import packet
from support.work import lines_run

ROOM = 32
LOOKED_AT = 64
HOST = V4.hosts[0]
REMOTE = (V4.remotes[0], 80)
WAYS = [
    f"apdm/apdf+{sharing}+{selection}{parity}"
    for sharing, selection, parity in product(
        ("exclusive", "overload", "distinct"),
        ("preserve", "random", "sequential"),
        ("", "+parity"),
    )
]
# 640 ports: of each parity enough to fill words.
SETS: dict[str, dict[str, Any]] = {
    "a range": {"ports": "2000-2639"},
    "ranges": {"ports": ",".join(f"{n}-{n + 15}" for n in range(4096, 44096, 1000))},
    "blocks": {"ports": "2000-2639", "port_block": 160},
    "computed": {
        "externals": {V4.external: "2000-3279"},
        "internal": (f"{HOST}/31",),
        "deterministic": True,
    },
}


def work(site: Site, source: Endpoint, remote: Endpoint, expected: str) -> int:
    """The lines of Python run for a packet from inside."""
    buffer = bytearray(packet("udp", source, remote))
    codes: list[int] = []
    count = lines_run(lambda: codes.append(site.nat.translate(buffer, site.now)))
    assert site.engine.REASONS[codes[0]].name == expected
    return count


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("way", WAYS)
def test_the_last_free_port_takes_as_little_work_as_the_first(way: str, kind: str) -> None:
    """On the source, whose lines can be counted.

    Toward one remote every port is taken by one endpoint each; distinct ports by one endpoint
    toward many remotes.  Both may have had flows before, so that sequential ports go on from one.
    """
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    site = Site(load("interpreted"), way, limits=limits, **SETS[kind])
    flows = [((HOST, 3000 + 2 * n), REMOTE) for n in range(1280)]
    if "distinct" in way:
        flows = [((HOST, 3000), (REMOTE[0], 80 + n)) for n in range(1280)]
    # Ports of one parity are half of them; the others follow, and cost no more either.
    first = work(site, *flows[0], "translated")
    for n, flow in enumerate(flows[1:639]):
        if n == 318:
            assert work(site, *flow, "translated") < 4 * first
        else:
            site.open("udp", *flow)
    assert work(site, *flows[639], "translated") < 4 * first
    assert work(site, *flows[640], "no-port") < 6 * first


@pytest.mark.parametrize(("others", "expected"), [(319, "translated"), (320, "no-port")])
def test_a_host_and_a_remote_that_only_together_use_up_all_ports_cost_a_look_at_each_word(
    others: int, expected: str
) -> None:
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    way = "apdm/apdf+distinct+random"
    site = Site(load("interpreted"), way, ports="2000-2639", limits=limits)
    own = [site.open("udp", (HOST, 3000), (REMOTE[0], 1000 + n))[1] for n in range(320)]
    theirs = [site.open("udp", (V4.hosts[1], 3000 + n), REMOTE)[1] for n in range(others)]
    assert len({*own, *theirs}) == 320 + others
    assert work(site, (HOST, 3000), REMOTE, expected) < 6000


def test_many_full_addresses_are_soon_passed_over() -> None:
    externals: dict[str, str | None] = {f"203.0.113.{n}": "2000" for n in range(1, 101)}
    limits = {"mappings": 2048, "sessions": 2048, "icmp_errors": 0}
    site = Site(load("interpreted"), externals=externals, pooling="arbitrary", limits=limits)
    first = work(site, (HOST, 3000), REMOTE, "translated")
    for n in range(1, 99):
        site.open("udp", (HOST, 3000 + n), REMOTE)
    assert work(site, (HOST, 4000), REMOTE, "translated") < 100 * 12 + 2 * first
    assert work(site, (HOST, 4001), REMOTE, "no-port") < 2 * (100 * 12 + 2 * first)


def count(bench: Bench) -> int:
    return int(bench.nat.usage()["sessions"])


def fill(bench: Bench, host: str, flows: int, protocol: str = "udp") -> None:
    for n in range(flows):
        bench.open(protocol, (host, 1 + n), (R1, 80))


@pytest.mark.parametrize(
    ("limits", "ports"),
    [
        ({"sessions": 300}, "1024-1999"),
        ({"mappings": 300}, "1024-1999"),
        ({"host_sessions": 300}, "1024-1999"),
        ({"host_mappings": 300}, "1024-1999"),
        ({}, "1024-1323"),
    ],
)
def test_to_make_room_a_packet_ends_few_of_the_sessions_that_expired(
    engine: Engine, limits: dict[str, int], ports: str
) -> None:
    bench = Bench(engine, ports=ports, limits=limits)
    fill(bench, INSIDE, 300)
    bench.now = 302 * SECOND
    assert bench.try_open("udp", (INSIDE, 9999), (R1, 80)) == "translated"
    assert 301 - 2 * ROOM <= count(bench) <= 300


def test_a_host_that_is_refused_while_the_sweep_is_behind_finds_room_soon(engine: Engine) -> None:
    """What others left expires first."""
    bench = Bench(engine, limits={"host_sessions": 10})
    for n in range(50):
        fill(bench, f"192.168.1.{100 + n}", 10)
    fill(bench, INSIDE, 10)
    bench.now = 302 * SECOND
    verdicts = []
    while "translated" not in verdicts:
        verdicts.append(bench.try_open("udp", (INSIDE, 9999), (R1, 80)))
    assert set(verdicts[:-1]) <= {"host-limit"}
    assert len(verdicts) <= 500 // ROOM + 2


def test_a_port_that_is_wanted_need_not_wait_for_all_that_expired_first(engine: Engine) -> None:
    """All that there are have expired, but behind a great many sessions of other protocols."""
    bench = Bench(engine, ports="5000-5009", tcp="quasi-symmetric")
    for n in range(500):
        bench.open("tcp", (INSIDE, 1 + n), (f"198.51.100.{1 + n // 5}", 80))
    fill(bench, INSIDE, 10)
    bench.now = 302 * SECOND
    assert bench.try_open("udp", (OTHER, 9999), (R1, 80)) == "translated"
    assert count(bench) == 510 - ROOM


def test_a_mapping_with_many_expired_sessions_is_not_cleared_by_one_packet(engine: Engine) -> None:
    """Until the sweep has ended them all it lives, as if they had expired a moment later."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", (INSIDE, 4000), (R1, 1))
    for n in range(2, 201):
        bench.open("udp", (INSIDE, 4000), (R1, n))
    bench.now = 302 * SECOND
    assert bench.open("udp", (INSIDE, 4000), (R2, 1)) == external
    assert count(bench) == 201 - LOOKED_AT
    bench.expire()
    assert [row.remote for row in bench.sessions()] == [R2]


@pytest.mark.parametrize("sessions", [1, LOOKED_AT])
def test_a_mapping_with_few_expired_sessions_is_gone(engine: Engine, sessions: int) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", (INSIDE, 4000), (R1, 1))
    for n in range(2, sessions + 1):
        bench.open("udp", (INSIDE, 4000), (R1, n))
    bench.now = 302 * SECOND
    assert bench.open("udp", (INSIDE, 4000), (R2, 1)) != external
    assert count(bench) == 1


def test_a_call_between_hosts_ends_few_of_the_sessions_that_expired(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    fill(bench, INSIDE, 200)
    bench.now = 299 * SECOND
    external = bench.open("udp", (OTHER, 4000), (R1, 80))
    bench.now = 302 * SECOND
    assert bench.try_open("udp", (INSIDE, 9999), external) == "translated"
    assert count(bench) >= 200 - ROOM


@pytest.mark.parametrize("limits", [{"inbound_sessions": 150}, {"unanswered_sessions": 150}])
def test_a_strangers_packet_ends_few_of_the_sessions_that_expired(
    engine: Engine, limits: dict[str, int]
) -> None:
    bench = Bench(engine, "full-cone", limits=limits)
    external = bench.open("udp", (INSIDE, 4000), (R1, 80))
    for n in range(150):
        assert bench.knock("udp", (R2, 1 + n), external) == "translated"
    bench.now = 200 * SECOND
    bench.open("udp", (INSIDE, 4000), (R1, 80))
    bench.now = 302 * SECOND
    assert bench.knock("udp", (R2, 9999), external) == "translated"
    assert count(bench) == 152 - ROOM


@pytest.mark.parametrize("resting", [40, 200])
def test_ports_that_have_rested_are_unused_though_only_some_are_woken(
    engine: Engine, resting: int
) -> None:
    """They wake as they are needed, so none is ever missed."""
    bench = Bench(engine, "full-cone", ports=f"5000-{4999 + resting}", timeouts={"udp": 10})
    fill(bench, INSIDE, resting)
    bench.now = 12 * SECOND
    bench.expire()
    bench.now = 131 * SECOND
    given = {bench.open("udp", (OTHER, 1 + n), (R1, 80))[1] for n in range(resting)}
    assert len(given) == resting
    assert bench.send(packets.opening("udp", (OTHER, 9999), (R1, 80))) == "no-port"


def test_sessions_that_end_with_their_mapping_count_in_the_sweep(engine: Engine) -> None:
    """Outsiders can give each mapping very many; packets wait while they end."""
    site = Site(engine, "eim/eif", timeouts={"udp": 60})
    externals = [site.open("udp", (HOST, 1000 + n), REMOTE) for n in range(4)]
    for external in externals:
        for n in range(100):
            site.answer("udp", (V4.remotes[1], 1000 + n), external)
    site.now = 1_000_000
    assert 64 <= site.nat.expire(site.now, 64) <= 64 + 101
    assert site.nat.usage()["sessions"] >= 404 - 64 - 101
