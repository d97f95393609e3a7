"""SYNs that nobody waited for (RFC 5382 REQ-4): six seconds of silence, then "port unreachable"."""

import pytest

from support.flavours import Engine
from support.site import V4, V6, Places, Site
from support.wire import error_in, packet, seen, tcp

HELD = 1024  # SYNs that are kept at most
SILENCE = 6_000
HOST = V4.hosts[0]
EXTERNAL = V4.external
R1 = V4.remotes[0]
FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])


def syn(places: Places = V4, port: int = 5000, remote_port: int = 999, **more: object) -> bytearray:
    return tcp((places.remotes[0], remote_port), (places.external, port), "S", **more)


def sent_at(site: Site, now: int) -> list[bytes]:
    """What the NAT sends by itself up to this time."""
    site.now = now
    site.expire()
    return site.outgoing()


@FAMILIES
@pytest.mark.parametrize("options", [b"", b"\x02\x04\x05\xb4\x01\x03\x03\x07"])
def test_after_six_seconds_the_sender_is_told(
    engine: Engine, places: Places, options: bytes
) -> None:
    site = Site(engine)
    question = syn(places, options=options, payload=b"fast open")
    site.now = 1_000
    assert site.send(question) == "no-mapping"
    assert site.outgoing() == []
    assert sent_at(site, 1_000 + SILENCE - 1) == []
    (answer,) = sent_at(site, 1_000 + SILENCE)
    assert (seen(answer).source[0], seen(answer).destination[0]) == (
        places.external,
        places.remotes[0],
    )
    kind, code, quoted = error_in(answer)
    assert (kind, code) == ((3, 3) if places is V4 else (1, 4))
    assert len(quoted) >= (28 if places is V4 else 48)
    assert quoted == question[: len(quoted)]
    assert sent_at(site, 60_000) == []
    assert site.nat.counters()["icmp_errors_sent"] == 1


@FAMILIES
def test_a_filtered_syn_is_answered_alike(engine: Engine, places: Places) -> None:
    """Whoever is filtered learns no more than who hits a port nobody has."""
    site = Site(engine, "eim/apdf")
    external = site.open("tcp", (places.hosts[0], 4000), (places.remotes[1], 80))
    assert site.send(tcp((places.remotes[0], 999), external, "S")) == "filtered"
    (answer,) = sent_at(site, SILENCE)
    assert error_in(answer)[:2] == ((3, 3) if places is V4 else (1, 4))


def test_one_that_a_forward_refuses_is_answered_alike(engine: Engine) -> None:
    site = Site(engine, forwards=(f"tcp:5000={HOST}@{V4.remotes[5]}",))
    assert site.send(syn()) == "filtered"
    assert len(sent_at(site, SILENCE)) == 1


def test_the_error_comes_from_the_address_that_was_asked(engine: Engine) -> None:
    externals: dict[str, str | None] = {EXTERNAL: "2000-2999", V4.other_external: "2000-2999"}
    site = Site(engine, externals=externals)
    for address in externals:
        site.send(tcp((R1, 999), (address, 5000), "S"))
    assert [seen(answer).source[0] for answer in sent_at(site, SILENCE)] == list(externals)


def test_only_a_syn_is_answered(engine: Engine) -> None:
    site = Site(engine)
    for flags in ("SA", "A", "R", "RA", "FA", "PA"):
        site.send(tcp((R1, 999), (EXTERNAL, 5000), flags))
    for protocol in ("udp", "icmp", "udplite", "dccp", "sctp", "gre"):
        site.send(packet(protocol, (R1, 0 if protocol == "icmp" else 999), (EXTERNAL, 5000)))
    assert sent_at(site, SILENCE) == []


def test_a_repeated_syn_is_answered_once_and_does_not_put_the_answer_off(engine: Engine) -> None:
    site = Site(engine)
    for site.now in (0, 1_000, 3_000):
        site.send(syn())
    assert len(sent_at(site, SILENCE)) == 1
    assert sent_at(site, 20_000) == []
    # What is sent after the answer is a new question.
    site.send(syn())
    assert len(sent_at(site, 20_000 + SILENCE)) == 1


@FAMILIES
@pytest.mark.parametrize("way", ["eim/adf", "eim/apdf", "apdm/apdf", "symmetric"])
def test_a_simultaneous_open_is_answered_by_the_inside(
    engine: Engine, places: Places, way: str
) -> None:
    """REQ-2: SYN crosses SYN.  Theirs came first, was kept in silence, and is repeated."""
    site = Site(engine, way, ports="5000")
    far, host = (places.remotes[0], 999), (places.hosts[0], 4000)
    assert site.send(syn(places)) == "no-mapping"
    site.now = 2_000
    external = site.open("tcp", host, far)
    assert external == (places.external, 5000)
    site.now = 3_000
    assert site.passes(tcp(far, external, "S")) == (far, host)
    assert site.passes(tcp(host, far, "SA")) == (external, far)
    assert site.passes(tcp(far, external, "SA")) == (far, host)
    assert [row.state for row in site.sessions()] == ["established"]
    assert sent_at(site, 60_000) == []


def test_an_outbound_syn_for_another_connection_forgets_nothing(engine: Engine) -> None:
    site = Site(engine, "eim/apdf", ports="5000")
    site.send(syn())
    site.open("tcp", (HOST, 4000), (R1, 998))
    site.open("tcp", (HOST, 4000), (V4.remotes[1], 999))
    assert len(sent_at(site, SILENCE)) == 1


def test_a_hairpinned_syn_is_not_answered_in_vain(engine: Engine) -> None:
    site = Site(engine)
    assert site.attempt("tcp", (HOST, 4000), (EXTERNAL, 5000)) == "no-mapping"
    assert sent_at(site, SILENCE) == []


def test_who_opens_too_much_or_too_late_is_another_matter(engine: Engine) -> None:
    """Limits are no statement about the port: silence."""
    limits = {"inbound_sessions": 1}
    site = Site(engine, "eim/eif", limits=limits)
    external = site.open("tcp", (HOST, 4000), (R1, 80))
    assert site.send(tcp((R1, 1), external, "S")) == "translated"
    assert site.send(tcp((R1, 2), external, "S")) == "inbound-limit"
    assert sent_at(site, SILENCE) == []


def test_by_choice_there_is_no_answer(engine: Engine) -> None:
    site = Site(engine, unsolicited_syn="drop")
    assert site.send(syn()) == "no-mapping"
    assert sent_at(site, SILENCE) == []


def test_without_any_errors_there_is_no_answer(engine: Engine) -> None:
    site = Site(engine, limits={"icmp_errors": 0})
    assert site.send(syn()) == "no-mapping"
    assert sent_at(site, SILENCE) == []


def test_a_flood_of_syns_is_held_to_a_bound_and_the_rest_gets_silence(engine: Engine) -> None:
    site = Site(engine, limits={"icmp_errors": 100_000})
    for n in range(HELD + 500):
        assert site.send(syn(remote_port=1 + n)) == "no-mapping"
    assert len(sent_at(site, SILENCE)) == HELD
    # Then there is room again.
    site.send(syn())
    assert len(sent_at(site, 2 * SILENCE)) == 1


def test_no_more_answers_a_second_than_the_limit_allows(engine: Engine) -> None:
    site = Site(engine, limits={"icmp_errors": 10})
    for n in range(100):
        site.send(syn(remote_port=1 + n))
    assert len(sent_at(site, SILENCE)) == 10
    assert site.nat.counters()["icmp_errors_sent"] == 10
    # Those that found no place are not made up for later.
    assert sent_at(site, 60_000) == []
    for n in range(100):
        site.send(syn(remote_port=1 + n))
    assert len(sent_at(site, 60_000 + SILENCE)) == 10


@pytest.mark.parametrize("source", ["0.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_nobody_is_told_at_an_address_no_host_has(engine: Engine, source: str) -> None:
    """RFC 1122 section 3.2.2."""
    site = Site(engine)
    site.send(tcp((source, 999), (EXTERNAL, 5000), "S"))
    assert sent_at(site, SILENCE) == []
