"""An external address that is lost for a time: what is new gets another, what was there goes on."""

from ipaddress import ip_address

import pytest

from support.availability import become
from support.flavours import Engine
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

FOUR = tuple(f"203.0.113.{n}" for n in range(1, 5))
FOUR6 = tuple(f"2001:db8:ffff::{n}" for n in range(1, 5))
POOL: dict[str, str | None] = dict.fromkeys((*FOUR, *FOUR6), "10000-10999")
FAMILIES = pytest.mark.parametrize(
    ("places", "addresses"), [(V4, FOUR), (V6, FOUR6)], ids=["ipv4", "ipv6"]
)
WAYS = ["eim/eif", "apdm/apdf+overload+sticky", "symmetric"]


def remote(protocol: str, places: Places, number: int) -> tuple[str, int]:
    return places.remotes[number], 0 if protocol == "icmp" else 80 + number


def used(site: Site, places: Places, host: str, first: int, protocol: str = "udp") -> set[str]:
    """The external addresses of eight new flows."""
    return {
        site.open(protocol, (host, 4000 + n), remote(protocol, places, n))[0]
        for n in range(first, first + 8)
    }


@FAMILIES
@pytest.mark.parametrize("pooling", ["paired", "arbitrary"])
@pytest.mark.parametrize("kind", ["LOST", "GIVEN_UP"])
def test_new_hosts_never_get_a_lost_address(
    engine: Engine, places: Places, addresses: tuple[str, ...], pooling: str, kind: str
) -> None:
    site = Site(engine, "symmetric", externals=POOL, pooling=pooling)
    become(site, **{kind: addresses[:2]})
    for host in places.hosts:
        for protocol in WITH_PORTS:
            assert used(site, places, host, 0, protocol) <= set(addresses[2:])


@FAMILIES
@pytest.mark.parametrize("way", WAYS)
def test_a_paired_host_waits_and_moves_when_its_address_is_given_up(
    engine: Engine, places: Places, addresses: tuple[str, ...], way: str
) -> None:
    site = Site(engine, way, externals=POOL)
    (host, *_) = places.hosts
    (address,) = used(site, places, host, 0)
    become(site, LOST=(address,))
    for protocol in WITH_PORTS:
        attempt = site.attempt(protocol, (host, 5000), remote(protocol, places, 20))
        assert attempt == "address-lost"
    assert site.outgoing() == []  # TCP asks again by itself
    become(site, GIVEN_UP=(address,))
    (second,) = used(site, places, host, 30)
    assert second != address and second in addresses
    assert used(site, places, host, 60, "tcp") == {second}
    become(site)
    assert used(site, places, host, 90) <= {address, second}


@FAMILIES
@pytest.mark.parametrize("kind", ["LOST", "GIVEN_UP"])
def test_flows_of_a_lost_address_go_on(
    engine: Engine, places: Places, addresses: tuple[str, ...], kind: str
) -> None:
    site = Site(engine, "eim/apdf", externals=POOL)
    inside, outside = (places.hosts[0], 4000), remote("udp", places, 0)
    external = site.open("udp", inside, outside)
    become(site, **{kind: (external[0],)})
    assert site.open("udp", inside, outside) == external
    assert site.answer("udp", outside, external) == "translated"
    # Endpoint-independent mapping (RFC 4787 REQ-1) is stronger than that it is lost.
    assert site.open("udp", inside, remote("udp", places, 1)) == external


def test_a_host_stays_with_the_address_it_moved_to(engine: Engine) -> None:
    """Also while others are given up or come back, as long as it has mappings there."""
    site = Site(engine, "symmetric", externals=POOL)
    (host, *_) = V4.hosts
    (address,) = used(site, V4, host, 0)
    become(site, GIVEN_UP=(address,))
    (second,) = used(site, V4, host, 10)
    others = tuple(one for one in FOUR if one not in (address, second))
    for lost in ((address,), (address, *others), (address, others[0])):
        become(site, GIVEN_UP=lost)
        assert used(site, V4, host, 20) == {second}


@FAMILIES
@pytest.mark.parametrize("kind", ["LOST", "GIVEN_UP"])
def test_with_only_one_address_nothing_changes(
    engine: Engine, places: Places, addresses: tuple[str, ...], kind: str
) -> None:
    """Nor where all are lost: who waits for the first of them?"""
    for count in (1, 2):
        site = Site(engine, externals=dict.fromkeys(addresses[:count], "10000-10999"))
        (address,) = used(site, places, places.hosts[0], 0)
        become(site, **{kind: addresses[:count]})
        assert used(site, places, places.hosts[0], 20) == {address}


@FAMILIES
def test_blocks_are_of_an_address_that_is_there(
    engine: Engine, places: Places, addresses: tuple[str, ...]
) -> None:
    site = Site(engine, "symmetric", externals=POOL, port_block=100)
    (host, other, *_) = places.hosts
    (address,) = used(site, places, host, 0)
    become(site, LOST=(address,))
    attempt = site.attempt("udp", (host, 5000), remote("udp", places, 20))
    assert attempt == "address-lost"
    assert address not in used(site, places, other, 0)
    become(site, GIVEN_UP=(address,))
    (second,) = used(site, places, host, 30)
    assert second != address


def test_forwards_of_a_lost_address_stay(engine: Engine) -> None:
    inside = V4.hosts[0]
    forward = f"tcp:{FOUR[0]}:10080={inside}:8080"
    site = Site(engine, externals=dict.fromkeys(FOUR, "10000-10999"), forwards=(forward,))
    become(site, GIVEN_UP=FOUR[:1])
    assert site.admits("tcp", (V4.remotes[0], 5000), (FOUR[0], 10080))


def test_the_endpoint_had_last_is_not_had_again_while_its_address_is_lost(engine: Engine) -> None:
    site = Site(engine, "apdm/apdf+overload+sticky", externals=POOL, pooling="arbitrary")
    inside = (V4.hosts[0], 4000)
    address, port = site.open("udp", inside, remote("udp", V4, 0))
    become(site, LOST=(address,))
    assert site.open("udp", inside, remote("udp", V4, 1))[0] != address
    become(site)
    assert site.nat.usage()["sessions"] == 2


def test_explain_says_so(engine: Engine) -> None:
    site = Site(engine, "symmetric", externals=POOL)
    host, outside = V4.hosts[0], remote("udp", V4, 20)
    (address,) = used(site, V4, host, 0)
    become(site, LOST=(address,))
    ends = [(ip_address(name), port) for name, port in ((host, 5000), outside)]
    assert site.nat.explain("udp", *ends, site.now, None).verdict == "address-lost"
    become(site, GIVEN_UP=(address,))
    said = site.nat.explain("udp", *ends, site.now, None)
    assert said.verdict == "translated" and str(said.external[0]) != address
