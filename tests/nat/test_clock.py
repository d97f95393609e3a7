"""A clock that stands still, jumps or goes back: nothing crashes, and only what is due ends."""

import random
from typing import Any

import pytest

from support.flavours import Engine
from support.site import V4, Site
from support.wire import packet, tcp

HOST, FAR = V4.hosts[0], (V4.remotes[0], 80)
HOUR, YEAR = 3_600_000, 31_536_000_000
LATEST = 1 << 44
END = (1 << 64) - 1


def flow(site: Site, port: int = 4000, protocol: str = "udp") -> str:
    return site.attempt(protocol, (HOST, port), FAR)


def lives(site: Site, port: int = 4000) -> bool:
    """Whether the flow of a port is still the one it was; asks for a listing only."""
    return any(row.internal_port == port for row in site.sessions())


def test_while_the_clock_stands_still_nothing_ends(engine: Engine) -> None:
    site = Site(engine)
    for port in range(1000, 1100):
        assert flow(site, port) == "translated"
        site.expire()
    assert len(site.sessions()) == 100


@pytest.mark.parametrize("back", [1, HOUR, YEAR])
def test_a_clock_that_goes_back_stands_still_until_it_has_caught_up(
    engine: Engine, back: int
) -> None:
    site = Site(engine)
    site.now = 2 * YEAR
    flow(site, 1)
    site.now -= back
    flow(site, 2)
    site.expire()
    site.now = 2 * YEAR + 299_999
    assert lives(site, 1) and lives(site, 2)
    site.now += 1
    site.expire()
    assert site.is_empty()


@pytest.mark.parametrize("jump", [HOUR, YEAR])
def test_a_jump_ends_what_is_due_and_nothing_more(engine: Engine, jump: int) -> None:
    site = Site(engine, timeouts={"tcp_established": 7200})
    external = site.open("tcp", (HOST, 1), FAR)
    site.passes(tcp(FAR, external, "SA"))
    site.passes(tcp((HOST, 1), FAR, "A"))
    flow(site, 2)
    site.now += jump
    # Before any sweep: a packet of what is due belongs to nothing.
    verdict = site.send(tcp((HOST, 1), FAR, "A"))
    assert verdict == ("translated" if jump == HOUR else "not-syn")
    site.expire()
    assert lives(site, 1) == (jump == HOUR)
    assert not lives(site, 2)
    assert flow(site, 3) == "translated"
    site.now += 299_999
    assert lives(site, 3)


@pytest.mark.parametrize("now", [LATEST - 1, LATEST, LATEST + 1, 1 << 47, 1 << 48, 1 << 63, END])
def test_the_end_of_time(engine: Engine, now: int) -> None:
    """It stands still there: flows go on, and a clock that is sane again changes nothing."""
    site = Site(engine)
    flow(site, 1)
    site.now = now
    assert flow(site, 2) == "translated"
    site.nat.expire(now)
    assert site.nat.usage()["sessions"] == 1
    for later in (now, 0, now):
        site.now = later
        assert flow(site, 2) == "translated"
    assert site.nat.usage()["mappings"] == 1


def rings_are_in_order(nat: Any) -> bool:
    """Within each timer sessions expire, to the second, in the order of the ring."""
    table = nat.translator.flows.sessions
    for timer in range(1, 7):
        before, row = 0, table.rows[timer].younger
        while row != timer:
            if table.rows[row].expires >> 10 < before:
                return False
            before, row = table.rows[row].expires >> 10, table.rows[row].younger
    return True


@pytest.mark.parametrize("seed", range(8))
def test_any_clock_leaves_the_tables_in_order(engine: Engine, seed: int) -> None:
    """Steps back, stand-stills and jumps at random, between packets of all kinds."""
    draw = random.Random(seed)
    site = Site(engine, ports="10000-10099", limits={"mappings": 60, "sessions": 80})
    farthest = 0
    for _ in range(600):
        step = draw.choice((0, 0, 1, 17, 900, 61_000, HOUR, -1, -50_000, -HOUR, -YEAR))
        if draw.random() < 0.01:
            step = draw.choice((YEAR, LATEST))
        site.now = min(max(0, site.now + step), END)
        farthest = max(farthest, min(site.now, LATEST))
        protocol = draw.choice(("udp", "tcp", "icmp"))
        far = (FAR[0], 0) if protocol == "icmp" else FAR
        port = draw.randrange(1000, 1080)
        if site.attempt(protocol, (HOST, port), far) == "translated" and draw.random() < 0.5:
            site.send(packet(protocol, far, site.seen().source, "answer"))
        if draw.random() < 0.2:
            site.nat.expire(site.now, 7)
        if hasattr(site.nat, "translator"):
            assert rings_are_in_order(site.nat)
    # Whatever it was, all of it is due in the end.
    site.now = farthest + 8 * HOUR
    if site.now < LATEST:
        site.expire()
        assert site.is_empty()
