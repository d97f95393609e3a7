"""Ports rest for two minutes where strangers' late packets could reach their next user.

RFC 6888 REQ-8; its exceptions are tracked connections (A), static ports (B) and filters that keep
strangers out (C).
"""

from itertools import product

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site

HOST, OTHER = V4.hosts[:2]
REMOTE = (V4.remotes[0], 80)
IDLE = {"udp": 60, "icmp": 60, "tcp_opening": 60}
END, REST = 60_000, 120_000
UNTRACKED = ("udp", "icmp", "udplite")
TRACKED = ("tcp", "dccp", "sctp")


def remote(protocol: str, places: Places = V4) -> Endpoint:
    return places.remotes[0], 0 if protocol == "icmp" else 80


def ended(engine: Engine, way: str, protocol: str, ports: str = "2000-2001", **more: int) -> Site:
    """A site whose one mapping, on port 2000 or 2001, ended just now."""
    site = Site(engine, way, ports=ports, timeouts={**IDLE, **more})
    site.open(protocol, (HOST, 4000), remote(protocol))
    site.now = END
    site.expire()
    assert site.is_empty()
    return site


def next_port(site: Site, protocol: str, internal: int = 5000) -> int:
    """The port another host gets."""
    return site.open(protocol, (OTHER, internal), remote(protocol))[1]


@pytest.mark.parametrize("mapping", ["eim", "adm", "apdm"])
@pytest.mark.parametrize("protocol", UNTRACKED)
@pytest.mark.parametrize("selection", ["random", "preserve", "sequential"])
def test_an_open_port_rests_for_two_minutes(
    engine: Engine, mapping: str, protocol: str, selection: str
) -> None:
    """Of two ports the one that was not used is given, whoever asks and however often."""
    site = Site(engine, f"{mapping}/eif+{selection}", ports="2000-2001", timeouts=IDLE)
    before = site.open(protocol, (HOST, 4000), remote(protocol))[1]
    for turn in range(6):
        # Each mapping ends 61 s after the last, so that its port always has 59 s more to rest.
        site.now += END + 1_000
        site.expire()
        assert site.is_empty()
        given = site.open(protocol, (V4.hosts[turn], 2000), remote(protocol))[1]
        assert given == 4001 - before
        before = given


@pytest.mark.parametrize("protocol", UNTRACKED)
def test_a_port_that_has_rested_is_unused_like_any_other(engine: Engine, protocol: str) -> None:
    site = Site(engine, "eim/eif+preserve", ports="2000-2999", timeouts=IDLE)
    assert site.open(protocol, (HOST, 2345), remote(protocol))[1] == 2345
    site.now = END
    site.expire()
    site.now = END + REST - 1
    assert site.open(protocol, (OTHER, 2345), remote(protocol))[1] != 2345
    site.now = END + REST
    assert site.open(protocol, (V4.hosts[2], 2345), remote(protocol))[1] == 2345


def test_over_ipv6_ports_rest_too(engine: Engine) -> None:
    site = Site(engine, "eim/eif+preserve", timeouts=IDLE)
    for places in (V4, V6):
        assert site.open("udp", (places.hosts[0], 2345), remote("udp", places))[1] == 2345
    site.now = END
    site.expire()
    for places in (V4, V6):
        assert site.open("udp", (places.hosts[1], 2345), remote("udp", places))[1] != 2345


@pytest.mark.parametrize("protocol", TRACKED)
def test_ports_of_tracked_connections_need_no_rest(engine: Engine, protocol: str) -> None:
    """REQ-8 A."""
    site = ended(engine, "eim/eif+preserve", protocol, ports="4000-4009")
    assert next_port(site, protocol, 4000) == 4000


@pytest.mark.parametrize(
    ("mapping", "filtering"), [*product(["eim", "adm", "apdm"], ["adf", "apdf"])]
)
@pytest.mark.parametrize("protocol", UNTRACKED)
def test_filtered_ports_need_no_rest(
    engine: Engine, mapping: str, filtering: str, protocol: str
) -> None:
    """REQ-8 C."""
    way = f"{mapping}/{filtering}+preserve"
    site = ended(engine, way, protocol, ports="4000-4009")
    assert next_port(site, protocol, 4000) == 4000


def test_the_time_of_rest_is_a_setting_and_may_be_none(engine: Engine) -> None:
    site = ended(engine, "eim/eif+preserve", "udp", ports="4000-4009", rest=0)
    assert next_port(site, "udp", 4000) == 4000
    site = ended(engine, "eim/eif+preserve", "udp", ports="4000-4009", rest=5)
    site.now = END + 4_999
    assert next_port(site, "udp", 4000) != 4000
    site.now = END + 5_000
    assert site.open("udp", (V4.hosts[3], 4000), REMOTE)[1] == 4000


def test_where_nothing_else_is_left_the_port_that_rested_longest_serves(engine: Engine) -> None:
    site = Site(engine, "eim/eif", ports="2000-2003", timeouts=IDLE)
    order = []
    for n in range(4):
        site.now = 1_000 * n
        order.append(site.open("udp", (HOST, 4000 + n), REMOTE)[1])
    for n in range(4):
        site.now = END + 1_000 * n
        site.expire()
    assert site.is_empty()
    assert [next_port(site, "udp", 5000 + n) for n in range(4)] == order


def test_an_unused_port_of_the_other_class_or_parity_goes_before_one_that_rests(
    engine: Engine,
) -> None:
    """The rest protects somebody (REQ-8); class and parity are wishes."""
    for ports, internal in (("1023-1024", 4000), ("2000-2001", 4000)):
        site = Site(engine, "eim/eif+parity", ports=ports, timeouts=IDLE)
        before = site.open("udp", (HOST, internal), REMOTE)[1]
        site.now = END
        site.expire()
        assert site.open("udp", (OTHER, internal), REMOTE)[1] != before


def test_a_port_that_rests_is_not_counted_as_used_and_admits_nobody(engine: Engine) -> None:
    site = Site(engine, "eim/eif", timeouts=IDLE)
    external = site.open("udp", (HOST, 4000), REMOTE)
    site.now = END
    site.expire()
    assert site.nat.usage()["ports"]["udp"]["used"] == 0
    assert site.attempt("udp", REMOTE, external) == "no-mapping"


def test_every_port_is_found_again_after_its_rest(engine: Engine) -> None:
    site = Site(engine, "eim/eif", ports="2000-2049", timeouts=IDLE)
    for turn in range(3):
        given = {site.open("udp", (HOST, 4000 + n), REMOTE)[1] for n in range(50)}
        assert given == set(range(2000, 2050))
        site.now += END + REST * (turn % 2)
        site.expire()
        assert site.is_empty()


def test_an_unused_port_of_another_address_goes_before_one_that_rests(engine: Engine) -> None:
    """With arbitrary pooling all addresses are the host's to have."""
    externals: dict[str, str | None] = {V4.external: "2000", V4.other_external: "2000"}
    site = Site(engine, "eim/eif", externals=externals, pooling="arbitrary", timeouts=IDLE)
    before = site.open("udp", (HOST, 4000), REMOTE)
    for turn in range(8):
        site.now += END + 1_000
        site.expire()
        given = site.open("udp", (V4.hosts[turn], 4000), REMOTE)
        assert given != before
        before = given


def test_another_block_goes_before_a_port_that_rests(engine: Engine) -> None:
    site = Site(
        engine,
        "eim/eif",
        externals={V4.external: "2000-2015"},
        port_block=4,
        blocks_per_host=2,
        timeouts=IDLE,
    )
    first = [site.open("udp", (HOST, 4000 + n), REMOTE)[1] for n in range(4)]
    site.now = END - 1
    for n in range(3):
        site.open("udp", (HOST, 4000 + n), REMOTE)
    site.now = END
    site.expire()
    assert site.open("udp", (HOST, 5000), REMOTE)[1] != first[3]


def test_what_one_host_needs_does_not_end_the_rest_of_other_hosts_ports(engine: Engine) -> None:
    """A host is confined to its block: to wake ports outside of it helps nobody."""
    site = Site(
        engine,
        "eim/eif+preserve",
        externals={V4.external: "2000-2007"},
        port_block=4,
        blocks_per_host=1,
        timeouts=IDLE,
    )
    given = []
    for n in range(4):
        site.now = 1_000 * n
        given.append(site.open("udp", (HOST, 4000 + n), REMOTE)[1])
    site.now = END + 2_500
    site.expire()
    # Three ports rest, and the fourth keeps the block; another host fills its own.
    others = {site.open("udp", (OTHER, 5000 + n), REMOTE)[1] for n in range(4)}
    assert others | set(given) == set(range(2000, 2008))
    assert site.attempt("udp", (OTHER, 6000), REMOTE) == "no-port"
    # The port that would be preserved still rests, so the one that has rested longest serves.
    assert site.open("udp", (HOST, given[2]), REMOTE)[1] == given[0]
