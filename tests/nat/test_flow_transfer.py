"""Another NAT takes over: with the same settings nobody notices; with others, what they no longer
permit has ended."""

from itertools import product
from typing import Any

import pytest

from support.busy import BLOCKS, KINDS, TWO, busy
from support.flavours import Engine, load
from support.site import V4, V6, Site, settings
from support.wire import WITH_PORTS

OTHER_SEED = bytes(range(100, 180))


def hand_over(site: Site, **changed: Any) -> Any:
    """A NAT with changed settings takes over; its Transfer."""
    successor = site.engine.Nat(settings(site.engine, **changed), OTHER_SEED)
    moved = site.engine.modules["nat.handover.flow_transfer"].transfer(
        site.nat, successor, site.now
    )
    site.nat = successor
    return moved


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_with_the_same_settings_nobody_notices(engine: Engine, kind: dict[str, Any]) -> None:
    one, other = busy(engine, kind), busy(engine, kind)
    before = one.became()
    assert before == other.became()
    site, untouched = one.site, other.site
    usage, counters = site.nat.usage(), site.nat.counters()
    moved = hand_over(site, **kind)
    assert (moved.kept, moved.ended) == (usage["sessions"], 0)
    assert (site.nat.usage(), site.nat.counters()) == (usage, counters)
    assert site.nat.port_rows(0, 9, 0) == untouched.nat.port_rows(0, 9, 0)
    assert sorted(site.sessions()) == sorted(untouched.sessions())
    assert sorted(map(str, site.mappings())) == sorted(map(str, untouched.mappings()))
    after = one.became()
    assert after == other.became()
    assert [verdict for verdict, _ in after] == [verdict for verdict, _ in before]
    for seconds in (50, 100, 150, 3600, 7500):
        site.now = untouched.now = untouched.now + seconds * 1000
        site.expire()
        untouched.expire()
        assert sorted(site.sessions()) == sorted(untouched.sessions())
        assert site.nat.usage() == untouched.nat.usage()
    assert site.is_empty()


@pytest.mark.parametrize(
    ("flavour", "first"), [*product(("compiled",), KINDS), ("interpreted", "strangers")]
)
@pytest.mark.parametrize("then", KINDS)
def test_whatever_changes_all_comes_back_in_the_end(flavour: str, first: str, then: str) -> None:
    """No two flows have one 5-tuple on either side, and nothing is lost or counted twice."""
    site = busy(load(flavour), KINDS[first]).site
    sessions = site.nat.usage()["sessions"]
    moved = hand_over(site, **KINDS[then])
    assert moved.kept + moved.ended == sessions
    rows = site.sessions()
    assert len(rows) == moved.kept == site.nat.usage()["sessions"]
    assert len({(r.protocol, r.internal, r.internal_port, *r[5:7]) for r in rows}) == len(rows)
    assert len({(r.protocol, *r[3:7]) for r in rows}) == len(rows)
    assert sum(row.sessions for row in site.mappings()) == len(rows)
    for host in (*V4.hosts, *V6.hosts):
        site.attempt("udp", (host, 4000), ((V6 if ":" in host else V4).remotes[9], 80))
    site.now += 8000 * 1000
    site.expire()
    site.now += 8000 * 1000
    assert site.is_empty()


HOST, PEER = (V4.hosts[0], 4000), (V4.remotes[0], 80)
LAN = ("192.168.0.0/16",)
FULL = {"behaviour": "full-cone", "externals": {V4.external: "2000-2063"}, "internal": LAN}


@pytest.mark.parametrize(
    "changed",
    [
        {"internal": ("192.168.2.0/24",)},
        {"internal": (*LAN, "198.51.100.0/24")},
        {"externals": {V4.other_external: "2000-2063"}},
        {"externals": {V4.external: None}},
        {"externals": {V4.external: "3000-3009"}},
        {"no_nat": "198.51.100.0/24"},
        {"timeouts": {"udp": 5}},
        {"forwards": (f"udp:{V4.external}:2000-2063=192.168.1.11",)},
        {"deterministic": True, "internal": ("192.168.0.0/27",)},
    ],
    ids=str,
)
def test_what_is_no_longer_allowed_ends(engine: Engine, changed: dict[str, Any]) -> None:
    if "no_nat" in changed:
        changed = {
            "no_nat": (engine.modules["nat.settings.address_realm"].IPv4Network(changed["no_nat"]),)
        }
    site = Site(engine, **FULL)
    external = site.open("udp", HOST, PEER)
    site.now += 10_000
    moved = hand_over(site, **{**FULL, **changed})
    assert (moved.kept, moved.ended) == (0, 1)
    assert site.is_empty()
    if "forwards" not in changed:
        assert not site.admits("udp", PEER, external)


def test_what_ended_leaves_its_port_to_others(engine: Engine) -> None:
    site = Site(engine, ports="2000")
    site.open("udp", HOST, PEER)
    hand_over(site, ports="2000", internal=("192.168.1.16/28", "2001:db8:1::/48"))
    assert site.open("udp", (V4.hosts[9], 1), PEER) == (V4.external, 2000)


def test_a_longer_timeout_holds_for_flows_that_are_there(engine: Engine) -> None:
    site = Site(engine, timeouts={"udp": 30})
    external = site.open("udp", HOST, PEER)
    site.now += 20_000
    hand_over(site, timeouts={"udp": 300})
    site.now += 200_000
    assert site.answer("udp", PEER, external) == "translated"
    hand_over(site, timeouts={"udp": 10})
    site.now += 10_000
    assert site.answer("udp", PEER, external) != "translated"


def test_where_not_all_have_room_the_latest_used_go_on(engine: Engine) -> None:
    limits = {"mappings": 3, "sessions": 3, "inbound_sessions": 1}
    for few in (limits, {"host_mappings": 3}, {"host_sessions": 3}):
        site = Site(engine)
        for port in range(10):
            site.now += 2000
            site.open("udp", (HOST[0], port), PEER)
        moved = hand_over(site, limits=few)
        assert (moved.kept, moved.ended) == (3, 7)
        assert {row.internal_port for row in site.mappings()} == {7, 8, 9}


def test_a_behaviour_that_tells_more_remotes_apart_keeps_what_may_share_a_port(
    engine: Engine,
) -> None:
    for then, kept in (("apdm/apdf+overload", 3), ("apdm/apdf", 1), ("symmetric", 1)):
        site = Site(engine, "eim/apdf")
        for number in range(3):
            site.now += 2000
            external = site.open("udp", HOST, (V4.remotes[number], 80))
        assert hand_over(site, behaviour=then).kept == kept
        assert {(row.external, row.external_port) for row in site.mappings()} == {external}
        assert len(site.mappings()) == kept
        # The one used last is among them.
        assert site.open("udp", HOST, (V4.remotes[2], 80)) == external


def test_a_behaviour_that_tells_fewer_remotes_apart_keeps_the_port_used_last(
    engine: Engine,
) -> None:
    site = Site(engine, "symmetric")
    externals = []
    for number in range(3):
        site.now += 2000
        externals.append(site.open("udp", HOST, (V4.remotes[number], 80)))
    assert hand_over(site, behaviour="full-cone").kept == 1
    assert site.open("udp", HOST, (V4.remotes[0], 80)) == externals[-1]


def test_a_stricter_filter_ends_what_inside_has_not_answered(engine: Engine) -> None:
    for then, left in (("eim/eif", {1, 2, 3}), ("eim/adf", {1, 2}), ("eim/apdf", {2})):
        site = Site(engine, "eim/eif")
        external = site.open("udp", HOST, PEER)
        for remote in ((PEER[0], 1), (V4.remotes[1], 2), (V4.remotes[2], 3)):
            assert site.admits("udp", remote, external)
        site.answer("udp", HOST, (V4.remotes[1], 2))
        hand_over(site, behaviour=then)
        assert {row.remote_port for row in site.sessions()} - {80} == left


def test_a_filter_that_is_no_stricter_asks_nothing_again(engine: Engine) -> None:
    """Whoever let the outsider in may have ended since."""
    site = Site(engine, "eim/adf", timeouts={"udp": 100})
    external = site.open("udp", HOST, PEER)
    site.now += 90_000
    assert site.admits("udp", (PEER[0], 1), external)
    site.open("udp", HOST, (V4.remotes[1], 80))
    site.now += 20_000
    moved = hand_over(site, behaviour="eim/adf", timeouts={"udp": 100})
    assert (moved.kept, moved.ended) == (2, 0)


FORWARD = f"udp:{V4.external}:80=192.168.1.10:4000"


def test_the_mappings_of_a_forward_end_with_it_or_go_on(engine: Engine) -> None:
    for then, kept in (
        ((FORWARD,), 2),
        ((f"udp:{V4.external}:79-81=192.168.1.10:3999",), 2),
        ((f"udp:{V4.external}:80=192.168.1.11:4000",), 0),
        ((f"udp:{V4.external}:80=192.168.1.10:4001",), 0),
        ((f"{FORWARD}@{V4.remotes[0]}",), 1),
        ((), 0),
    ):
        site = Site(engine, forwards=(FORWARD,))
        for remote in V4.remotes[:2]:
            assert site.admits("udp", (remote, 9), (V4.external, 80))
        assert hand_over(site, forwards=then).kept == kept
        assert all(row.static for row in site.mappings())


def test_a_mapping_becomes_a_forwards_if_that_leads_there(engine: Engine) -> None:
    site = Site(engine, ports="80")
    site.open("udp", HOST, PEER)
    hand_over(site, ports="80", forwards=(FORWARD,))
    assert [(row.static, row.sessions) for row in site.mappings()] == [(True, 1)]
    assert site.admits("udp", (V4.remotes[5], 1), (V4.external, 80))


def test_a_hosts_blocks_are_granted_again(engine: Engine) -> None:
    site = Site(engine, **BLOCKS)
    ports = {site.open("udp", (HOST[0], port), PEER)[1] for port in range(2000, 2070)}
    assert hand_over(site, **BLOCKS).kept == 70
    assert {row.external_port for row in site.mappings()} == ports
    others = {site.open("udp", (V4.hosts[1], port), PEER)[1] for port in range(2000, 2070)}
    assert not {(port - 2000) // 64 for port in ports} & {(port - 2000) // 64 for port in others}
    # Of each the block with the six ports used last.
    assert hand_over(site, **BLOCKS, blocks_per_host=1).kept == 12


def test_an_address_more_leaves_hosts_the_one_they_have(engine: Engine) -> None:
    site = Site(engine, externals={V4.external: "2000-2999"})
    for host in V4.hosts:
        site.open("udp", (host, 4000), PEER)
    assert hand_over(site, externals=TWO).kept == len(V4.hosts)
    for host in V4.hosts:
        assert site.open("udp", (host, 4001), PEER)[0] == V4.external


def test_an_address_less_ends_its_flows_and_no_others(engine: Engine) -> None:
    site = Site(engine, externals=TWO)
    externals = [site.open("udp", (host, 4000), PEER) for host in V4.hosts]
    staying = [external for external in externals if external[0] == V4.external]
    assert hand_over(site, externals={V4.external: "2000-2999"}).kept == len(staying)
    assert {(row.external, row.external_port) for row in site.mappings()} == set(staying)


def test_the_other_nat_must_be_a_fresh_one(engine: Engine) -> None:
    site, other = Site(engine), Site(engine)
    other.open("udp", HOST, PEER)
    with pytest.raises(ValueError, match="has sessions of its own"):
        engine.modules["nat.handover.flow_transfer"].transfer(site.nat, other.nat, 0)


def test_a_clock_behind_the_old_nats_does_not_go_back(engine: Engine) -> None:
    site = Site(engine, timeouts={"udp": 10})
    site.now = 100_000
    external = site.open("udp", HOST, PEER)
    site.now = 0
    hand_over(site, timeouts={"udp": 10})
    assert site.answer("udp", PEER, external) == "translated"
    assert site.nat.session_rows(0, 9, 100_000)[0][0].expires == 10


def test_all_protocols_can_be_told_apart_in_the_table(engine: Engine) -> None:
    """So that the tests above mean what they say."""
    site = busy(engine, KINDS["strangers"]).site
    assert {row.protocol for row in site.sessions()} == {*WITH_PORTS, "other"}
    assert {row.opened for row in site.sessions()} == {"inside", "outside"}
    hairpins = {V4.external, V6.external}.intersection(row.remote for row in site.sessions())
    assert hairpins == {V4.external, V6.external}
    assert len(site.mappings()) > 30


def told(site: Site) -> list[tuple[str, Any]]:
    """The events that wait, each with its kind by name."""
    record = site.engine.modules["nat.events.event_record"]
    names = ("MAPPING_MADE", "MAPPING_REMOVED", "SESSION_OPENED", "SESSION_ENDED", "REFUSAL")
    kinds = {getattr(record, name): name for name in names}
    raw, lost = site.nat.take_events(1000)
    assert lost == 0
    events = [record.EventFields(*one) for one in record.FORMAT.iter_unpack(raw)]
    return [(kinds[event.kind], event) for event in events]


def test_who_listened_is_told_what_ended_and_goes_on_listening(engine: Engine) -> None:
    site = Site(engine, "eim/eif", timeouts={"udp": 100})
    site.nat.listen(15)
    site.now = 1000
    site.open("udp", HOST, PEER)
    site.now = 31_000
    kept = site.open("udp", (V4.hosts[1], 4000), PEER)
    site.now = 60_000
    assert site.admits("udp", PEER, kept)
    hand_over(site, internal=("192.168.1.11/32", "2001:db8:1::/48"), timeouts={"udp": 100})
    assert site.attempt("udp", PEER, (V4.external, 9)) == "no-mapping"
    made = ["MAPPING_MADE", "SESSION_OPENED"]
    *_, ended, removed, refusal = events = told(site)
    assert [kind for kind, _ in events[:4]] == [*made, *made]
    assert (ended[0], removed[0], refusal[0]) == ("SESSION_ENDED", "MAPPING_REMOVED", "REFUSAL")
    for _, event in (ended, removed):
        assert (event.time, event.duration, event.internal_port) == (60_000, 59_000, 4000)
        assert (event.packets_out, event.packets_in) == (1, 0)
    site.now = 200_000
    site.expire()
    (_, ended_later), (_, removed_later) = told(site)
    assert ended_later.duration == removed_later.duration == 129_000
    assert (removed_later.packets_out, removed_later.packets_in) == (1, 1)


def test_what_ended_sessions_moved_is_part_of_the_mapping_that_goes_on(engine: Engine) -> None:
    site = Site(engine, "eim/apdf", timeouts={"udp": 100})
    site.nat.listen(1)
    site.open("udp", HOST, PEER)
    site.now = 60_000
    site.open("udp", HOST, (V4.remotes[1], 80))
    site.now = 110_000
    hand_over(site, behaviour="eim/apdf", timeouts={"udp": 100})
    site.now = 500_000
    site.expire()
    assert [(kind, event.packets_out) for kind, event in told(site)] == [
        ("MAPPING_MADE", 0),
        ("MAPPING_REMOVED", 2),
    ]


def test_a_mapping_that_becomes_several_is_one_of_them_and_the_others_are_new(
    engine: Engine,
) -> None:
    site = Site(engine, "eim/apdf")
    site.nat.listen(1)
    for number in range(3):
        site.open("udp", HOST, (V4.remotes[number], 80))
    hand_over(site, behaviour="apdm/apdf+overload")
    assert [kind for kind, _ in told(site)] == ["MAPPING_MADE"] * 3
    site.now = 10**6
    site.expire()
    removed = told(site)
    assert [kind for kind, _ in removed] == ["MAPPING_REMOVED"] * 3
    assert sum(event.packets_out for _, event in removed) == 3


def test_mappings_that_become_one_end_but_for_one(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+overload+sticky")
    site.nat.listen(1)
    for number in range(3):
        site.open("udp", HOST, (V4.remotes[number], 80))
    hand_over(site, behaviour="eim/apdf")
    kinds = [kind for kind, _ in told(site)]
    assert kinds == ["MAPPING_MADE"] * 3 + ["MAPPING_REMOVED"] * 2
    site.now = 10**6
    site.expire()
    ((_, removed),) = told(site)
    assert removed.packets_out == 3


def test_refusals_that_were_not_told_are_still_counted(engine: Engine) -> None:
    site = Site(engine)
    site.nat.listen(4)
    for _ in range(30):
        site.attempt("udp", PEER, (V4.external, 9))
    hand_over(site)
    told(site)
    site.now = 10_000
    site.expire()
    raw, _ = site.nat.take_events(9)
    record = engine.modules["nat.events.event_record"]
    (event,) = [record.EventFields(*one) for one in record.FORMAT.iter_unpack(raw)]
    assert (event.kind, event.packets_out) == (record.REFUSALS_SUPPRESSED, 10)
