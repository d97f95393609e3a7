"""TCP sessions, driven by segments: RFC 7857 section 2 over RFC 6146 section 3.5.2."""

from itertools import product

import pytest

from support.bench import INSIDE, OTHER, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.packets import Endpoint, tcp

HOST, SERVER = (INSIDE, 4000), (R1, 80)
# Idle seconds by timer; the defaults of the last two are equal, which would hide a wrong one.
LONG, OPENING, CLOSING = 7440, 240, 150
TIMEOUTS = {"tcp_closing": CLOSING}
EVENTS = {"SYN": "S", "FIN": "FA", "RST": "R", "OTHER": "A"}
# How to come to each state from nothing: (side, flags); the client opens the session.
PATHS: dict[str, list[tuple[str, str]]] = {
    "init": [("client", "S")],
    "established": [("client", "S"), ("server", "SA"), ("client", "A")],
    "client-fin": [("client", "S"), ("server", "SA"), ("client", "FA")],
    "server-fin": [("client", "S"), ("server", "SA"), ("client", "A"), ("server", "FA")],
    "both-fin": [("client", "S"), ("server", "SA"), ("client", "FA"), ("server", "FA")],
    "reset": [("client", "S"), ("server", "SA"), ("client", "A"), ("client", "R")],
    "reopened": [
        *(("client", "S"), ("server", "SA"), ("client", "FA"), ("server", "FA"), ("server", "S")),
    ],
}
LIFE = {
    "init": OPENING,
    "established": LONG,
    "client-fin": LONG,
    "server-fin": LONG,
    "both-fin": CLOSING,
    "reset": CLOSING,
    "reopened": OPENING,
}
# What each event leads to from each state; what is not here changes nothing.
CHANGES: dict[tuple[str, str, str], str] = {
    ("init", "server", "SYN"): "established",
    ("established", "client", "FIN"): "client-fin",
    ("established", "server", "FIN"): "server-fin",
    ("established", "client", "RST"): "reset",
    ("established", "server", "RST"): "reset",
    ("client-fin", "server", "FIN"): "both-fin",
    ("client-fin", "client", "RST"): "reset",
    ("client-fin", "server", "RST"): "reset",
    ("server-fin", "client", "FIN"): "both-fin",
    ("server-fin", "client", "RST"): "reset",
    ("server-fin", "server", "RST"): "reset",
    ("both-fin", "client", "SYN"): "init",
    ("both-fin", "server", "SYN"): "reopened",
    ("reset", "client", "SYN"): "init",
    ("reset", "server", "SYN"): "reopened",
    ("reset", "client", "FIN"): "client-fin",
    ("reset", "server", "FIN"): "server-fin",
    ("reset", "client", "OTHER"): "established",
    ("reset", "server", "OTHER"): "established",
    ("reopened", "client", "SYN"): "established",
}


class Connection:
    """A TCP session that `opener`, "inside" or "outside", opens; who does so is the client."""

    def __init__(self, engine: Engine, opener: str) -> None:
        self.bench = Bench(engine, "full-cone", timeouts=TIMEOUTS)
        self.inside_is = "client" if opener == "inside" else "server"
        self.external: Endpoint = ("", 0)
        if opener == "outside":
            self.external = self.bench.open("tcp", HOST, (R2, 1))

    def segment(self, side: str, flags: str) -> str:
        if side == self.inside_is:
            verdict = self.bench.send(tcp(HOST, SERVER, flags))
            self.external = self.bench.seen().source
            return verdict
        return self.bench.send(tcp(SERVER, self.external, flags))

    def come_to(self, state: str) -> None:
        for side, flags in PATHS[state]:
            assert self.segment(side, flags) == "translated"
        assert self.state == state

    @property
    def state(self) -> str:
        return next(row.state for row in self.bench.sessions() if row.remote == R1)

    @property
    def left(self) -> int:
        return next(row.expires for row in self.bench.sessions() if row.remote == R1)


@pytest.mark.parametrize("opener", ["inside", "outside"])
@pytest.mark.parametrize("state", PATHS)
def test_every_state_side_and_event_leads_where_the_table_says(
    engine: Engine, opener: str, state: str
) -> None:
    for side, event in product(("client", "server"), EVENTS):
        connection = Connection(engine, opener)
        connection.come_to(state)
        connection.bench.now += 100 * SECOND
        if opener == "outside" and state == "init" and side == "client":
            continue  # an outsider alone moves nothing: see the next test
        assert connection.segment(side, EVENTS[event]) == "translated"
        expected = CHANGES.get((state, side, event), state)
        assert (side, event, connection.state) == (side, event, expected)
        # A RST that changes nothing refreshes nothing either.
        still = event == "RST" and expected == state
        assert connection.left == (LIFE[state] - 100 if still else LIFE[expected])


def test_an_outsider_alone_neither_moves_nor_refreshes_a_session(engine: Engine) -> None:
    connection = Connection(engine, "outside")
    connection.come_to("init")
    connection.bench.now += 100 * SECOND
    for flags in EVENTS.values():
        assert connection.segment("client", flags) == "translated"
        assert (connection.state, connection.left) == ("init", OPENING - 100)


@pytest.mark.parametrize("opener", ["inside", "outside"])
@pytest.mark.parametrize("state", ["both-fin", "reset"])
def test_the_server_may_open_the_same_five_tuple_again(
    engine: Engine, opener: str, state: str
) -> None:
    """The roles are then exchanged; the handshake done, the connection is established."""
    connection = Connection(engine, opener)
    connection.come_to(state)
    for side, flags in (("server", "S"), ("client", "SA"), ("server", "A"), ("client", "A")):
        assert connection.segment(side, flags) == "translated"
    assert (connection.state, connection.left) == ("established", LONG)


def test_the_client_may_open_the_same_five_tuple_again(engine: Engine) -> None:
    for state in ("both-fin", "reset"):
        connection = Connection(engine, "inside")
        connection.come_to(state)
        for side, flags in (("client", "S"), ("server", "SA"), ("client", "A")):
            assert connection.segment(side, flags) == "translated"
        assert (connection.state, connection.left) == ("established", LONG)


def test_simultaneous_open_establishes(engine: Engine) -> None:
    """RFC 5382 REQ-2: SYN crosses SYN, also where filtering depends on address and port."""
    bench = Bench(engine, "port-restricted-cone")
    external = bench.open("tcp", HOST, SERVER)
    assert bench.send(tcp(SERVER, external, "S")) == "translated"
    assert bench.send(tcp(HOST, SERVER, "SA")) == "translated"
    assert bench.send(tcp(SERVER, external, "SA")) == "translated"
    assert [row.state for row in bench.sessions()] == ["established"]


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_lone_rst_ends_an_established_session_only_after_the_closing_time(
    engine: Engine, side: str
) -> None:
    for late, verdict in ((-1, "translated"), (0, "not-syn")):
        connection = Connection(engine, "inside")
        connection.come_to("established")
        connection.segment(side, "R")
        assert connection.state == "reset"
        connection.bench.now = CLOSING * SECOND + late
        assert connection.segment("server", "A") == verdict


@pytest.mark.parametrize("side", ["client", "server"])
def test_data_after_a_rst_brings_the_session_back(engine: Engine, side: str) -> None:
    connection = Connection(engine, "inside")
    connection.come_to("reset")
    connection.bench.now = 100 * SECOND
    connection.segment(side, "PA")
    assert (connection.state, connection.left) == ("established", LONG)
    connection.bench.now += (LONG - 1) * SECOND
    assert connection.segment("server", "A") == "translated"


def test_repeated_rsts_do_not_keep_a_session(engine: Engine) -> None:
    connection = Connection(engine, "inside")
    connection.come_to("reset")
    for connection.bench.now in range(0, CLOSING * SECOND, 20 * SECOND):
        assert connection.segment("server", "R") == "translated"
        assert connection.segment("client", "R") == "translated"
    connection.bench.now = CLOSING * SECOND
    assert connection.segment("server", "R") == "not-syn"


@pytest.mark.parametrize("late", [-1, 0])
def test_a_closed_connection_may_be_reopened_for_the_closing_time(
    engine: Engine, late: int
) -> None:
    connection = Connection(engine, "inside")
    connection.come_to("both-fin")
    connection.bench.now = CLOSING * SECOND + late
    verdict = connection.segment("server", "S")
    assert verdict == ("translated" if late else "no-mapping")


@pytest.mark.parametrize("flags", ["SA", "A", "FA", "R"])
def test_an_unfinished_reopening_gets_no_long_timeout(engine: Engine, flags: str) -> None:
    """The client's SYN alone establishes: what the server sends more is still one side's word."""
    connection = Connection(engine, "inside")
    connection.come_to("reopened")
    connection.segment("server", flags)
    assert (connection.state, connection.left) == ("reopened", OPENING)


def test_a_half_closed_connection_keeps_the_long_timeout(engine: Engine) -> None:
    for state in ("client-fin", "server-fin"):
        connection = Connection(engine, "inside")
        connection.come_to(state)
        connection.bench.now = LONG * SECOND - 1
        assert connection.segment("server", "A") == "translated"


def test_an_unanswered_syn_never_gets_the_long_timeout(engine: Engine) -> None:
    connection = Connection(engine, "inside")
    connection.come_to("init")
    for side, flags in (("client", "A"), ("client", "PA"), ("server", "A"), ("server", "FA")):
        connection.segment(side, flags)
        assert (connection.state, connection.left) == ("init", OPENING)


@pytest.mark.parametrize("flags", ["A", "SA", "FA", "R", "RA", "PA", "PAU"])
def test_a_segment_of_no_session_that_opens_none_is_dropped(engine: Engine, flags: str) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.send(tcp(HOST, SERVER, flags)) == "not-syn"
    external = bench.open("tcp", (OTHER, 1), (R2, 1))
    assert bench.send(tcp(SERVER, external, flags)) == "not-syn"
    assert bench.nat.usage()["sessions"] == 1


def is_odd(flags: str) -> bool:
    """What no TCP sends: SYN with FIN or RST, or without SYN and RST no ACK (RFC 9293 3.10.7)."""
    if "S" in flags:
        return "F" in flags or "R" in flags
    return "R" not in flags and "A" not in flags


def test_all_64_flag_combinations_are_judged_the_same_with_and_without_a_session(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone")
    for number, chosen in enumerate(product((False, True), repeat=6), 1):
        flags = "".join(letter for letter, on in zip("FSRPAU", chosen, strict=True) if on)
        opens = "S" in flags and "A" not in flags
        fresh = bench.send(tcp((OTHER, number), SERVER, flags))
        host = (INSIDE, number)
        external = bench.connect(host, SERVER)
        there, back = bench.send(tcp(host, SERVER, flags)), bench.send(tcp(SERVER, external, flags))
        if is_odd(flags):
            assert {there, back, fresh} == {"tcp-flags"}
            states = {row.internal_port: row.state for row in bench.sessions()}
            assert states[number] == "established"
        else:
            assert {there, back} == {"translated"}
            assert fresh == ("translated" if opens else "not-syn")


def test_ecn_flags_do_not_matter(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.send(tcp(HOST, SERVER, "SEC")) == "translated"
    assert bench.send(tcp(SERVER, bench.seen().source, "SAE")) == "translated"
    assert bench.sessions()[0].state == "established"
