"""One-to-one addresses (RFC 3022 section 2.1, Basic NAT), and the limits of all static forwards."""

import pytest

from support.families import error
from support.flavours import Engine
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS, packet

FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
PROTOCOLS = pytest.mark.parametrize("protocol", [*WITH_PORTS, "gre"])
WAYS = pytest.mark.parametrize("way", ["eim/eif", "eim/apdf", "adm/adf", "symmetric"])
SERVER, CLIENT = V4.hosts[:2]
EXTERNAL = V4.external
R1, R2 = V4.remotes[:2]


def site_of(engine: Engine, way: str = "eim/apdf", **more: object) -> Site:
    """The other external address of each family is a host's own."""
    externals: dict[str, str | None] = {
        **{V4.external: "10000-10999", V4.other_external: None},
        **{V6.external: "10000-10999", V6.other_external: None},
    }
    pairs = tuple(f"{places.other_external}={places.hosts[0]}" for places in (V4, V6))
    return Site(engine, way, externals=externals, one_to_one=pairs, **more)


def ports(protocol: str, inside: int, outside: int) -> tuple[int, int]:
    """As a packet has them: an Echo has one identifier, GRE nothing."""
    if protocol == "gre":
        return 0, 0
    return (inside, 0) if protocol == "icmp" else (inside, outside)


@FAMILIES
@PROTOCOLS
@WAYS
def test_in_by_the_address_and_back_out(
    engine: Engine, places: Places, protocol: str, way: str
) -> None:
    site = site_of(engine, way)
    host = places.hosts[0]
    for n in (1, 500, 65535):
        inside, outside = ports(protocol, n, 777)
        far = (places.remotes[0], outside)
        seen = site.passes(packet(protocol, far, (places.other_external, inside)))
        assert (seen.source[0], seen.destination) == (far[0], (host, inside))
        back = site.passes(packet(protocol, (host, inside), far, "answer"))
        assert back.source == (places.other_external, inside)


@FAMILIES
@PROTOCOLS
@WAYS
def test_out_by_the_address_and_back_in(
    engine: Engine, places: Places, protocol: str, way: str
) -> None:
    site = site_of(engine, way)
    host = places.hosts[0]
    for remote in places.remotes[:3]:
        inside, outside = ports(protocol, 4000, 80)
        external = site.open(protocol, (host, inside), (remote, outside))
        assert external == (places.other_external, inside)
        answer = packet(protocol, (remote, outside), external, "answer")
        assert site.passes(answer).destination == (host, inside)


@FAMILIES
def test_others_do_not_go_out_by_it(engine: Engine, places: Places) -> None:
    site = site_of(engine)
    for host in places.hosts[1:]:
        assert site.open("udp", (host, 4000), (places.remotes[0], 80))[0] == places.external


@FAMILIES
@pytest.mark.parametrize("protocol", [name for name in WITH_PORTS if name != "icmp"])
def test_from_inside_the_host_is_reached_by_its_external_address(
    engine: Engine, places: Places, protocol: str
) -> None:
    site = site_of(engine)
    client = (places.hosts[1], 4000)
    seen = site.passes(packet(protocol, client, (places.other_external, 80)))
    assert seen.destination == (places.hosts[0], 80)
    back = site.passes(packet(protocol, seen.destination, seen.source, "answer"))
    assert back == ((places.other_external, 80), client)


@FAMILIES
def test_from_inside_the_host_answers_an_echo(engine: Engine, places: Places) -> None:
    """RFC 5508 REQ-7 asks for errors and queries across the hairpin."""
    site = site_of(engine)
    client, address = (places.hosts[1], 4000), places.other_external
    seen = site.passes(packet("icmp", client, (address, 0)))
    assert (seen.source[0], seen.destination[0]) == (places.external, places.hosts[0])
    question = (places.hosts[0], seen.destination[1])
    back = site.passes(packet("icmp", question, (places.external, 0), "answer"))
    assert (back.source[0], back.destination) == (address, client)


def test_it_has_no_dynamic_ports(engine: Engine) -> None:
    total = site_of(engine).nat.usage()["ports"]["udp"]["total"]
    assert total == 2000


FORWARD = f"tcp+udp:5000-5099={SERVER}"


def test_outsiders_open_at_most_the_inbound_limit_by_forwards(engine: Engine) -> None:
    site = Site(engine, forwards=(FORWARD,), limits={"inbound_sessions": 5})
    verdicts = [site.attempt("udp", (R1, 1 + n), (EXTERNAL, 5000 + n)) for n in range(7)]
    assert verdicts == ["translated"] * 5 + ["inbound-limit"] * 2
    # The inside, and what it opens with the server, go on.
    assert site.attempt("udp", (SERVER, 5050), (R2, 80)) == "translated"
    assert site.attempt("udp", (CLIENT, 4000), (EXTERNAL, 5060)) == "translated"


def test_unanswered_sessions_of_a_forward_are_few_and_answered_ones_many(engine: Engine) -> None:
    site = Site(engine, forwards=(FORWARD,), limits={"unanswered_sessions": 3})
    for n in range(20):
        assert site.attempt("udp", (R1, 1 + n), (EXTERNAL, 5000)) == "translated"
        assert site.answer("udp", (SERVER, 5000), (R1, 1 + n)) == "translated"
    verdicts = [site.attempt("udp", (R2, 1 + n), (EXTERNAL, 5000)) for n in range(5)]
    assert verdicts == ["translated"] * 3 + ["inbound-limit"] * 2
    assert site.attempt("udp", (R2, 1), (EXTERNAL, 5001)) == "translated"


def test_unanswered_sessions_that_expired_leave_room_although_nothing_swept(
    engine: Engine,
) -> None:
    limits, timeouts = {"unanswered_sessions": 3}, {"udp": 60}
    site = Site(engine, forwards=(FORWARD,), limits=limits, timeouts=timeouts)
    for n in range(3):
        assert site.attempt("udp", (R1, 1 + n), (EXTERNAL, 5000)) == "translated"
    assert site.attempt("udp", (R2, 1), (EXTERNAL, 5000)) == "inbound-limit"
    site.now = 60_000
    assert site.attempt("udp", (R2, 1), (EXTERNAL, 5000)) == "translated"


@pytest.mark.parametrize("limit", ["mappings", "sessions"])
def test_forwards_keep_to_the_limits_of_the_tables(engine: Engine, limit: str) -> None:
    site = Site(engine, forwards=(FORWARD,), limits={limit: 4})
    verdicts = [site.attempt("udp", (R1, 9), (EXTERNAL, 5000 + n)) for n in range(6)]
    reason = {"mappings": "mapping-limit", "sessions": "session-limit"}[limit]
    assert verdicts == ["translated"] * 2 + ["inbound-limit"] * 4
    verdicts = [site.attempt("udp", (SERVER, 5050 + n), (R2, 80)) for n in range(3)]
    assert verdicts == ["translated"] * 2 + [reason]


def test_a_full_table_of_mappings_stays_in_its_bounds_when_only_sessions_expire(
    engine: Engine,
) -> None:
    """A sweep that ends sessions and no mapping makes no room for a mapping."""
    site = Site(engine, forwards=(FORWARD,), limits={"mappings": 1}, timeouts={"udp": 60})
    site.open("udp", (CLIENT, 4000), (R1, 80))
    site.now = 30_000
    site.open("udp", (CLIENT, 4000), (R2, 80))
    site.now = 60_000
    assert site.attempt("udp", (R1, 9), (EXTERNAL, 5000)) == "mapping-limit"
    assert site.nat.usage()["mappings"] == 1


def test_expired_mappings_make_room_for_a_forwards_although_nothing_swept(engine: Engine) -> None:
    site = Site(engine, forwards=(FORWARD,), limits={"mappings": 2}, timeouts={"udp": 60})
    for n in range(2):
        site.open("udp", (CLIENT, 4000 + n), (R1, 80))
    site.now = 60_000
    assert site.attempt("udp", (R1, 9), (EXTERNAL, 5000)) == "translated"


@FAMILIES
def test_an_error_about_a_hosts_own_address_comes_from_where_a_router_can_be(
    engine: Engine, places: Places
) -> None:
    site = site_of(engine)
    host, far = (places.hosts[0], 4000), (places.remotes[0], 80)
    external = site.open("udp", host, far)
    assert external[0] == places.other_external
    sent = bytes(site.packet)
    kind = 3 if places is V4 else 1
    nobody = {V4: ("127.0.0.1", "224.0.0.1", "255.255.255.255"), V6: ("::1", "ff02::1")}[places]
    for source in (*nobody, places.external, places.other_external):
        assert site.send(error(source, external[0], sent, kind)) == "source"
    assert site.send(error(places.remotes[1], external[0], sent, kind)) == "translated"
