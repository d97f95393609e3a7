"""RFC 7857: protocols are independent of each other, and refused packets refresh nothing."""

from itertools import permutations

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
PORT = 4000


def remote(protocol: str, places: Places, address: int, port: int = 80) -> Endpoint:
    return places.remotes[address], 0 if protocol == "icmp" else port


@FAMILIES
def test_each_protocol_has_mappings_of_its_own(engine: Engine, places: Places) -> None:
    """Section 5: one internal endpoint, and an external one for each protocol."""
    site = Site(engine, "eim/eif", ports="2000-9999")
    host = (places.hosts[0], PORT)
    given = {name: site.open(name, host, remote(name, places, 0)) for name in WITH_PORTS}
    assert len(set(given.values())) == len(WITH_PORTS)
    for name, external in given.items():
        assert site.open(name, host, remote(name, places, 1)) == external


@FAMILIES
@pytest.mark.parametrize(("opened", "other"), [*permutations(WITH_PORTS, 2)])
def test_what_one_protocol_opens_is_closed_to_the_others(
    engine: Engine, opened: str, other: str, places: Places
) -> None:
    """Section 6."""
    site = Site(engine, "eim/eif", ports="2000")
    external = site.open(opened, (places.hosts[0], PORT), remote(opened, places, 0))
    assert site.attempt(other, remote(other, places, 0), external) == "no-mapping"
    assert site.attempt(opened, remote(opened, places, 1), external) == "translated"


@FAMILIES
@pytest.mark.parametrize("way", ["eim/eif", "eim/adf", "eim/apdf"])
@pytest.mark.parametrize("protocol", WITH_PORTS)
def test_packets_that_are_refused_keep_no_mapping(
    engine: Engine, protocol: str, way: str, places: Places
) -> None:
    """Section 7: by the filter, or with EIF by a limit."""
    limits = {"inbound_sessions": 1}
    timeouts = {"udp": 100, "icmp": 100, "tcp_opening": 100}
    site = Site(engine, way, limits=limits, timeouts=timeouts)
    external = site.open(protocol, (places.hosts[0], PORT), remote(protocol, places, 0))
    if way == "eim/eif":
        assert site.attempt(protocol, remote(protocol, places, 1), external) == "translated"
    for site.now in range(0, 100_000, 5_000):
        verdict = site.attempt(protocol, remote(protocol, places, 2), external)
        assert verdict == ("inbound-limit" if way == "eim/eif" else "filtered")
    site.now = 100_000
    assert site.attempt(protocol, remote(protocol, places, 2), external) == "no-mapping"


@FAMILIES
def test_a_query_mapping_ends_with_its_last_session(engine: Engine, places: Places) -> None:
    """Section 11: not before, and not after."""
    site = Site(engine, "eim/eif", timeouts={"icmp": 60})
    host = (places.hosts[0], PORT)
    external = site.open("icmp", host, remote("icmp", places, 0))
    site.now = 30_000
    assert site.open("icmp", host, remote("icmp", places, 1)) == external
    site.now = 89_999
    assert [row.protocol for row in site.mappings()] == ["icmp"]
    assert site.answer("icmp", remote("icmp", places, 1), external) == "translated"
    site.now += 60_000
    site.expire()
    assert site.is_empty()
