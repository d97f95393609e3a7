"""Timers of TCP, DCCP and SCTP: opening, established, closing (RFC 5382 REQ-5, RFC 7857 section 2).

RFC 7857 section 2.1 has one timer for partly open and another for partly closed connections.
"""

import pytest

from support.flavours import Engine
from support.packets import Endpoint
from support.site import V4, V6, Places, Site
from support.wire import packet, tcp

OPENING, CLOSING, ESTABLISHED = 30, 70, 1000
TIMEOUTS = {"tcp_opening": OPENING, "tcp_closing": CLOSING, "tcp_established": ESTABLISHED}
PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "dccp", "sctp"])
FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])


class Connection:
    def __init__(
        self, engine: Engine, protocol: str = "tcp", places: Places = V4, way: str = "eim/eif"
    ) -> None:
        self.site = Site(engine, way, timeouts=TIMEOUTS)
        self.protocol = protocol
        self.host: Endpoint = (places.hosts[0], 4000)
        self.far: Endpoint = (places.remotes[0], 80)
        self.external: Endpoint = ("", 0)

    def inside(self, what: str) -> str:
        verdict = self.site.send(packet(self.protocol, self.host, self.far, what))
        if verdict == "translated":
            self.external = self.site.seen().source
        return verdict

    def outside(self, what: str) -> str:
        if self.protocol == "tcp" and what == "reset":
            # At the number the inside expects next, which is the one it acknowledges.
            return self.site.send(tcp(self.far, self.external, "R", 2))
        return self.site.send(packet(self.protocol, self.far, self.external, what))

    def both(self, steps: str) -> None:
        """Steps such as "inside open, outside answer"; each must pass."""
        for step in steps.split(", "):
            side, what = step.split()
            assert getattr(self, side)(what) == "translated"

    def lasts(self, seconds: int) -> bool:
        """Whether the session lasts exactly as long from now on."""
        (row,) = self.site.sessions()
        self.site.now += seconds * 1000
        shown = row.expires == seconds and self.site.sessions() == []
        self.site.now -= 1
        (row,) = self.site.sessions()
        self.site.now += 1
        return shown and self.outside("data") != "translated"


OPEN = "inside open, outside answer, inside data"


@PROTOCOLS
@FAMILIES
@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ("inside open", OPENING),
        ("inside open, inside data, outside data", OPENING),
        ("inside open, outside answer", OPENING),
        (OPEN, ESTABLISHED),
        (f"{OPEN}, inside close", ESTABLISHED),
        (f"{OPEN}, outside close", ESTABLISHED),
        (f"{OPEN}, inside close, outside close", CLOSING),
        (f"{OPEN}, outside close, inside close", CLOSING),
        (f"{OPEN}, inside close, outside close, inside data", CLOSING),
        (f"{OPEN}, inside reset", CLOSING),
        (f"{OPEN}, outside reset", CLOSING),
        (f"{OPEN}, inside close, outside reset", CLOSING),
        (f"{OPEN}, outside reset, outside data", ESTABLISHED),
        (f"{OPEN}, inside reset, inside data", ESTABLISHED),
        (f"{OPEN}, inside close, outside close, inside open", OPENING),
        (f"{OPEN}, outside reset, inside open", OPENING),
        (f"{OPEN}, inside close, inside open", OPENING),
        (f"{OPEN}, outside close, inside open", OPENING),
        (f"{OPEN}, inside close, outside open", ESTABLISHED),
        (f"{OPEN}, outside close, outside open", ESTABLISHED),
        (f"{OPEN}, inside open", ESTABLISHED),
        (f"{OPEN}, outside open", ESTABLISHED),
        (f"{OPEN}, inside close, outside open, inside answer", OPENING),
        (f"{OPEN}, inside close, outside open, inside answer, outside data", ESTABLISHED),
        (f"{OPEN}, inside close, inside open, outside answer", OPENING),
        (f"{OPEN}, outside close, inside open, outside answer, inside data", ESTABLISHED),
        (f"{OPEN}, inside close, outside close, outside open", OPENING),
    ],
)
def test_each_stage_has_its_timer(
    engine: Engine, protocol: str, places: Places, steps: str, seconds: int
) -> None:
    connection = Connection(engine, protocol, places)
    connection.both(steps)
    assert connection.lasts(seconds)


@PROTOCOLS
def test_an_opening_connection_is_kept_by_the_insides_packets(
    engine: Engine, protocol: str
) -> None:
    connection = Connection(engine, protocol)
    for connection.site.now in range(0, 200_000, 29_999):
        connection.both("inside open")
    assert len(connection.site.mappings()) == 1


@PROTOCOLS
def test_a_closed_connection_is_over_when_its_time_is_and_a_new_one_opens(
    engine: Engine, protocol: str
) -> None:
    connection = Connection(engine, protocol)
    connection.both(f"{OPEN}, inside close, outside close")
    connection.site.now = CLOSING * 1000
    assert connection.inside("data") == "not-syn"
    connection.both(OPEN)
    assert [row.state for row in connection.site.sessions()] == ["established"]


def opened_from_outside(engine: Engine, protocol: str) -> Connection:
    connection = Connection(engine, protocol)
    host = connection.host
    forward = f"{protocol}:5000={host[0]}:{host[1]}"
    connection.site = Site(engine, timeouts=TIMEOUTS, forwards=(forward,))
    connection.external = (V4.external, 5000)
    connection.both("outside open")
    return connection


@PROTOCOLS
@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ("inside answer", OPENING),
        ("inside answer, inside answer, inside data", OPENING),
        ("inside answer, outside data", ESTABLISHED),
        ("inside answer, outside data, inside close, outside close", CLOSING),
        ("inside answer, outside data, outside reset", CLOSING),
        ("inside answer, outside data, inside reset", CLOSING),
    ],
)
def test_a_connection_from_outside_has_the_same_timers(
    engine: Engine, protocol: str, steps: str, seconds: int
) -> None:
    connection = opened_from_outside(engine, protocol)
    connection.both(steps)
    assert connection.lasts(seconds)


@PROTOCOLS
def test_a_connection_from_outside_that_is_refused_does_not_last(
    engine: Engine, protocol: str
) -> None:
    """Neither the caller's packets nor the host's reset keep it."""
    connection = opened_from_outside(engine, protocol)
    for connection.site.now in range(0, OPENING * 1000, 7_000):
        connection.both("outside open, inside reset, outside data")
    assert {row.state for row in connection.site.sessions()} == {"init"}
    connection.site.now = OPENING * 1000
    assert connection.site.sessions() == []


@FAMILIES
@pytest.mark.parametrize("way", ["eim/eif", "eim/apdf", "adm/adf", "symmetric"])
def test_a_simultaneous_open_establishes(engine: Engine, places: Places, way: str) -> None:
    """RFC 5382 REQ-2: SYN crosses SYN; each answers with SYN and ACK."""
    connection = Connection(engine, places=places, way=way)
    connection.both("inside open, outside open")
    connection.both("inside answer, outside answer")
    assert connection.lasts(ESTABLISHED)


def test_syns_that_nobody_answers_do_not_establish(engine: Engine) -> None:
    connection = Connection(engine)
    connection.both("inside open, inside open, inside open")
    assert connection.lasts(OPENING)


def test_resets_that_repeat_neither_prolong_nor_shorten_the_closing_time(engine: Engine) -> None:
    connection = Connection(engine)
    connection.both(f"{OPEN}, outside reset")
    for connection.site.now in range(10_000, CLOSING * 1000, 10_000):
        connection.both("outside reset, inside reset")
    connection.site.now = CLOSING * 1000
    assert connection.outside("reset") == "not-syn"


def test_a_reset_of_an_opening_connection_changes_nothing(engine: Engine) -> None:
    """RFC 7857 section 2: only an established connection goes over to the closing time."""
    connection = Connection(engine)
    connection.both("inside open")
    connection.site.now = 10_000
    connection.both("outside reset, inside reset")
    (row,) = connection.site.sessions()
    assert (row.state, row.expires) == ("init", OPENING - 10)


@pytest.mark.parametrize("protocol", ["udp", "udplite", "icmp"])
def test_protocols_without_connections_have_one_timer(engine: Engine, protocol: str) -> None:
    """By what the inside sends, and by answers (RFC 4787 REQ-6)."""
    idle = {"udp": 40, "icmp": 20}
    site = Site(engine, timeouts=idle)
    seconds = idle.get(protocol, 40)
    host, far = (V4.hosts[0], 4000), (V4.remotes[0], 0 if protocol == "icmp" else 80)
    external = site.open(protocol, host, far)
    for step in range(6):
        site.now += seconds * 1000 - 1
        if step % 2:
            assert site.answer(protocol, far, external) == "translated"
        else:
            assert site.open(protocol, host, far) == external
    site.now += seconds * 1000
    assert site.sessions() == []


def test_protocols_without_ports_have_a_timer_of_their_own(engine: Engine) -> None:
    site = Site(engine, timeouts={"other": 50})
    host, far = (V4.hosts[0], 0), (V4.remotes[0], 0)
    external = site.open("gre", host, far)
    site.now = 49_999
    assert site.passes(packet("gre", far, external)).destination == host
    site.now += 50_000
    assert site.send(packet("gre", far, external)) != "translated"
