"""What one internal host may have (RFC 6888 REQ-4, REQ-5), so that others have the rest."""

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS, packet

HOST, OTHER = V4.hosts[:2]
EXTERNAL = V4.external
R1, R2 = V4.remotes[:2]
FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
IDLE = {"udp": 60, "icmp": 60, "tcp_opening": 60}


def site_of(
    engine: Engine, way: str = "eim/apdf", forwards: tuple[str, ...] = (), **limits: int
) -> Site:
    return Site(engine, way, forwards=forwards, limits=limits, timeouts=IDLE)


def verdicts(
    site: Site, host: str, count: int, first: int = 4000, far: Endpoint = (R1, 80)
) -> list[str]:
    """Of `count` UDP flows from ports of their own."""
    return [site.attempt("udp", (host, first + n), far) for n in range(count)]


@FAMILIES
@pytest.mark.parametrize("protocol", WITH_PORTS)
@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions"])
def test_a_host_gets_no_more_than_it_may_have_and_others_get_theirs(
    engine: Engine, places: Places, protocol: str, limit: str
) -> None:
    site = site_of(engine, **{limit: 3})
    far = (places.remotes[0], 0 if protocol == "icmp" else 80)
    for count, host in enumerate(places.hosts[:3], 1):
        got = [site.attempt(protocol, (host, 4000 + n), far) for n in range(5)]
        assert got == ["translated"] * 3 + ["host-limit"] * 2
        assert site.dropped() == {"host-limit": 2 * count}
    # What it has goes on.
    assert site.attempt(protocol, (places.hosts[0], 4000), far) == "translated"


def test_the_limits_are_of_all_protocols_together(engine: Engine) -> None:
    for limit in ("host_mappings", "host_sessions"):
        site = site_of(engine, **{limit: 4})
        for protocol in ("udp", "tcp", "sctp", "gre"):
            assert site.attempt(protocol, (HOST, 4000), (R1, 80)) == "translated"
        assert site.attempt("dccp", (HOST, 4000), (R1, 80)) == "host-limit"


def test_a_mapping_has_many_sessions_and_counts_once(engine: Engine) -> None:
    site = site_of(engine, host_mappings=1)
    for remote in V4.remotes[:50]:
        assert site.attempt("udp", (HOST, 4000), (remote, 80)) == "translated"
    assert site.attempt("udp", (HOST, 4001), (R1, 80)) == "host-limit"
    site = site_of(engine, host_sessions=5)
    got = [site.attempt("udp", (HOST, 4000), (remote, 80)) for remote in V4.remotes[:7]]
    assert got == ["translated"] * 5 + ["host-limit"] * 2


@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions"])
@pytest.mark.parametrize("swept", [True, False])
def test_what_expires_is_given_back_whether_or_not_it_is_swept(
    engine: Engine, limit: str, swept: bool
) -> None:
    site = site_of(engine, **{limit: 3})
    assert verdicts(site, HOST, 3) == ["translated"] * 3
    site.now = 59_999
    assert verdicts(site, HOST, 1, 5000) == ["host-limit"]
    site.now = 60_000
    if swept:
        site.expire()
        assert site.is_empty()
    assert verdicts(site, HOST, 4, 6000) == ["translated"] * 3 + ["host-limit"]


@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions"])
def test_one_that_expires_makes_room_for_one(engine: Engine, limit: str) -> None:
    site = site_of(engine, **{limit: 3})
    for n in range(3):
        site.now = 10_000 * n
        assert verdicts(site, HOST, 1, 4000 + n) == ["translated"]
    site.now = 60_000
    site.expire()
    assert verdicts(site, HOST, 2, 5000) == ["translated", "host-limit"]


@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions", "host_rate"])
def test_who_is_refused_leaves_nothing_behind(engine: Engine, limit: str) -> None:
    site = site_of(engine, **{limit: 1})
    verdicts(site, HOST, 100)
    usage = site.nat.usage()
    assert (usage["mappings"], usage["sessions"], usage["hosts"]) == (1, 1, 1)
    assert usage["ports"]["udp"]["used"] == 1


def test_a_host_opens_so_many_sessions_a_second(engine: Engine) -> None:
    """A second's worth at once, then as they come back."""
    site = site_of(engine, host_rate=10)
    assert verdicts(site, HOST, 12) == ["translated"] * 10 + ["host-rate"] * 2
    site.now = 99
    assert verdicts(site, HOST, 1, 5000) == ["host-rate"]
    for site.now in range(100, 1_100, 100):
        assert verdicts(site, HOST, 2, 5000 + site.now) == ["translated", "host-rate"]
    site.now = 5_000
    assert verdicts(site, HOST, 12, 10_000) == ["translated"] * 10 + ["host-rate"] * 2


def test_over_a_long_time_it_is_the_rate_and_no_more(engine: Engine) -> None:
    site = site_of(engine, host_rate=7)
    allowed = 0
    for site.now in range(0, 30_001, 37):
        allowed += verdicts(site, HOST, 1, 1000 + site.now).count("translated")
    assert allowed == 7 + 7 * site.now // 1000


def test_the_rate_is_of_sessions_not_of_packets_or_mappings(engine: Engine) -> None:
    site = site_of(engine, host_rate=5)
    got = [site.attempt("udp", (HOST, 4000), (remote, 80)) for remote in V4.remotes[:7]]
    assert got == ["translated"] * 5 + ["host-rate"] * 2
    for _ in range(50):
        assert site.attempt("udp", (HOST, 4000), (R1, 80)) == "translated"


def test_the_rate_of_one_host_is_not_that_of_another(engine: Engine) -> None:
    site = site_of(engine, host_rate=3)
    for host in V4.hosts:
        assert verdicts(site, host, 4) == ["translated"] * 3 + ["host-rate"]


def test_without_a_limit_there_is_none(engine: Engine) -> None:
    site = site_of(engine)
    assert set(verdicts(site, HOST, 1500, 1024)) == {"translated"}


@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions", "host_rate"])
def test_outsiders_cannot_use_up_a_hosts_share(engine: Engine, limit: str) -> None:
    site = site_of(engine, "eim/eif", **{limit: 3})
    external = site.open("udp", (HOST, 4000), (R1, 80))
    for n in range(50):
        assert site.attempt("udp", (R2, 1 + n), external) == "translated"
    assert verdicts(site, HOST, 3, 5000) == ["translated"] * 2 + [
        "host-rate" if limit == "host_rate" else "host-limit"
    ]


@pytest.mark.parametrize("limit", ["host_mappings", "host_sessions", "host_rate"])
def test_outsiders_cannot_use_up_a_hosts_share_by_its_forwards(engine: Engine, limit: str) -> None:
    site = site_of(engine, forwards=(f"udp:7000-7099={HOST}",), **{limit: 3})
    for n in range(100):
        assert site.attempt("udp", (R2, 9), (EXTERNAL, 7000 + n)) == "translated"
    assert verdicts(site, HOST, 4, 4000) == ["translated"] * 3 + [
        "host-rate" if limit == "host_rate" else "host-limit"
    ]


def test_a_host_at_its_limit_still_answers_who_comes_in(engine: Engine) -> None:
    site = site_of(engine, "eim/eif", (f"udp:7000={HOST}",), host_sessions=1, host_mappings=1)
    external = site.open("udp", (HOST, 4000), (R1, 80))
    for endpoint, inside in ((external, 4000), ((EXTERNAL, 7000), 7000)):
        assert site.attempt("udp", (R2, 9), endpoint) == "translated"
        assert site.answer("udp", (HOST, inside), (R2, 9)) == "translated"
        assert site.seen().source == endpoint


def test_what_a_host_calls_inside_counts_for_the_caller_alone(engine: Engine) -> None:
    site = site_of(engine, "eim/eif", host_sessions=2, host_mappings=2)
    external = site.open("udp", (HOST, 4000), (R1, 80))
    for n in range(2):
        assert site.passes(packet("udp", (OTHER, 4000 + n), external)).destination[0] == HOST
    assert site.attempt("udp", (OTHER, 4002), external) == "host-limit"
    assert verdicts(site, HOST, 2, 5000) == ["translated", "host-limit"]


def test_sessions_by_a_forward_that_the_host_opens_count(engine: Engine) -> None:
    site = site_of(engine, forwards=(f"udp:7000={HOST}",), host_sessions=2)
    got = [site.attempt("udp", (HOST, 7000), (R1, 1 + n)) for n in range(3)]
    assert got == ["translated"] * 2 + ["host-limit"]
