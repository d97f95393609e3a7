"""When there is no room, flows of hosts that nothing has answered make some (flow_eviction.py)."""

import pytest

from support.availability import become
from support.flavours import Engine
from support.flood import HONEST, Flood
from support.site import SEED, V4, V6, Site, settings
from support.wire import packet, tcp

FAR = (V4.remotes[0], 80)
A, B = V4.hosts[:2]
PATIENCE = 2_000
# The type, its ports and the flood's packets a second: as 64,512 ports to 20,000, and 240 ports.
LINES = [
    ("port-restricted-cone", "10000-10644", 200),
    ("symmetric", "10000-10644", 200),
    ("quasi-restricted-cone", "10000-10239", 600),
]


def site_of(
    engine: Engine, ports: str = "10000-10007", way: str = "eim/apdf", **more: object
) -> Site:
    return Site(engine, way, ports=ports, timeouts={"unanswered": 2}, **more)


def fill(site: Site, host: str = A, count: int = 8, first: int = 1000) -> list[str]:
    return [site.attempt("udp", (host, first + n), FAR) for n in range(count)]


def become_known(site: Site, host: str) -> None:
    external = site.open("udp", (host, 999), FAR)
    assert site.answer("udp", FAR, external) == "translated"


@pytest.mark.parametrize(
    "way", ["eim/apdf", "eim/eif", "adm/adf", "apdm/apdf+overload", "symmetric"]
)
def test_an_unanswered_host_makes_room_for_another_after_its_time(engine: Engine, way: str) -> None:
    site = site_of(engine, way=way)
    assert fill(site) == ["translated"] * 8
    site.now = (PATIENCE >> 6) - 1
    assert fill(site, B, 1) == ["no-port"]
    site.now = PATIENCE
    assert fill(site, B, 6) == ["translated"] * 6
    assert site.nat.counters()["gave_way"] == 6
    assert sorted(row.internal for row in site.mappings()) == [A] * 2 + [B] * 6


def test_a_quarter_each_waits_for_the_whole_time_and_for_parts_of_it(engine: Engine) -> None:
    """Were all to wait as long as the slowest answer takes, few ports would hardly ever be free."""
    site = site_of(engine)
    fill(site)
    left = []
    for shift in (6, 4, 2, 0):
        site.now = PATIENCE >> shift
        fill(site, B, 8, 2000 + 100 * shift)
        left.append(sum(row.internal == A for row in site.mappings()))
    assert left == [6, 4, 2, 0]


def test_a_host_that_has_used_up_its_blocks_makes_room_itself(engine: Engine) -> None:
    """Nobody else's flow would help."""
    site = site_of(engine, port_block=4, blocks_per_host=1)
    fill(site, A, 4)
    fill(site, B, 4)
    site.now = PATIENCE
    assert fill(site, A, 3, 2000) == ["translated"] * 3
    assert [row.internal for row in site.mappings()].count(B) == 4
    # A third host needs a block of its own, that is, all flows of another.
    site.now += PATIENCE
    for n in range(40):
        if site.attempt("udp", (V4.hosts[2], 3000 + n), FAR) == "translated":
            break
    else:
        pytest.fail("no block for the third host")


def test_for_a_host_that_waits_for_its_address_nobody_makes_room(engine: Engine) -> None:
    """It would get nothing by it."""
    pool: dict[str, str | None] = dict.fromkeys((V4.external, V4.other_external), "10000-10007")
    site = Site(engine, externals=pool, timeouts={"unanswered": 2})
    (lost, _) = site.open("udp", (A, 1000), FAR)
    become(site, LOST=(lost,))
    fill(site, B)
    site.now = PATIENCE
    assert fill(site, A, 20, 2000) == ["address-lost"] * 20
    assert site.nat.counters()["gave_way"] == 0


def test_for_a_host_that_was_answered_it_makes_room_at_once(engine: Engine) -> None:
    site = site_of(engine)
    become_known(site, B)
    assert fill(site) == ["translated"] * 7 + ["no-port"]
    assert fill(site, B, 5) == ["translated"] * 5
    assert sorted(row.internal for row in site.mappings()) == [A] * 2 + [B] * 6


def test_nothing_of_a_host_that_was_answered_makes_room(engine: Engine) -> None:
    site = site_of(engine)
    become_known(site, A)
    assert fill(site, A, 7) == ["translated"] * 7
    site.now = 100_000
    assert fill(site, B, 2) == ["no-port"] * 2
    assert site.nat.counters()["gave_way"] == 0
    assert {row.internal for row in site.mappings()} == {A}


def test_while_there_is_room_nobody_makes_any(engine: Engine) -> None:
    site = site_of(engine, ports="10000-10015")
    fill(site)
    site.now = 200_000
    fill(site, B)
    assert len(site.mappings()) == 16


def test_0_is_never(engine: Engine) -> None:
    site = Site(engine, ports="10000-10007", timeouts={"unanswered": 0})
    fill(site)
    site.now = 200_000
    assert fill(site, B, 1) == ["no-port"]


def test_an_answer_from_inside_to_an_outsider_counts_as_well(engine: Engine) -> None:
    site = site_of(engine, way="eim/eif")
    external = site.open("udp", (A, 1000), FAR)
    stranger = (V4.remotes[5], 9)
    assert site.answer("udp", stranger, external) == "translated"
    fill(site, A, 7, 1001)
    site.now = PATIENCE
    assert fill(site, B, 1) == ["translated"]  # the stranger's word alone is none
    site = site_of(engine, way="eim/eif")
    external = site.open("udp", (A, 1000), FAR)
    assert site.answer("udp", stranger, external) == "translated"
    site.open("udp", (A, 1000), stranger)
    fill(site, A, 7, 1001)
    site.now = PATIENCE
    assert fill(site, B, 1) == ["no-port"]


def test_a_host_is_known_no_longer_than_its_answered_flows_last(engine: Engine) -> None:
    site = site_of(engine)
    become_known(site, A)
    site.now = 299_000
    fill(site, A, 7)
    site.now = 302_000
    assert fill(site, B, 5) == ["translated"] * 5


@pytest.mark.parametrize("limit", ["mappings", "sessions"])
def test_the_tables_are_made_room_in_too(engine: Engine, limit: str) -> None:
    site = site_of(engine, ports="10000-19999", limits={limit: 8})
    assert fill(site, A, 9) == ["translated"] * 8 + [limit[:-1] + "-limit"]
    site.now = PATIENCE
    assert fill(site, B, 5) == ["translated"] * 5
    assert site.nat.counters()["gave_way"] == 5


def test_what_was_made_room_of_is_given_back_whole(engine: Engine) -> None:
    for way in ("eim/eif", "adm/adf", "apdm/apdf+overload+sticky"):
        site = site_of(engine, way=way)
        for round_ in range(20):
            site.now += PATIENCE
            fill(site, V4.hosts[round_ % 10], 4, 1000 + 10 * round_)
        site.now += 1_000_000
        site.expire()
        assert site.is_empty()


def test_a_syn_flood_at_a_forward_leaves_room_for_who_answers(engine: Engine) -> None:
    """Forged SYNs that the server answers hold no session longer than a handshake takes."""
    forward = f"tcp:80={A}:80"
    site = Site(
        engine, forwards=(forward,), limits={"inbound_sessions": 32}, timeouts={"unanswered": 2}
    )
    served = (V4.external, 80)
    host = (A, 80)

    def call(n: int) -> str:
        caller = (V4.remotes[n % 100], 1024 + n)
        verdict = site.send(tcp(caller, served, "S"))
        if verdict == "translated":
            site.passes(tcp(host, caller, "SA"))
        return verdict

    assert [call(n) for n in range(33)] == ["translated"] * 32 + ["inbound-limit"]
    established = 0
    for n in range(100, 400):
        site.now += 200
        honest = n % 10 == 0
        if call(n) == "translated" and honest:
            site.passes(tcp((V4.remotes[n % 100], 1024 + n), served, "A"))
            established += 1
    assert established >= 20
    # Those that are established stay.
    site.now += 100_000
    for n in range(500, 600):
        call(n)
    assert [row.state for row in site.sessions()].count("established") == established


def test_an_answered_syn_alone_lasts_the_opening_time(engine: Engine) -> None:
    site = Site(engine, forwards=(f"tcp:80={A}:80",))
    caller = (V4.remotes[0], 1024)
    site.passes(tcp(caller, (V4.external, 80), "S"))
    site.passes(tcp((A, 80), caller, "SA"))
    (row,) = site.sessions()
    assert (row.state, row.expires) == ("server-acked", 240)


@pytest.mark.parametrize(("way", "ports", "rate"), LINES)
def test_honest_hosts_open_flows_under_a_flood_of_forged_ones(
    engine: Engine, way: str, ports: str, rate: int
) -> None:
    limits = {"mappings": 10_000, "sessions": 10_000}
    nat = engine.Nat(
        settings(engine, way, ports=ports, timeouts={"unanswered": 2}, limits=limits), SEED
    )
    flood = Flood(nat, rate)
    known, late = HONEST[:20], HONEST[20:40]
    flood.rate = 0
    assert flood.run(known, 1, 4000) == 20
    flood.rate = rate
    assert flood.run(known, 3) == 60
    opened = flood.run(late, 2, 7000)
    # Those that come while it runs: the oldest of some candidates is rarely too young.
    assert opened >= 38


def test_where_ports_are_very_few_new_hosts_have_a_chance(engine: Engine) -> None:
    """As 240 ports and 19,000 packets a second: 13 ms for each port, and an answer takes 20."""
    nat = engine.Nat(settings(engine, ports="10000-10015", timeouts={"unanswered": 2}), SEED)
    flood = Flood(nat, 1300, delay=20)
    flood.run((), 2)
    # With 2 s for all, 8 of 1,400 packets a second would be served.
    assert flood.run(HONEST, 3) >= 15


def test_the_table_of_hosts_is_bounded_under_a_flood(engine: Engine) -> None:
    nat = engine.Nat(settings(engine, ports="10000-10239", timeouts={"unanswered": 2}), SEED)
    flood = Flood(nat, 500)
    flood.run((), 3)
    usage = nat.usage()
    assert usage["hosts"] <= usage["mappings"] + 1 <= 241
    assert nat.counters()["gave_way"] > 0


@pytest.mark.parametrize("way", ["eim/apdf", "apdm/apdf+overload"])
def test_a_host_has_its_share_of_what_there_is(engine: Engine, way: str) -> None:
    limits = {"mappings": 200, "sessions": 400, "host_share": 75}
    site = Site(engine, way, ports="10000-10009", limits=limits)
    is_shared = "overload" in way
    most = 150 if is_shared else 8  # 7.5 ports, rounded up
    fars = [(remote, 80) for remote in V4.remotes[:20]] if is_shared else [FAR]
    flows = [(1000 + n, far) for n in range(10) for far in fars]
    for protocol in ("udp", "tcp"):
        got = [site.attempt(protocol, (A, port), far) for port, far in flows]
        assert got.count("translated") == most
        assert set(got[most:]) == {"host-limit"}
        if is_shared:
            break
    assert site.nat.usage()["limits"]["host_mappings"]["udp"] == most
    assert packet is not None


def test_a_share_of_100_is_no_limit(engine: Engine) -> None:
    site = Site(engine, ports="10000-10009", limits={"host_share": 100})
    assert fill(site, A, 11) == ["translated"] * 10 + ["no-port"]


def test_a_host_without_an_address_of_its_version_evicts_nobody(engine: Engine) -> None:
    """No room that others make would help it, neither with ports left nor with a full table."""
    for limits in ({}, {"mappings": 8}):
        site = Site(
            engine,
            "eim/apdf",
            externals={V4.external: "10000-10099"},
            timeouts={"unanswered": 2},
            limits=limits,
        )
        assert fill(site) == ["translated"] * 8
        site.now = PATIENCE
        refused = {
            site.attempt("udp", (V6.hosts[0], 3000 + n), (V6.remotes[0], 80)) for n in range(100)
        }
        assert "translated" not in refused
        assert site.nat.counters()["gave_way"] == 0
        assert len(site.mappings()) == 8


def test_a_host_with_its_block_on_an_address_that_was_given_up_evicts_nobody(
    engine: Engine,
) -> None:
    """It may have no other block, and what was searched for another host is nothing to it."""
    site = Site(
        engine,
        "eim/apdf",
        externals={V4.external: "10000-10031", "203.0.113.77": "10000-10031"},
        timeouts={"unanswered": 2},
        port_block=8,
        blocks_per_host=1,
    )
    hosts = [f"192.168.1.{n}" for n in range(10, 16)]
    place = {host: site.open("udp", (host, 1000), FAR)[0] for host in hosts}
    (paired, *_) = hosts
    other = next(host for host in hosts if place[host] != place[paired])
    become(site, GIVEN_UP=(place[paired],))
    assert fill(site, other, 7, first=2000) == ["translated"] * 7
    site.now = PATIENCE
    assert fill(site, paired, 1, first=3000) == ["no-port"]
    assert site.nat.counters()["gave_way"] == 0
