"""Flows outside the tables and back again; and that whatever comes in their stead does no harm."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import wire
from support.busy import KINDS, busy, flows_of
from support.flavours import Engine, load
from support.properties import examples
from support.site import V4, V6, Site
from support.twin import numbers

SIZE = 126
HOST, PEER = (V4.hosts[0], 4000), (V4.remotes[0], 80)
FORM = """
00000000000000000000ffffc0a8010a 00000000000000000000ffffc6336401
00000000000000000000ffffcb007101 00000000000000000000ffffc6336401
0000000000000003 0000000000000078 0000000000000001 0000000000000028
0000000000002710 00000fa0 0000000b 0fa0 PORT 0050 0050 0400 00 02 82 20
"""


def flows(site: Site) -> bytearray:
    return flows_of(site.engine, site.nat, site.now, page=7)


def restored(site: Site, forms: bytes, later: int = 0) -> int:
    """How many of them the NAT goes on with."""
    adoption = site.engine.modules["nat.handover.flow_transfer"]
    return int(adoption.restore(site.nat, bytearray(forms), site.now, later))


def reborn(site: Site, kind: dict[str, Any]) -> Site:
    """Another site as it was at first, at the same time."""
    other = Site(site.engine, **kind)
    other.nat = site.engine.Nat(other.settings, bytes(range(90, 170)))
    other.now = site.now
    return other


def all_comes_back(site: Site) -> None:
    """The tables are whole: every session is found by both its sides, and nothing is left over."""
    rows = site.sessions()
    assert len(rows) == site.nat.usage()["sessions"]
    assert len({(r.protocol, r.internal, r.internal_port, *r[5:7]) for r in rows}) == len(rows)
    assert len({(r.protocol, *r[3:7]) for r in rows}) == len(rows)
    assert sum(row.sessions for row in site.mappings()) == len(rows)
    for places in (V4, V6):
        for host in places.hosts[:4]:
            site.attempt("udp", (host, 4000), (places.remotes[9], 80))
            site.attempt("udp", (places.remotes[9], 80), (places.external, 2000))
    for _ in range(2):
        site.now += 8_000_000
        site.expire()
    assert site.is_empty()


def test_the_form_is_what_files_of_this_version_hold(engine: Engine) -> None:
    """Whoever changes it changes the version of the files, too (daemon/state/state_file.py)."""
    site = Site(engine)
    site.now = 100_000
    _, port = site.connect(HOST, PEER)
    site.now += 6000
    site.send(wire.tcp(HOST, PEER, "A", acknowledgment=11))
    site.now += 4000
    assert flows(site).hex() == "".join(FORM.replace("PORT", f"{port:04x}").split())
    assert numbers("nat.handover.flow_record")["FLOW_SIZE"] == SIZE


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_flows_that_were_kept_outside_go_on(engine: Engine, kind: dict[str, Any]) -> None:
    traffic = busy(engine, kind)
    site = traffic.site
    forms = flows(site)
    new = reborn(site, kind)
    counted = new.nat.counters()
    assert restored(new, forms) == len(forms) // SIZE == len(site.sessions())
    assert sorted(new.sessions()) == sorted(site.sessions())
    assert sorted(map(str, new.mappings())) == sorted(map(str, site.mappings()))
    assert new.nat.usage() == site.nat.usage()
    assert new.nat.counters() == counted
    before = traffic.became()
    traffic.site = new
    assert traffic.became() == before
    all_comes_back(new)


def test_the_order_and_how_often_they_come_say_nothing(engine: Engine) -> None:
    site = busy(engine, KINDS["strangers"]).site
    forms = flows(site)
    rows = [forms[at : at + SIZE] for at in range(0, len(forms), SIZE)]
    random.Random(5).shuffle(rows)
    new = reborn(site, KINDS["strangers"])
    assert restored(new, b"".join(rows * 2)) == len(rows)
    assert sorted(new.sessions()) == sorted(site.sessions())
    all_comes_back(new)


def test_the_time_between_counts(engine: Engine) -> None:
    kind = {"timeouts": {"udp": 100}}
    for later, left in ((0, 60), (59_000, 1), (59_999, 0), (60_000, None), (1 << 40, None)):
        site = Site(engine, **kind)
        site.open("udp", HOST, PEER)
        site.now = 40_000
        new = reborn(site, kind)
        assert restored(new, flows(site), later) == (left is not None)
        assert [row.expires for row in new.sessions()] == ([] if left is None else [left])
        assert [row.age for row in new.mappings()] == ([] if left is None else [40])


def test_flows_expire_in_their_order(engine: Engine) -> None:
    """The oldest comes first in its timer's ring, whatever the order in the file."""
    site = Site(engine)
    for port in range(20):
        site.now += 5000
        site.open("udp", (HOST[0], port), PEER)
    forms = flows(site)
    rows = [forms[at : at + SIZE] for at in range(0, len(forms), SIZE)]
    random.Random(3).shuffle(rows)
    new = reborn(site, {})
    restored(new, b"".join(rows))
    new.now += 300_000 - 100_000 + 5000 + 2000
    for left in range(19, 0, -1):
        assert new.nat.expire(new.now, 1) == 1
        assert len(new.sessions()) == left
        assert new.nat.expire(new.now, 1) == 0
        new.now += 5000


def test_where_not_all_have_room_the_latest_go_on(engine: Engine) -> None:
    site = Site(engine)
    for port in range(10):
        site.now += 2000
        site.open("udp", (HOST[0], port), PEER)
    kind = {"limits": {"mappings": 4, "sessions": 4, "inbound_sessions": 1}}
    new = reborn(site, kind)
    assert restored(new, flows(site)) == 4
    assert {row.internal_port for row in new.mappings()} == {6, 7, 8, 9}


def test_a_sticky_port_is_the_one_used_last(engine: Engine) -> None:
    kind = {"behaviour": "apdm/apdf+overload+sticky"}
    site = Site(engine, **kind)
    for number in range(3):
        site.now += 2000
        port = site.open("udp", HOST, (V4.remotes[number], 80))[1]
    site.now += 2000
    assert site.open("udp", (V4.hosts[1], 4000), (V4.remotes[9], 80))
    new = reborn(site, kind)
    restored(new, flows(site))
    assert new.open("udp", HOST, (V4.remotes[5], 80))[1] == port


@pytest.mark.parametrize("kind", ["strangers", "blocks", "shared deterministic", "forwards"])
@examples(60)
@given(data=st.data())
def test_octets_that_were_changed_do_no_harm(kind: str, data: Any) -> None:
    engine = load("compiled")
    site = SITES.setdefault(kind, busy(engine, KINDS[kind]).site)
    forms = flows(site)
    changes = st.lists(
        st.tuples(st.integers(0, len(forms) - 1), st.sampled_from((0, 1, 2, 7, 8, 127, 128, 255))),
        min_size=1,
        max_size=200,
    )
    for at, octet in data.draw(changes):
        forms[at] = octet
    new = reborn(site, KINDS[kind])
    assert restored(new, forms) <= len(forms) // SIZE
    all_comes_back(new)


SITES: dict[str, Site] = {}


@examples(200)
@given(forms=st.binary(max_size=10 * SIZE), later=st.integers(0, 1 << 40))
def test_any_octets_do_no_harm(engine: Engine, forms: bytes, later: int) -> None:
    site = Site(engine, "full-cone")
    restored(site, forms, later)
    all_comes_back(site)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_flows_mixed_from_other_flows_do_no_harm(kind: dict[str, Any]) -> None:
    """Their parts are right, each by itself."""
    chance = random.Random(11)
    site = busy(load("compiled"), kind).site
    forms = flows(site)
    parts = (0, 16, 32, 48, 64, 96, 104, 108, 112, 114, 116, 118, 120, 122, 123, 124, 125, SIZE)
    rows = [forms[at : at + SIZE] for at in range(0, len(forms), SIZE)]
    mixed = []
    for _ in range(3000):
        row = bytearray(chance.choice(rows))
        for _ in range(chance.randrange(4)):
            part = chance.randrange(len(parts) - 1)
            place = slice(parts[part], parts[part + 1])
            row[place] = chance.choice(rows)[place]
        mixed.append(row)
    new = reborn(site, kind)
    assert restored(new, b"".join(mixed)) > 10
    all_comes_back(new)
