"""Several external addresses: paired (RFC 4787 REQ-2) and arbitrary pooling."""

from collections import Counter

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

FOUR = tuple(f"203.0.113.{n}" for n in range(1, 5))
FOUR6 = tuple(f"2001:db8:ffff::{n}" for n in range(1, 5))
POOL: dict[str, str | None] = dict.fromkeys((*FOUR, *FOUR6), "10000-10999")
FAMILIES = pytest.mark.parametrize(
    ("places", "addresses"), [(V4, FOUR), (V6, FOUR6)], ids=["ipv4", "ipv6"]
)
REMOTE = (V4.remotes[0], 80)


def hosts(places: Places, count: int) -> list[str]:
    if places is V4:
        return [f"192.168.{n // 250}.{1 + n % 250}" for n in range(count)]
    return [f"2001:db8:1::{n + 1:x}" for n in range(count)]


def remote(protocol: str, places: Places, number: int) -> Endpoint:
    return places.remotes[number], 0 if protocol == "icmp" else 80 + number


@FAMILIES
@pytest.mark.parametrize("way", ["eim/eif", "apdm/apdf", "apdm/apdf+overload+sticky", "symmetric"])
def test_paired_a_host_has_one_external_address_whatever_it_does(
    engine: Engine, places: Places, addresses: tuple[str, ...], way: str
) -> None:
    site = Site(engine, way, externals=POOL, limits={"mappings": 4096, "sessions": 4096})
    for host in hosts(places, 12):
        used = {
            site.open(protocol, (host, 4000 + n), remote(protocol, places, n))[0]
            for protocol in WITH_PORTS
            for n in range(8)
        }
        assert len(used) == 1
        assert used <= set(addresses)


@FAMILIES
def test_paired_a_host_has_the_same_address_again_after_all_its_mappings_ended(
    engine: Engine, places: Places, addresses: tuple[str, ...]
) -> None:
    site = Site(engine, externals=POOL)
    before = {h: site.open("udp", (h, 1), remote("udp", places, 0))[0] for h in hosts(places, 30)}
    site.now = 10**6
    site.expire()
    assert site.is_empty()
    for host, address in before.items():
        assert site.open("udp", (host, 2), remote("udp", places, 1))[0] == address


@FAMILIES
def test_paired_hosts_are_spread_over_the_pool(
    engine: Engine, places: Places, addresses: tuple[str, ...]
) -> None:
    site = Site(engine, externals=POOL)
    used = Counter(
        site.open("udp", (host, 1), remote("udp", places, 0))[0] for host in hosts(places, 400)
    )
    assert set(used) == set(addresses)
    # 100 each on average, with a standard deviation below 9.
    assert max(used.values()) < 140 and min(used.values()) > 60


def test_another_seed_pairs_hosts_otherwise(engine: Engine) -> None:
    """Who knows hosts' addresses cannot tell which of them are behind one external address."""
    site, other = Site(engine, externals=POOL), Site(engine, externals=POOL)
    other.nat = engine.Nat(other.settings, bytes(range(100, 180)))
    chosen = [
        [s.open("udp", (host, 1), REMOTE)[0] for host in hosts(V4, 40)] for s in (site, other)
    ]
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize("pooling", ["paired", "arbitrary"])
def test_each_family_goes_out_by_its_own_addresses(engine: Engine, pooling: str) -> None:
    mixed: dict[str, str | None] = {
        FOUR6[0]: "10000-10999",
        FOUR[0]: "10000-10999",
        FOUR6[1]: "10000-10999",
        FOUR[1]: "10000-10999",
    }
    site = Site(engine, externals=mixed, pooling=pooling)
    for places, addresses in ((V4, FOUR[:2]), (V6, FOUR6[:2])):
        used = {
            site.open("udp", (host, 1), remote("udp", places, 0))[0] for host in hosts(places, 40)
        }
        assert used == set(addresses)


@pytest.mark.parametrize("pooling", ["paired", "arbitrary"])
def test_a_family_without_an_external_address_finds_no_port(engine: Engine, pooling: str) -> None:
    site = Site(engine, externals={FOUR[0]: "10000-10999"}, pooling=pooling)
    assert site.attempt("udp", (V6.hosts[0], 1), (V6.remotes[0], 80)) == "no-port"
    assert site.attempt("udp", (V4.hosts[0], 1), REMOTE) == "translated"
    site = Site(engine, externals={FOUR6[0]: "10000-10999"}, pooling=pooling)
    assert site.attempt("udp", (V4.hosts[0], 1), REMOTE) == "no-port"


@FAMILIES
def test_arbitrary_a_host_uses_all_addresses(
    engine: Engine, places: Places, addresses: tuple[str, ...]
) -> None:
    site = Site(engine, externals=POOL, pooling="arbitrary")
    used = Counter(
        site.open("udp", (places.hosts[0], 1 + n), remote("udp", places, 0))[0] for n in range(400)
    )
    assert set(used) == set(addresses)
    assert max(used.values()) < 140 and min(used.values()) > 60


def test_arbitrary_a_mapping_keeps_its_address(engine: Engine) -> None:
    site = Site(engine, "eim/apdf", externals=POOL, pooling="arbitrary")
    for port in range(1, 30):
        host = (V4.hosts[0], port)
        assert len({site.open("udp", host, remote("udp", V4, n)) for n in range(5)}) == 1


@pytest.mark.parametrize("pooling", ["paired", "arbitrary"])
def test_each_address_gives_only_its_own_ports(engine: Engine, pooling: str) -> None:
    externals: dict[str, str | None] = {
        FOUR[0]: "2000-2099",
        FOUR[1]: "3000-3099,5000",
        FOUR[2]: "4000-4099",
    }
    site = Site(engine, externals=externals, pooling=pooling)
    seen = set()
    for host in hosts(V4, 150):
        address, port = site.open("udp", (host, 7), REMOTE)
        assert port in engine.PortSet.parse(externals[address])
        seen.add(address)
    assert seen == set(externals)


def test_an_address_without_ports_serves_no_mappings(engine: Engine) -> None:
    externals: dict[str, str | None] = {FOUR[0]: None, FOUR[1]: "2000-2999", FOUR[2]: None}
    for pooling in ("paired", "arbitrary"):
        site = Site(engine, externals=externals, pooling=pooling)
        used = {site.open("udp", (host, 7), REMOTE)[0] for host in hosts(V4, 50)}
        assert used == {FOUR[1]}


SIX: dict[str, str | None] = {FOUR[0]: "2000-2002", FOUR[1]: "2000-2002"}


def test_paired_a_host_whose_address_is_exhausted_is_refused(engine: Engine) -> None:
    """And does not get the other address, which its flows do not come from."""
    site = Site(engine, "eim/apdf", externals=SIX)
    host = V4.hosts[0]
    used = {site.open("udp", (host, 1 + n), REMOTE)[0] for n in range(3)}
    assert len(used) == 1
    assert site.attempt("udp", (host, 9), REMOTE) == "no-port"
    other = next(h for h in hosts(V4, 99) if site.attempt("udp", (h, 1), REMOTE) == "translated")
    assert site.open("udp", (other, 1), REMOTE)[0] not in used


@pytest.mark.parametrize(
    "way", ["eim/apdf", "apdm/apdf+sequential", "apdm/apdf+overload+sticky", "symmetric"]
)
def test_arbitrary_every_port_of_every_address_is_found(engine: Engine, way: str) -> None:
    site = Site(engine, way, externals=SIX, pooling="arbitrary")
    given = {site.open("udp", (V4.hosts[n], 4000), REMOTE) for n in range(6)}
    assert given == {(address, port) for address in SIX for port in (2000, 2001, 2002)}
    assert site.attempt("udp", (V4.hosts[7], 4000), REMOTE) == "no-port"


@pytest.mark.parametrize("way", ["apdm/apdf+distinct", "apdm/apdf+distinct+sequential"])
def test_arbitrary_distinct_ports_are_found_on_every_address(engine: Engine, way: str) -> None:
    """Each endpoint may have each port of each address once, shared with other endpoints."""
    site = Site(engine, way, externals=SIX, pooling="arbitrary")
    for host in range(3):
        given = {
            site.open("udp", (V4.hosts[host], 4000), (V4.remotes[10 * host + n], 80))
            for n in range(6)
        }
        assert len(given) == 6
        last = (V4.remotes[10 * host + 9], 80)
        assert site.attempt("udp", (V4.hosts[host], 4000), last) == "no-port"


@pytest.mark.parametrize("selection", ["random", "preserve", "sequential"])
def test_arbitrary_sticky_keeps_address_and_port(engine: Engine, selection: str) -> None:
    way = f"apdm/apdf+overload+{selection}+sticky"
    site = Site(engine, way, externals=POOL, pooling="arbitrary")
    for host in V4.hosts[:8]:
        given = {site.open("udp", (host, 4000), remote("udp", V4, n)) for n in range(12)}
        assert len(given) == 1
    before = given.pop()
    site.now = 10**6
    site.expire()
    assert site.open("udp", (host, 4000), remote("udp", V4, 20)) == before


def test_arbitrary_sticky_goes_elsewhere_where_its_port_is_taken(engine: Engine) -> None:
    externals: dict[str, str | None] = {FOUR[0]: "2000", FOUR[1]: "2000"}
    way = "apdm/apdf+overload+sticky"
    site = Site(engine, way, externals=externals, pooling="arbitrary")
    mine = site.open("udp", (V4.hosts[0], 4000), remote("udp", V4, 0))
    site.open("udp", (V4.hosts[1], 4000), remote("udp", V4, 1))
    shared = site.open("udp", (V4.hosts[2], 4000), remote("udp", V4, 2))
    holder = V4.hosts[0] if shared == mine else V4.hosts[1]
    assert site.open("udp", (holder, 4000), remote("udp", V4, 2)) != shared
    assert site.attempt("udp", (V4.hosts[3], 4000), remote("udp", V4, 2)) == "no-port"
