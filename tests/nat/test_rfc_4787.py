"""RFC 4787: what holds for all of a NAT's behaviour, whatever the rest of it is doing."""

import struct

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS, ip

FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
PORT = 4000


def remote(protocol: str, places: Places, address: int, port: int) -> Endpoint:
    return places.remotes[address], 0 if protocol == "icmp" else port


def behaves(site: Site, protocol: str, places: Places, host: str, filtering: str) -> Endpoint:
    """Check mapping and filtering of a host's endpoint; the external one it has."""
    seen = {
        site.open(protocol, (host, PORT), remote(protocol, places, address, port))
        for address, port in ((0, 80), (0, 81), (1, 80))
    }
    (external,) = seen
    assert site.answer(protocol, remote(protocol, places, 1, 80), external) == "translated"
    assert site.seen().destination == (host, PORT)
    stranger = site.attempt(protocol, remote(protocol, places, 5, 80), external)
    assert stranger == ("translated" if filtering == "eif" else "filtered")
    return external


@FAMILIES
@pytest.mark.parametrize("filtering", ["eif", "adf", "apdf"])
@pytest.mark.parametrize("selection", ["random", "preserve", "sequential"])
@pytest.mark.parametrize("protocol", WITH_PORTS)
def test_the_type_is_the_same_when_ports_run_out_and_hosts_collide(
    engine: Engine, protocol: str, selection: str, filtering: str, places: Places
) -> None:
    """REQ-11: every host has the same internal port, and the last of them finds none outside."""
    site = Site(engine, f"eim/{filtering}+{selection}", ports="2000-2004")
    given = {host: behaves(site, protocol, places, host, filtering) for host in places.hosts[:5]}
    assert len(set(given.values())) == 5
    refused = site.attempt(protocol, (places.hosts[5], PORT), remote(protocol, places, 0, 80))
    assert refused == "no-port"
    for host, external in given.items():
        assert behaves(site, protocol, places, host, filtering) == external


@FAMILIES
@pytest.mark.parametrize("code", [0, 3, 4, 13])
def test_no_message_of_icmp_ends_a_mapping(engine: Engine, code: int, places: Places) -> None:
    """REQ-12, RFC 5382 REQ-10: any type, about the mapping's own packets, from either side."""
    site = Site(engine, "eim/eif")
    host, far = (places.hosts[0], PORT), (places.remotes[0], 80)
    externals = {protocol: site.open(protocol, host, far) for protocol in ("tcp", "udp")}
    rows = [row for row in site.mappings() if row.protocol != "icmp"]
    for protocol, external in externals.items():
        site.open(protocol, host, far)
        outside = bytes(site.packet)
        assert site.answer(protocol, far, external) == "translated"
        inside = bytes(site.packet)
        for kind in range(256):
            head = struct.pack("!BBHI", kind, code, 0, 0)
            site.send(ip(far[0], external[0], "icmp", head + outside))
            site.send(ip(host[0], far[0], "icmp", head + inside))
    assert [row for row in site.mappings() if row.protocol != "icmp"] == rows
    for protocol, external in externals.items():
        assert site.answer(protocol, far, external) == "translated"
        assert site.open(protocol, host, far) == external
