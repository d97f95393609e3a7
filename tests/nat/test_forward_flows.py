"""Static forwards at work: ways in that need no packet from inside first, and back out."""

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import packet, tcp

SERVER, CLIENT, OTHER = V4.hosts[:3]
EXTERNAL = V4.external
R1, R2, R3 = V4.remotes[:3]
NINE = [f"{m}/{f}" for m in ("eim", "adm", "apdm") for f in ("eif", "adf", "apdf")]
TYPES = pytest.mark.parametrize(
    "way", [*NINE, "quasi-port-restricted-cone", "symmetric-address", "symmetric"]
)
WEB = f"tcp+udp:8080={SERVER}:80"


@TYPES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_anybody_comes_in_and_is_answered(engine: Engine, way: str, protocol: str) -> None:
    site = Site(engine, way, forwards=(WEB,))
    for far in ((R1, 1000), (R1, 1001), (R2, 1000)):
        assert site.attempt(protocol, far, (EXTERNAL, 8080)) == "translated"
        assert site.seen() == (far, (SERVER, 80))
        assert site.answer(protocol, (SERVER, 80), far) == "translated"
        assert site.seen() == ((EXTERNAL, 8080), far)
    (mapping,) = site.mappings()
    assert (mapping.static, mapping.sessions) == (True, 3)
    assert (mapping.internal_port, mapping.external_port) == (80, 8080)


@TYPES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_what_the_server_opens_has_the_forwards_endpoint(
    engine: Engine, way: str, protocol: str
) -> None:
    site = Site(engine, way, forwards=(WEB,))
    for far in ((R1, 53), (R1, 54), (R2, 53)):
        assert site.open(protocol, (SERVER, 80), far) == (EXTERNAL, 8080)
        assert site.answer(protocol, far, (EXTERNAL, 8080)) == "translated"
        assert site.seen() == (far, (SERVER, 80))
    # Its other ports have nothing to do with the forward.
    assert site.open(protocol, (SERVER, 81), (R1, 53))[1] != 8080


@pytest.mark.parametrize("protocol", ["udplite", "dccp", "sctp"])
@pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
def test_every_protocol_with_ports_can_be_forwarded(
    engine: Engine, protocol: str, places: Places
) -> None:
    inside = places.hosts[0] if places is V4 else f"[{places.hosts[0]}]"
    site = Site(engine, forwards=(f"{protocol}:5000={inside}:6000",))
    far = (places.remotes[0], 999)
    assert site.attempt(protocol, far, (places.external, 5000)) == "translated"
    assert site.seen().destination == (places.hosts[0], 6000)
    assert site.answer(protocol, (places.hosts[0], 6000), far) == "translated"
    assert site.seen().source == (places.external, 5000)


def test_a_range_leads_port_by_port(engine: Engine) -> None:
    site = Site(engine, forwards=(f"tcp:5000-5009={SERVER}:6000-6009",))
    for n in range(10):
        assert site.attempt("tcp", (R1, 999), (EXTERNAL, 5000 + n)) == "translated"
        assert site.seen().destination == (SERVER, 6000 + n)
        assert site.open("tcp", (SERVER, 6000 + n), (R2, 999)) == (EXTERNAL, 5000 + n)
    assert len(site.mappings()) == 10
    for port in (4999, 5010):
        assert site.attempt("tcp", (R1, 999), (EXTERNAL, port)) == "no-mapping"
    assert site.attempt("udp", (R1, 999), (EXTERNAL, 5000)) == "no-mapping"


@TYPES
def test_who_is_not_among_the_given_remotes_is_filtered(engine: Engine, way: str) -> None:
    site = Site(engine, way, forwards=(f"tcp:22={SERVER}@{R1},203.0.113.128/25",))
    assert site.attempt("tcp", (R1, 999), (EXTERNAL, 22)) == "translated"
    assert site.attempt("tcp", ("203.0.113.200", 999), (EXTERNAL, 22)) == "translated"
    assert site.attempt("tcp", (R2, 999), (EXTERNAL, 22)) == "filtered"
    assert site.attempt("tcp", ("203.0.113.100", 999), (EXTERNAL, 22)) == "filtered"
    # Toward others the server is a host like any.
    assert site.open("tcp", (SERVER, 22), (R2, 999))[1] != 22
    assert site.open("tcp", (SERVER, 22), (R1, 80)) == (EXTERNAL, 22)


def test_one_port_leads_to_different_servers_for_different_remotes(engine: Engine) -> None:
    site = Site(engine, forwards=(f"tcp:22={SERVER}@{R1}", f"tcp:22={OTHER}@{R2}"))
    for far, server in ((R1, SERVER), (R2, OTHER)):
        assert site.attempt("tcp", (far, 999), (EXTERNAL, 22)) == "translated"
        assert site.seen().destination == (server, 22)
    assert site.attempt("tcp", (R3, 999), (EXTERNAL, 22)) == "filtered"
    for far, server in ((R1, SERVER), (R2, OTHER)):
        assert site.open("tcp", (server, 22), (far, 80)) == (EXTERNAL, 22)
        assert site.answer("tcp", (far, 80), (EXTERNAL, 22)) == "translated"
        assert site.seen().destination == (server, 22)
    assert {(row.internal, row.remote) for row in site.sessions()} == {(SERVER, R1), (OTHER, R2)}


def test_forwards_to_one_server_port_are_told_apart_by_who_came_in(engine: Engine) -> None:
    """What the server opens goes by the first; whoever came by the second is answered by it."""
    site = Site(engine, forwards=(f"tcp:8080={SERVER}:80", f"tcp:8081={SERVER}:80"))
    for port in (8080, 8081):
        assert site.attempt("tcp", (R1, port), (EXTERNAL, port)) == "translated"
        assert site.answer("tcp", (SERVER, 80), (R1, port)) == "translated"
        assert site.seen().source == (EXTERNAL, port)
    assert site.open("tcp", (SERVER, 80), (R3, 1)) == (EXTERNAL, 8080)
    # The same remote endpoint by both ways: the server could not tell the two apart.
    assert site.attempt("tcp", (R1, 8080), (EXTERNAL, 8081)) == "conflict"


def test_a_segment_that_opens_nothing_opens_nothing(engine: Engine) -> None:
    site = Site(engine, forwards=(WEB,))
    for flags in ("A", "SA", "R", "FA"):
        assert site.send(tcp((R1, 999), (EXTERNAL, 8080), flags)) == "not-syn"
    assert site.is_empty()


@TYPES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_from_inside_the_server_is_reached_by_its_external_endpoint(
    engine: Engine, way: str, protocol: str
) -> None:
    """RFC 4787 REQ-9: the server sees the client's external endpoint, and its answer comes back."""
    site = Site(engine, way, forwards=(WEB,))
    client = (CLIENT, 4000)
    seen = site.passes(packet(protocol, client, (EXTERNAL, 8080)))
    assert seen.destination == (SERVER, 80)
    assert seen.source[0] == EXTERNAL
    assert seen.source not in (client, (EXTERNAL, 8080))
    back = site.passes(packet(protocol, (SERVER, 80), seen.source, "answer"))
    assert back == ((EXTERNAL, 8080), client)


@TYPES
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_between_two_forwards_each_sees_the_others(engine: Engine, way: str, protocol: str) -> None:
    site = Site(engine, way, forwards=(WEB, f"tcp+udp:9090={OTHER}:90"))
    there = site.passes(packet(protocol, (SERVER, 80), (EXTERNAL, 9090)))
    assert there == ((EXTERNAL, 8080), (OTHER, 90))
    back = site.passes(packet(protocol, (OTHER, 90), (EXTERNAL, 8080), "answer"))
    assert back == ((EXTERNAL, 9090), (SERVER, 80))


def test_a_server_reaches_itself(engine: Engine) -> None:
    site = Site(engine, forwards=(WEB,))
    seen = site.passes(packet("tcp", (SERVER, 4000), (EXTERNAL, 8080)))
    assert seen.destination == (SERVER, 80) and seen.source[0] == EXTERNAL


def test_a_forward_for_given_remotes_is_closed_to_the_inside(engine: Engine) -> None:
    site = Site(engine, forwards=(f"tcp:22={SERVER}@{R1}",))
    assert site.attempt("tcp", (CLIENT, 4000), (EXTERNAL, 22)) == "filtered"


@pytest.mark.parametrize(
    "way", ["eim/eif", "eim/apdf+preserve", "apdm/apdf+sequential", "apdm/apdf+overload"]
)
def test_dynamic_mappings_do_not_get_a_forwards_port(engine: Engine, way: str) -> None:
    forwards = (f"tcp:2000-2003={SERVER}", f"tcp:2006={OTHER}@{R3}")
    site = Site(engine, way, ports="2000-2007", forwards=forwards)
    given = {site.open("tcp", (CLIENT, 2000 + n), (R1, 80))[1] for n in range(3)}
    assert given == {2004, 2005, 2007}
    assert site.attempt("tcp", (CLIENT, 2009), (R1, 80)) == "no-port"
    # Of another protocol all are free.
    assert len({site.open("udp", (CLIENT, 2000 + n), (R1, 80)) for n in range(8)}) == 8


def test_a_port_that_the_default_set_spares_can_be_forwarded(engine: Engine) -> None:
    site = Site(engine, ports="1024-65535", forwards=(f"tcp:80={SERVER}",))
    assert site.attempt("tcp", (R1, 999), (EXTERNAL, 80)) == "translated"
    assert site.open("tcp", (CLIENT, 443), (R1, 80))[1] >= 1024


def test_the_external_address_of_a_forward_may_be_any_of_the_nats(engine: Engine) -> None:
    externals: dict[str, str | None] = {EXTERNAL: "1024-65535", V4.other_external: None}
    second = f"tcp:{V4.other_external}:80={SERVER}"
    site = Site(engine, externals=externals, forwards=(second, f"tcp:80={OTHER}"))
    for address, server in ((V4.other_external, SERVER), (EXTERNAL, OTHER)):
        assert site.attempt("tcp", (R1, 999), (address, 80)) == "translated"
        assert site.seen().destination == (server, 80)
        assert site.open("tcp", (server, 80), (R2, 999)) == (address, 80)


def ends(site: Site) -> list[Endpoint]:
    return [(row.external, row.external_port) for row in site.mappings()]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_forwards_mapping_ends_with_its_last_session(engine: Engine, protocol: str) -> None:
    site = Site(engine, forwards=(WEB,), timeouts={"tcp_opening": 60, "udp": 60})
    site.attempt(protocol, (R1, 1), (EXTERNAL, 8080))
    site.now = 30_000
    site.open(protocol, (SERVER, 80), (R2, 1))
    for site.now, count in ((59_999, 2), (60_000, 1), (89_999, 1)):
        site.expire()
        assert ends(site) == [(EXTERNAL, 8080)]
        assert len(site.sessions()) == count
    site.now = 90_000
    site.expire()
    assert site.is_empty()
    assert site.attempt(protocol, (R1, 1), (EXTERNAL, 8080)) == "translated"


def test_what_outsiders_alone_send_keeps_no_session(engine: Engine) -> None:
    site = Site(engine, forwards=(WEB,), timeouts={"udp": 60})
    for site.now in range(0, 60_000, 10_000):
        assert site.attempt("udp", (R1, 1), (EXTERNAL, 8080)) == "translated"
    site.now = 60_000
    site.expire()
    assert site.is_empty()
