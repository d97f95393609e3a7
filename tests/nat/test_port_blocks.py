"""Ports in blocks (RFC 6888 REQ-14): who has a port can be told from who had its block."""

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Site
from support.wire import WITH_PORTS

HOST, OTHER = V4.hosts[:2]
REMOTE = (V4.remotes[0], 80)
IDLE = {"udp": 60, "icmp": 60, "tcp_opening": 60}


def site_of(
    engine: Engine, way: str = "eim/apdf", ports: str = "2000-2039", **more: object
) -> Site:
    """Ten blocks of four ports, two for each host, unless the test wants others."""
    given = {"port_block": 4, "blocks_per_host": 2, "timeouts": IDLE, **more}
    return Site(engine, way, externals={V4.external: ports}, **given)


def block(port: int) -> int:
    return (port - 2000) // 4


def remote(protocol: str) -> Endpoint:
    return V4.remotes[0], 0 if protocol == "icmp" else 80


def fill(site: Site, host: str, count: int, first: int = 4000) -> list[int]:
    return [site.open("udp", (host, first + n), REMOTE)[1] for n in range(count)]


WAYS = pytest.mark.parametrize(
    "way", ["eim/apdf", "eim/eif", "eim/apdf+preserve", "apdm/apdf+sequential+parity"]
)


@WAYS
def test_a_host_fills_one_block_before_it_gets_the_next(engine: Engine, way: str) -> None:
    site = site_of(engine, way)
    given = fill(site, HOST, 8)
    assert len(set(given)) == 8
    assert len({block(port) for port in given[:4]}) == 1
    assert len({block(port) for port in given[4:]}) == 1
    assert block(given[0]) != block(given[4])


@WAYS
def test_a_host_gets_no_more_blocks_than_it_may_have(engine: Engine, way: str) -> None:
    site = site_of(engine, way)
    fill(site, HOST, 8)
    assert site.attempt("udp", (HOST, 5000), REMOTE) == "no-port"
    # There are others for other hosts.
    assert site.attempt("udp", (OTHER, 5000), REMOTE) == "translated"


@WAYS
def test_no_two_hosts_have_ports_of_one_block(engine: Engine, way: str) -> None:
    site = site_of(engine, way, blocks_per_host=4)
    owners: dict[int, str] = {}
    for n in range(12):
        for host in V4.hosts[:3]:
            port = site.open("udp", (host, 4000 + n), REMOTE)[1]
            assert owners.setdefault(block(port), host) == host
    assert len(owners) == 9
    assert site.attempt("udp", (V4.hosts[4], 1), REMOTE) == "translated"
    assert site.attempt("udp", (V4.hosts[5], 1), REMOTE) == "no-port"


def test_all_protocols_share_a_hosts_block(engine: Engine) -> None:
    site = site_of(engine, blocks_per_host=1)
    for protocol in WITH_PORTS:
        given = [site.open(protocol, (HOST, 4000 + n), remote(protocol))[1] for n in range(4)]
        assert len({block(port) for port in given}) == 1
        assert site.attempt(protocol, (HOST, 5000), remote(protocol)) == "no-port"
    assert len({block(row.external_port) for row in site.mappings()}) == 1


@pytest.mark.parametrize("protocol", WITH_PORTS)
def test_a_block_is_given_back_with_its_last_mapping(engine: Engine, protocol: str) -> None:
    site = site_of(engine, ports="2000-2003", blocks_per_host=1)
    for n in range(2):
        site.now = 30_000 * n
        site.open(protocol, (HOST, 4000 + n), remote(protocol))
    site.now = 60_000
    site.expire()
    assert len(site.mappings()) == 1
    assert site.attempt(protocol, (OTHER, 4000), remote(protocol)) == "no-port"
    site.now = 90_000
    site.expire()
    assert site.is_empty()
    assert site.attempt(protocol, (OTHER, 4000), remote(protocol)) == "translated"


def test_a_block_is_kept_by_a_mapping_of_any_protocol(engine: Engine) -> None:
    site = site_of(engine, ports="2000-2003", timeouts={"udp": 60, "tcp_opening": 120})
    site.open("tcp", (HOST, 4000), REMOTE)
    site.open("udp", (HOST, 4000), REMOTE)
    site.now = 60_000
    assert site.attempt("udp", (OTHER, 4000), REMOTE) == "no-port"
    site.now = 120_000
    assert site.attempt("udp", (OTHER, 4000), REMOTE) == "translated"


def test_blocks_of_expired_mappings_are_free_although_nothing_swept(engine: Engine) -> None:
    site = site_of(engine, ports="2000-2003")
    fill(site, HOST, 4)
    site.now = 60_000
    assert len(fill(site, OTHER, 4)) == 4


def test_blocks_come_in_no_order(engine: Engine) -> None:
    site = Site(engine, externals={V4.external: "2000-3999"}, port_block=100)
    given = [block(site.open("udp", (host, 1), REMOTE)[1]) // 25 for host in V4.hosts]
    assert len(set(given)) == len(given)
    assert given != sorted(given) and given != sorted(given, reverse=True)


def test_a_rest_of_ports_too_few_for_a_block_is_not_used(engine: Engine) -> None:
    site = site_of(engine, ports="2000-2003,3000-3002", blocks_per_host=4)
    assert sorted(fill(site, HOST, 4)) == [2000, 2001, 2002, 2003]
    assert site.attempt("udp", (HOST, 5000), REMOTE) == "no-port"


def test_a_block_may_lie_across_a_gap_of_the_permitted_ports(engine: Engine) -> None:
    site = site_of(engine, ports="2000-2001,3000-3001", blocks_per_host=4)
    assert sorted(fill(site, HOST, 4)) == [2000, 2001, 3000, 3001]


def test_a_host_has_blocks_of_each_family(engine: Engine) -> None:
    externals: dict[str, str | None] = {V4.external: "2000-2007", V6.external: "2000-2007"}
    site = Site(engine, externals=externals, port_block=4, blocks_per_host=1)
    for places in (V4, V6):
        for host in places.hosts[:2]:
            given = {site.open("udp", (host, 4000 + n), (places.remotes[0], 80)) for n in range(4)}
            assert len({block(port) for _, port in given}) == 1
            assert {address for address, _ in given} == {places.external}
            assert site.attempt("udp", (host, 5000), (places.remotes[0], 80)) == "no-port"


def test_overloaded_ports_of_a_block_serve_many_remotes_of_one_host(engine: Engine) -> None:
    site = site_of(engine, "apdm/apdf+overload", blocks_per_host=1)
    given = {site.open("udp", (HOST, 4000 + n), (V4.remotes[n], 80))[1] for n in range(40)}
    assert len({block(port) for port in given}) == 1
    others = {site.open("udp", (OTHER, 4000 + n), (V4.remotes[n], 80))[1] for n in range(40)}
    assert len({block(port) for port in others}) == 1
    assert not given & others


def test_protocols_without_ports_need_no_block(engine: Engine) -> None:
    site = site_of(engine, ports="2000-2003", blocks_per_host=1)
    fill(site, HOST, 4)
    assert site.attempt("gre", (OTHER, 0), (V4.remotes[0], 0)) == "translated"


def test_a_block_of_reserved_ports_does_not_stand_in_the_way(engine: Engine) -> None:
    """Static forwards have all TCP ports of nine blocks of ten; the tenth is still found."""
    site = site_of(engine, forwards=("tcp:2000-2035=192.168.1.99",), blocks_per_host=1)
    given = {site.open("tcp", (HOST, 4000 + n), REMOTE)[1] for n in range(4)}
    assert given == {2036, 2037, 2038, 2039}


def test_a_sticky_port_is_found_in_whatever_block_it_is(engine: Engine) -> None:
    """Also where a block that was granted earlier has room."""
    site = site_of(engine, "apdm/apdf+overload+sticky")
    early = [site.open("udp", (HOST, 4000 + n), REMOTE)[1] for n in range(4)]
    late = site.open("udp", (HOST, 5000), REMOTE)[1]
    assert block(late) != block(early[0])
    site.now = 59_000
    for n in (0, 1, 2):
        site.open("udp", (HOST, 4000 + n), REMOTE)
    site.open("udp", (HOST, 5000), REMOTE)
    site.now = 60_000
    assert site.open("udp", (HOST, 5000), (V4.remotes[1], 80))[1] == late


@pytest.mark.parametrize("protocol", sorted(WITH_PORTS))
def test_no_mapping_has_a_port_of_a_block_that_a_forward_has(engine: Engine, protocol: str) -> None:
    """Blocks serve all protocols, so the forward of one takes its port from the blocks: a mapping
    with it would have no block to hold, and to give back."""
    site = site_of(
        engine, "eim/apdf+preserve", blocks_per_host=1, forwards=("tcp:2001=192.168.1.99",)
    )
    for _ in range(5):
        for host in V4.hosts[:3]:
            assert site.open(protocol, (host, 2001), remote(protocol))[1] != 2001
        site.now += 1_000_000
        site.nat.expire(site.now, 100)
    # All nine blocks are free again.
    hosts = [f"192.168.1.{n}" for n in range(100, 109)]
    assert [site.attempt("udp", (host, 4000), REMOTE) for host in hosts] == ["translated"] * 9
