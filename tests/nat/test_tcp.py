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
EVENTS = {"SYN": "S", "SYN-ACK": "SA", "FIN": "FA", "RST": "R", "OTHER": "A"}
SYNCHRONIZING = ("SYN", "SYN-ACK")
# How to come to each state from nothing: (side, flags); the client opens the session.
PATHS: dict[str, list[tuple[str, str]]] = {
    "init": [("client", "S")],
    "established": [("client", "S"), ("server", "SA"), ("client", "A")],
    "simultaneous-open": [("client", "S"), ("server", "S")],
    "server-acked": [("client", "S"), ("server", "SA")],
    "client-acked": [("client", "S"), ("server", "S"), ("client", "SA")],
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
    "simultaneous-open": OPENING,
    "server-acked": OPENING,
    "client-acked": OPENING,
    "established": LONG,
    "client-fin": LONG,
    "server-fin": LONG,
    "both-fin": CLOSING,
    "reset": CLOSING,
    "reopened": OPENING,
}


def after(state: str, side: str, event: str, is_inside: bool) -> str:
    """What follows, from the rules and not from the table.

    RFC 5382 section 5: partly open until both have sent an ACK, closing from both FINs or a RST on.
    RFC 6146 section 3.5.2: a SYN opens what is closing; RFC 7857 section 2.2: after a RST all else
    shows that the connection lives.  RFC 5961 section 4: what a SYN from outside says of a
    connection that may be alive is believed when the inside answers it.
    """
    other = "server" if side == "client" else "client"
    acked, finished = f"{side}-acked", f"{side}-fin"
    syn_of = {"init": "client", "reopened": "server"}
    if event == "RST":
        return "reset" if state in ("established", "client-fin", "server-fin") else state
    if state in ("client-fin", "server-fin", "both-fin", "reset"):
        if event in SYNCHRONIZING and (is_inside or LIFE[state] != LONG):
            opened = "init" if side == "client" else "reopened"
            return opened if event == "SYN" else acked
        if state == "reset" and event in ("OTHER", "FIN"):
            return finished if event == "FIN" else "established"
        return "both-fin" if event == "FIN" and state != finished else state
    if state in syn_of:
        if side == syn_of[state] or event not in SYNCHRONIZING:
            return state
        return "simultaneous-open" if event == "SYN" else acked
    if event == "SYN" or (state == "established" and event != "FIN"):
        return state
    if state == "simultaneous-open":
        return acked
    if event == "FIN":
        return finished
    return "established" if state == f"{other}-acked" else state


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
        expected = after(state, side, event, side == connection.inside_is)
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
@pytest.mark.parametrize("state", ["client-fin", "server-fin", "both-fin", "reset"])
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
    for state, opener in product(
        ("client-fin", "server-fin", "both-fin", "reset"), ("inside", "outside")
    ):
        connection = Connection(engine, opener)
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
    assert [row.state for row in bench.sessions()] == ["client-acked"]
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
    """Without the client's SYN: what the server sends more is still one side's word."""
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
    assert bench.send(tcp(HOST, SERVER, "AC")) == "translated"
    assert bench.sessions()[0].state == "established"
