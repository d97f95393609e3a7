"""Ports keep their class, below 1024 or above (RFC 4787 REQ-3a), and their parity (REQ-4).

Each as long as there is such a port, whatever way ports are chosen and shared.
"""

from itertools import product

import pytest

from support.flavours import Engine
from support.site import V4, Site

SELECTIONS = ("preserve", "random", "sequential")
SHARINGS = ("exclusive", "overload", "distinct")
WAYS = [f"apdm/apdf+{a}+{b}" for a, b in product(SHARINGS, SELECTIONS)]
EVERY = pytest.mark.parametrize("way", WAYS)
HOST, OTHER = V4.hosts[:2]
REMOTE = (V4.remotes[0], 80)
R2 = V4.remotes[1]
# Of both classes, and of both parities within each.
PORTS = "1010-1023,1024-1041"
LOW, HIGH = set(range(1010, 1024)), set(range(1024, 1042))


@EVERY
@pytest.mark.parametrize(("internal", "own"), [(100, LOW), (1023, LOW), (1024, HIGH), (9999, HIGH)])
def test_a_port_keeps_its_class_as_long_as_there_is_one(
    engine: Engine, way: str, internal: int, own: set[int]
) -> None:
    """One endpoint toward many remotes, on ports that are each its own."""
    site = Site(engine, way.replace("overload", "exclusive"), ports=PORTS)
    given = [site.open("udp", (HOST, internal), (R2, 1 + n))[1] for n in range(len(own))]
    assert set(given) == own
    # Then any port is better than none (REQ-3a is a SHOULD, and there is still room).
    assert site.open("udp", (HOST, internal), (R2, 99))[1] in (LOW | HIGH) - own


@EVERY
def test_ports_of_many_endpoints_keep_their_class(engine: Engine, way: str) -> None:
    site = Site(engine, way, ports=PORTS)
    low = {site.open("udp", (HOST, 1 + n), REMOTE)[1] for n in range(len(LOW))}
    high = {site.open("udp", (OTHER, 5000 + n), REMOTE)[1] for n in range(len(HIGH))}
    assert (low, high) == (LOW, HIGH)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_an_overloaded_port_keeps_its_class(engine: Engine, selection: str) -> None:
    """When no unused port of the class is left, a shared one of it serves, not one of the other."""
    site = Site(engine, f"apdm/apdf+overload+{selection}", ports=PORTS)
    for n in range(len(LOW)):
        site.open("udp", (HOST, 1 + n), REMOTE)
    for n in range(40):
        assert site.open("udp", (OTHER, 1 + n), (R2, 1000 + n))[1] in LOW


@EVERY
@pytest.mark.parametrize("ports", ["1-1023", "1024-1100"])
def test_where_all_ports_are_of_one_class_they_serve_both(
    engine: Engine, way: str, ports: str
) -> None:
    site = Site(engine, way, ports=ports)
    for internal in (80, 1023, 1024, 50000):
        assert site.attempt("udp", (HOST, internal), REMOTE) == "translated"


@EVERY
@pytest.mark.parametrize("sticky", ["", "+sticky"])
@pytest.mark.parametrize("parity", [0, 1])
def test_parity_is_kept_until_no_port_of_it_is_left(
    engine: Engine, way: str, sticky: str, parity: int
) -> None:
    if "distinct" in way:
        sticky = ""
    site = Site(engine, f"{way}{sticky}+parity", ports="2000-2020")
    own = {port for port in range(2000, 2021) if port % 2 == parity}
    given = [site.open("udp", (HOST, 5000 + parity + 2 * n), REMOTE)[1] for n in range(21)]
    assert set(given[: len(own)]) == own
    assert set(given) == set(range(2000, 2021))


@EVERY
def test_parity_is_kept_by_one_endpoint_toward_many_remotes(engine: Engine, way: str) -> None:
    site = Site(engine, f"{way}+parity".replace("overload", "exclusive"), ports="2000-2019")
    for internal in (4000, 4001):
        given = [site.open("udp", (HOST, internal), (R2, internal + n))[1] for n in range(10)]
        assert {port % 2 for port in given} == {internal % 2}
        assert len(set(given)) == 10


@EVERY
def test_parity_is_kept_by_shared_ports(engine: Engine, way: str) -> None:
    """A shared port of the right parity is better than an unused one of the wrong one."""
    if "exclusive" in way:
        way = way.replace("exclusive", "overload")
    site = Site(engine, f"{way}+parity", ports="2000-2003")
    for n in range(2):
        assert site.open("udp", (HOST, 4000 + 2 * n), REMOTE)[1] % 2 == 0
    for n in range(2):
        assert site.open("udp", (OTHER, 4000 + 2 * n), (R2, 80))[1] % 2 == 0


@EVERY
def test_without_the_word_parity_does_not_matter(engine: Engine, way: str) -> None:
    site = Site(engine, way.replace("preserve", "random"), ports="2000-2099")
    given = [site.open("udp", (HOST, 4000 + 2 * n), REMOTE)[1] for n in range(40)]
    assert {port % 2 for port in given} == {0, 1}


@EVERY
def test_class_comes_before_parity(engine: Engine, way: str) -> None:
    """An odd port of the class is left: it is taken rather than an even one of the other class."""
    site = Site(engine, f"{way}+parity", ports="1001,1003,1024-1030")
    given = [site.open("udp", (HOST, 2 + 2 * n), REMOTE)[1] for n in range(2)]
    assert set(given) == {1001, 1003}
