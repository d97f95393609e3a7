"""A flow that found no room: its host is told, if the user wants (RFC 5508 REQ-8, RFC 6888
REQ-11B)."""

import pytest

from support.flavours import Engine
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS, error_in, ip, packet, seen, tcp, with_checksums

HOST, OTHER = V4.hosts[:2]
R1 = V4.remotes[0]
FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
CODES = {
    "prohibited": {4: (3, 13), 6: (1, 1)},
    "unreachable": {4: (3, 1), 6: (1, 3)},
}
LIMITS: dict[str, dict[str, int]] = {
    "no-port": {},
    "mapping-limit": {"mappings": 1},
    "session-limit": {"sessions": 1},
    "host-limit": {"host_sessions": 1},
    "host-rate": {"host_rate": 1},
}


def full(engine: Engine, places: Places = V4, protocol: str = "udp", **more: object) -> Site:
    """A site whose one port of this protocol is taken, by the host that will ask for more."""
    site = Site(engine, ports="2000", **more)
    site.open(protocol, (places.hosts[0], 4000), far(protocol, places))
    return site


def far(protocol: str, places: Places = V4) -> tuple[str, int]:
    return places.remotes[0], 0 if protocol == "icmp" else 80


@FAMILIES
@pytest.mark.parametrize("protocol", WITH_PORTS)
@pytest.mark.parametrize("choice", CODES)
def test_the_host_is_told_at_once_with_its_packet_quoted(
    engine: Engine, places: Places, protocol: str, choice: str
) -> None:
    site = full(engine, places, protocol, no_resources=choice)
    question = packet(protocol, (places.hosts[0], 5000), far(protocol, places))
    assert site.send(question) == "no-port"
    (answer,) = site.outgoing()
    assert seen(answer).source[0] == places.external
    assert seen(answer).destination[0] == places.hosts[0]
    kind, code, quoted = error_in(answer)
    assert (kind, code) == CODES[choice][4 if places is V4 else 6]
    assert len(quoted) >= (28 if places is V4 else 48)
    assert quoted == question[: len(quoted)]


@FAMILIES
@pytest.mark.parametrize("reason", LIMITS)
def test_whatever_there_is_no_room_in(engine: Engine, places: Places, reason: str) -> None:
    site = full(engine, places, limits=LIMITS[reason])
    assert site.attempt("udp", (places.hosts[0], 5000), far("udp", places)) == reason
    (answer,) = site.outgoing()
    assert error_in(answer)[:2] == CODES["prohibited"][4 if places is V4 else 6]
    assert site.nat.counters()["icmp_errors_sent"] == 1


@pytest.mark.parametrize("reason", LIMITS)
def test_by_choice_nobody_is_told(engine: Engine, reason: str) -> None:
    site = full(engine, no_resources="drop", limits=LIMITS[reason])
    assert site.attempt("udp", (HOST, 5000), (R1, 80)) == reason
    assert site.outgoing() == []


def test_what_is_refused_for_another_reason_is_dropped_in_silence(engine: Engine) -> None:
    site = full(engine)
    for reason, refused in {
        "source": packet("udp", ("192.0.2.77", 4000), (R1, 80)),
        "destination": packet("udp", (HOST, 4000), ("224.0.0.1", 80)),
        "status-request": packet("udp", (HOST, 4000), ("192.0.2.2", 80)),
        "not-syn": tcp((HOST, 5000), (R1, 80), "A"),
        "tcp-flags": tcp((HOST, 5000), (R1, 80), "SF"),
        "no-session": packet("icmp", (HOST, 77), (R1, 0), "answer"),
        "ip-truncated": packet("udp", (HOST, 4000), (R1, 80))[:-1],
    }.items():
        assert site.send(refused) == reason
    assert site.outgoing() == []


def test_outsiders_are_not_told(engine: Engine) -> None:
    site = Site(engine, "eim/eif", limits={"sessions": 1})
    external = site.open("udp", (HOST, 4000), (R1, 80))
    assert site.attempt("udp", (V4.remotes[1], 9), external) == "session-limit"
    assert site.outgoing() == []


def test_a_hairpinned_flow_without_room_is_told(engine: Engine) -> None:
    """Its sender is a host of the inside like any."""
    site = Site(engine, "eim/eif", limits={"mappings": 1})
    external = site.open("udp", (HOST, 4000), (R1, 80))
    question = packet("udp", (OTHER, 5000), external)
    assert site.send(question) == "mapping-limit"
    (answer,) = site.outgoing()
    assert seen(answer).destination[0] == OTHER
    assert error_in(answer)[2] == question[:28]


@FAMILIES
def test_no_error_is_sent_about_an_error(engine: Engine, places: Places) -> None:
    """RFC 1122 section 3.2.2, RFC 4443 section 2.4 e."""
    site = full(engine, places)
    about = packet("udp", far("udp", places), (places.hosts[0], 5000))
    head = bytes([3, 3]) if places is V4 else bytes([1, 4])
    error = ip(places.hosts[0], places.remotes[0], "icmp", head + bytes(6) + about)
    assert site.send(error) == "no-session"
    assert site.outgoing() == []


def fragment(data: bytearray, field: int) -> bytearray:
    """An IPv4 packet with this fragment field, and its checksum."""
    copy = bytearray(data)
    copy[6:8] = field.to_bytes(2, "big")
    return with_checksums(copy)


def test_of_a_fragmented_datagram_only_the_first_fragment_is_answered(engine: Engine) -> None:
    site = full(engine)
    whole = packet("udp", (HOST, 5000), (R1, 80), payload=bytes(40))
    first, later = fragment(whole[:44], 0x2000), fragment(whole[:20] + whole[44:], 3)
    for part in (first, later):
        part[2:4] = len(part).to_bytes(2, "big")
        part[10:12] = b"\0\0"
        part[10:12] = header_checksum(part)
    assert site.send(later) == "fragment-held"
    assert site.send(first) == "no-port"
    (answer,) = site.outgoing()
    assert error_in(answer)[2] == first[:28]
    assert site.send(later) == "fragment-refused"
    assert site.outgoing() == []


def header_checksum(data: bytearray) -> bytes:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    return ((total & 0xFFFF) + (total >> 16) ^ 0xFFFF).to_bytes(2, "big")


def test_no_more_errors_a_second_than_the_limit_allows(engine: Engine) -> None:
    site = full(engine, limits={"icmp_errors": 5})
    for n in range(50):
        site.attempt("udp", (HOST, 5000 + n), (R1, 80))
    assert len(site.outgoing()) == 5
    for site.now in range(200, 1_200, 200):
        for n in range(3):
            site.attempt("udp", (HOST, 6000 + n), (R1, 80))
        assert len(site.outgoing()) == 1
    assert site.nat.counters()["icmp_errors_sent"] == 10


def test_errors_may_be_forbidden_altogether(engine: Engine) -> None:
    site = full(engine, limits={"icmp_errors": 0})
    assert site.attempt("udp", (HOST, 5000), (R1, 80)) == "no-port"
    assert site.outgoing() == []


def test_without_an_address_of_the_family_nobody_is_told(engine: Engine) -> None:
    site = Site(engine, externals={V4.external: "2000"})
    assert site.attempt("udp", (V6.hosts[0], 5000), (V6.remotes[0], 80)) == "no-port"
    assert site.outgoing() == []
