"""Which external port a mapping gets: every way to choose times every way to share.

RFC 4787 section 4.2 for the class (REQ-3a) and the parity (REQ-4) of ports.
"""

from itertools import product

import pytest

from support.flavours import Engine
from support.site import V4, Site

SELECTIONS = ("preserve", "random", "sequential")
SHARINGS = ("exclusive", "overload", "distinct")
# Every way there is: sticky contradicts distinct.
WAYS = [
    "+".join(word for word in ("apdm/apdf", sharing, selection, sticky, parity) if word)
    for sharing, selection, sticky, parity in product(
        SHARINGS, SELECTIONS, ("", "sticky"), ("", "parity")
    )
    if (sharing, sticky) != ("distinct", "sticky")
]
EVERY = pytest.mark.parametrize("way", WAYS)
HOST, OTHER = V4.hosts[:2]
REMOTE = (V4.remotes[0], 80)
R2 = V4.remotes[1]


def fill(site: Site, endpoints: list[tuple[str, int]]) -> list[int]:
    """Open a session toward REMOTE from each; their external ports."""
    return [site.open("udp", endpoint, REMOTE)[1] for endpoint in endpoints]


def endpoints(count: int, first: int = 2000, step: int = 1) -> list[tuple[str, int]]:
    return [(HOST, first + step * n) for n in range(count)]


@EVERY
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_every_port_is_found_toward_one_remote_and_none_twice(
    engine: Engine, way: str, protocol: str
) -> None:
    site = Site(engine, way, ports="900-907,2000-2011,2020,65535")
    permitted = [*range(900, 908), *range(2000, 2012), 2020, 65535]
    given = [site.open(protocol, (HOST, 1 + 3 * n), REMOTE)[1] for n in range(len(permitted))]
    assert sorted(given) == permitted
    assert site.attempt(protocol, (OTHER, 9), REMOTE) == "no-port"


@EVERY
def test_one_endpoint_finds_a_port_toward_every_remote_as_long_as_there_is_one(
    engine: Engine, way: str
) -> None:
    """Exclusive and distinct: each port once.  Overload: a port serves any number of remotes."""
    site = Site(engine, way, ports="2000-2009")
    given = [site.open("udp", (HOST, 4000), (R2, 1 + n))[1] for n in range(10)]
    more = site.attempt("udp", (HOST, 4000), (R2, 99))
    if "overload" in way:
        assert more == "translated"
    else:
        assert sorted(given) == list(range(2000, 2010))
        assert more == "no-port"


@EVERY
def test_the_one_port_that_comes_free_is_found(engine: Engine, way: str) -> None:
    site = Site(engine, way, ports="2000-2009", timeouts={"udp": 60})
    given = fill(site, endpoints(10, 4000))
    site.now = 30_000
    for endpoint in (e for e in endpoints(10, 4000) if e[1] != 4003):
        site.open("udp", endpoint, REMOTE)
    site.now = 60_000
    assert site.open("udp", (OTHER, 5555), REMOTE)[1] == given[3]


@pytest.mark.parametrize("sharing", SHARINGS)
def test_preserve_gives_the_internal_port_where_it_may(engine: Engine, sharing: str) -> None:
    site = Site(engine, f"apdm/apdf+{sharing}+preserve", ports="2000-2999")
    assert site.open("udp", (HOST, 2345), REMOTE)[1] == 2345
    # Of another host: taken toward this remote, and free toward another one if ports are shared.
    assert site.open("udp", (OTHER, 2345), REMOTE)[1] != 2345
    shared = site.open("udp", (V4.hosts[2], 2345), (R2, 80))[1] == 2345
    assert shared == (sharing != "exclusive")
    # Toward a second remote the endpoint's own port: shared with itself only by overload.
    own = site.open("udp", (HOST, 2345), (V4.remotes[2], 80))[1] == 2345
    assert own == (sharing == "overload")
    assert 2000 <= site.open("udp", (HOST, 3000), REMOTE)[1] <= 2999


def test_random_ports_follow_no_order(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+random", ports="10000-59999")
    given = fill(site, endpoints(200))
    assert given != sorted(given)
    gaps = [after - before for before, after in zip(given, given[1:], strict=False)]
    assert len(set(gaps)) > 190
    quarters = [sum(port // 12500 == quarter for port in given) for quarter in range(5)]
    assert min(quarters[1:4]) > 20


def test_another_seed_gives_other_random_ports(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+random")
    other = Site(engine, "apdm/apdf+random")
    other.nat = engine.Nat(other.settings, bytes(range(1, 81)))
    assert fill(site, endpoints(20)) != fill(other, endpoints(20))


@pytest.mark.parametrize("sharing", SHARINGS)
def test_sequential_ports_of_an_endpoint_go_up_by_one(engine: Engine, sharing: str) -> None:
    site = Site(engine, f"apdm/apdf+{sharing}+sequential", ports="2000-2019,2030")
    permitted = [*range(2000, 2020), 2030]
    given = [site.open("udp", (HOST, 4000), (R2, 1 + n))[1] for n in range(21)]
    at = permitted.index(given[0])
    assert given == permitted[at:] + permitted[:at]


def test_sequential_ports_pass_over_those_that_are_taken(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+exclusive+sequential", ports="2000-2019")
    taken = {site.open("udp", (OTHER, 1 + n), REMOTE)[1] for n in range(8)}
    free = [port for port in range(2000, 2020) if port not in taken]
    given = [site.open("udp", (HOST, 4000), (R2, 1 + n))[1] for n in range(12)]
    at = free.index(given[0])
    assert given == free[at:] + free[:at]


@pytest.mark.parametrize("sharing", ["exclusive", "overload"])
@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("swept", [True, False])
def test_sticky_gives_the_last_port_again_after_its_mapping_ended(
    engine: Engine, sharing: str, selection: str, swept: bool
) -> None:
    """An expired mapping is as good as swept."""
    site = Site(engine, f"apdm/apdf+{sharing}+{selection}+sticky")
    before = site.open("udp", (HOST, 4000), REMOTE)
    site.now = 10**6
    if swept:
        site.expire()
    assert site.open("udp", (HOST, 4000), (R2, 80)) == before


@pytest.mark.parametrize("selection", SELECTIONS)
def test_sticky_gives_way_where_its_port_is_taken(engine: Engine, selection: str) -> None:
    site = Site(engine, f"apdm/apdf+overload+{selection}+sticky", ports="2000-2001")
    mine = site.open("udp", (HOST, 2000), REMOTE)
    assert site.open("udp", (HOST, 2000), (R2, 80)) == mine
    theirs = site.open("udp", (OTHER, 2000), REMOTE)
    assert theirs != mine
    # Toward R2 the other one's last port is free; toward R3 it stays with it.
    assert site.open("udp", (OTHER, 2000), (R2, 80)) == theirs
    third = (V4.hosts[2], 2000)
    taken = site.open("udp", third, (V4.remotes[2], 80))
    again = site.open("udp", (HOST if taken == mine else OTHER, 2000), (V4.remotes[2], 80))
    assert again != taken


def test_overload_shares_a_port_only_between_remotes_that_differ(engine: Engine) -> None:
    for way, tells_ports_apart in (("adm/adf", False), ("apdm/adf", False), ("apdm/apdf", True)):
        site = Site(engine, f"{way}+overload", ports="2000")
        site.open("udp", (HOST, 4000), REMOTE)
        assert site.attempt("udp", (OTHER, 4000), REMOTE) == "no-port"
        verdict = site.attempt("udp", (OTHER, 4000), (REMOTE[0], 81))
        assert (way, verdict) == (way, "translated" if tells_ports_apart else "no-port")
        assert site.attempt("udp", (OTHER, 4000), (R2, 80)) == "translated"


@pytest.mark.parametrize("way", [way for way in WAYS if "exclusive" in way])
def test_an_exclusive_port_is_never_shared(engine: Engine, way: str) -> None:
    site = Site(engine, way, ports="2000-2004")
    given = {site.open("udp", (HOST, 1 + n), (V4.remotes[n], 80)) for n in range(5)}
    assert len(given) == 5
    assert site.attempt("udp", (OTHER, 1), (V4.remotes[9], 80)) == "no-port"


@pytest.mark.parametrize("way", [way for way in WAYS if "distinct" in way])
def test_distinct_ports_are_shared_between_endpoints_and_never_by_one(
    engine: Engine, way: str
) -> None:
    site = Site(engine, way, ports="2000-2004")
    for host, far in ((HOST, 1), (OTHER, 100)):
        given = {site.open("udp", (host, 4000), (R2, far + n))[1] for n in range(5)}
        assert given == set(range(2000, 2005))
        assert site.attempt("udp", (host, 4000), (R2, far + 5)) == "no-port"


def test_a_distinct_port_is_free_for_its_endpoint_once_the_mapping_ended(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+distinct", ports="2000-2001")
    for n in (1, 2):
        site.open("udp", (HOST, 4000), (R2, n))
    site.now = 300_000
    assert {site.open("udp", (HOST, 4000), (R2, n))[1] for n in (3, 4)} == {2000, 2001}
