"""What outsiders and other insiders must not achieve: holding, filling, or forging."""

import pytest

from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2, SECOND, Bench
from support.flavours import Engine
from support.packets import error, seen, tcp, udp

HOST = (INSIDE, 4000)


def test_a_reset_from_inside_does_not_take_up_a_session_opened_from_outside(
    engine: Engine,
) -> None:
    """RFC 7857 section 7.1: a closed port's answer is no interest in the connection."""
    bench = Bench(engine, "full-cone")
    external = bench.open("tcp", HOST, (R1, 80))
    assert bench.knock("tcp", (R2, 9), external) == "translated"
    assert bench.send(tcp(HOST, (R2, 9), "RA")) == "translated"
    bench.now = 200 * SECOND
    assert bench.knock("tcp", (R2, 9), external) == "translated"
    bench.now = 241 * SECOND
    assert bench.knock("tcp", (R2, 9), external) == "no-mapping"


def test_unanswered_sessions_of_one_mapping_are_few(engine: Engine) -> None:
    """A flood at one port leaves the others, and what the inside answers makes room again."""
    bench = Bench(engine, "full-cone", limits={"unanswered_sessions": 3})
    flooded = bench.open("udp", HOST, (R1, 80))
    spared = bench.open("udp", (OTHER, 4000), (R1, 80))
    verdicts = [bench.knock("udp", (R2, n), flooded) for n in range(1, 6)]
    assert verdicts == ["translated"] * 3 + ["inbound-limit"] * 2
    assert bench.knock("udp", (R2, 1), spared) == "translated"
    assert bench.answer("udp", HOST, (R2, 2)) == "translated"
    assert bench.knock("udp", (R2, 6), flooded) == "translated"


def test_a_mapping_takes_its_unanswered_sessions_along(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 200 * SECOND
    assert bench.knock("udp", (R2, 9), external) == "translated"
    bench.now = 300 * SECOND
    bench.expire()
    assert bench.is_empty()


@pytest.mark.parametrize("preset", ["full-cone", "restricted-cone"])
def test_a_session_taken_up_keeps_the_mapping_after_the_first_one_ended(
    engine: Engine, preset: str
) -> None:
    bench = Bench(engine, preset)
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 100 * SECOND
    assert bench.knock("udp", (R1, 81), external) == "translated"
    assert bench.answer("udp", HOST, (R1, 81)) == "translated"
    bench.now = 350 * SECOND
    bench.expire()
    assert bench.knock("udp", (R1, 82), external) == "translated"
    bench.now = 700 * SECOND
    bench.expire()
    assert bench.is_empty()


def test_a_packet_from_outside_with_the_external_address_as_source_is_refused(
    engine: Engine,
) -> None:
    """Else one forged datagram could set two internal services against each other."""
    bench = Bench(engine, "full-cone")
    one = bench.open("udp", HOST, (R1, 80))
    two = bench.open("udp", (OTHER, 4000), (R1, 80))
    assert bench.send(udp(one, two)) == "source"
    assert bench.open("udp", HOST, two) == one  # the same by hairpin
    assert bench.send(udp(one, two)) == "source"


def test_a_call_to_an_external_port_nobody_has_makes_no_mapping(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    assert bench.try_open("udp", HOST, (EXTERNAL, 10_000)) == "no-mapping"
    assert bench.is_empty()


def test_an_error_goes_to_the_source_of_what_it_quotes_and_nowhere_else(engine: Engine) -> None:
    """RFC 1122 section 3.2.2: so another host's session cannot be quoted to a third one."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    assert bench.reply("udp", (R1, 80), external) == "translated"
    about = bytes(bench.packet)
    assert bench.send(error(INSIDE, R2, about)) == "no-session"
    assert bench.send(error(INSIDE, R1, about)) == "translated"


@pytest.mark.parametrize("source", [OTHER, INSIDE, R1, R2, "10.9.9.9"])
def test_whoever_sends_an_error_needs_to_know_the_session_and_changes_nothing(
    engine: Engine, source: str
) -> None:
    """Errors are judged by what they quote, as routers on the way may have any address: an insider
    gets no further than an outsider."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    sent = bytes(bench.packet)
    before = bench.sessions(), bench.mappings()
    wrong_port, wrong_remote = udp((EXTERNAL, external[1] ^ 1), (R1, 80)), udp(external, (R2, 80))
    for quotation in (wrong_port, wrong_remote, udp(external, (R1, 81)), udp(HOST, (R1, 80))):
        assert bench.send(error(source, EXTERNAL, quotation)) == "no-session"
    assert bench.send(error(source, EXTERNAL, sent)) == "translated"
    assert seen(bench.packet).destination[0] == INSIDE
    assert (bench.sessions(), bench.mappings()) == before


def test_a_reset_counts_only_in_the_window_the_inside_has_open(engine: Engine) -> None:
    """RFC 5961 section 3.2: who does not see a connection must not be able to shorten its life."""
    bench = Bench(engine, "full-cone")
    external = bench.connect(HOST, (R1, 80))
    bench.passes(tcp(HOST, (R1, 80), "A", acknowledgment=5000, window=1000))
    bench.now = 100 * SECOND
    for sequence in (0, 4999, 6000, 5000 + (1 << 31), (1 << 32) - 1):
        assert bench.send(tcp((R1, 80), external, "R", sequence=sequence)) == "translated"
        (session,) = bench.sessions()
        assert (session.state, session.expires) == ("established", 7340)
    for sequence in (5000, 5999):
        assert bench.send(tcp((R1, 80), external, "R", sequence=sequence)) == "translated"
        assert bench.sessions()[0].state == "reset"
        bench.passes(tcp(HOST, (R1, 80), "A", acknowledgment=5000, window=1000))
        assert bench.sessions()[0].state == "established"


def test_a_window_goes_round_past_the_highest_sequence_number(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.connect(HOST, (R1, 80))
    edge = (1 << 32) - 10
    bench.passes(tcp(HOST, (R1, 80), "A", acknowledgment=edge, window=20))
    for sequence in (10, edge - 1):
        bench.send(tcp((R1, 80), external, "R", sequence=sequence))
        assert bench.sessions()[0].state == "established"
    bench.send(tcp((R1, 80), external, "R", sequence=9))
    assert bench.sessions()[0].state == "reset"


def test_a_closed_window_takes_a_reset_at_its_edge_alone(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    external = bench.connect(HOST, (R1, 80))
    bench.passes(tcp(HOST, (R1, 80), "A", acknowledgment=700, window=0))
    bench.send(tcp((R1, 80), external, "R", sequence=701))
    assert bench.sessions()[0].state == "established"
    bench.send(tcp((R1, 80), external, "R", sequence=700))
    assert bench.sessions()[0].state == "reset"


SCALE = bytes([3, 3, 7, 1])  # window scale 7: a window counts 128 bytes (RFC 7323 section 2.2)


@pytest.mark.parametrize(
    ("offered", "taken", "factor"),
    [(SCALE, SCALE, 128), (SCALE, b"", 1), (b"", SCALE, 1), (b"", b"", 1)],
)
@pytest.mark.parametrize("opener", ["inside", "outside"])
def test_the_window_is_scaled_where_both_sides_offered_it(
    engine: Engine, opener: str, offered: bytes, taken: bytes, factor: int
) -> None:
    """`offered` by who opens, `taken` by who answers; the window is the inside's."""
    bench = Bench(engine, "full-cone")
    if opener == "inside":
        external = bench.passes(tcp(HOST, (R1, 80), "S", options=offered)).source
        bench.passes(tcp((R1, 80), external, "SA", options=taken))
    else:
        external = bench.open("tcp", HOST, (R2, 1))
        bench.passes(tcp((R1, 80), external, "S", options=offered))
        bench.passes(tcp(HOST, (R1, 80), "SA", options=taken))
        bench.passes(tcp((R1, 80), external, "A"))
    bench.passes(tcp(HOST, (R1, 80), "A", acknowledgment=1000, window=50))
    states = {}
    for sequence in (1000 + 50 * factor, 1000 + 50 * factor - 1):
        bench.send(tcp((R1, 80), external, "R", sequence=sequence))
        states[sequence] = next(row.state for row in bench.sessions() if row.remote == R1)
    assert list(states.values()) == ["established", "reset"]


def test_the_window_of_a_syn_is_never_scaled(engine: Engine) -> None:
    """RFC 7323 section 2.2; the answer of a host that has just been called."""
    bench = Bench(engine, "full-cone")
    external = bench.open("tcp", HOST, (R2, 1))
    bench.passes(tcp((R1, 80), external, "S", options=SCALE))
    bench.passes(tcp(HOST, (R1, 80), "SA", options=SCALE, acknowledgment=1000, window=50))
    bench.passes(tcp((R1, 80), external, "A"))
    bench.send(tcp((R1, 80), external, "R", sequence=1050))
    assert [row.state for row in bench.sessions() if row.remote == R1] == ["established"]
    bench.send(tcp((R1, 80), external, "R", sequence=1049))
    assert [row.state for row in bench.sessions() if row.remote == R1] == ["reset"]


@pytest.mark.parametrize("source", ["127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_an_error_from_no_host_is_refused(engine: Engine, source: str) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", HOST, (R1, 80))
    assert bench.send(error(source, EXTERNAL, bench.packet)) == "source"


def test_the_router_itself_may_report_errors_about_inbound_packets(engine: Engine) -> None:
    """It does so from 192.0.0.8 on the device (RFC 7600 section 4.8); nothing else may."""
    bench = Bench(engine, "full-cone")
    external = bench.open("udp", HOST, (R1, 80))
    bench.reply("udp", (R1, 80), external)
    delivered = bytes(bench.packet)
    assert bench.send(error("192.0.0.8", R1, delivered, code=4, rest=1300)) == "translated"
    assert seen(bench.packet).source[0] == EXTERNAL
    assert bench.try_open("udp", ("192.0.0.8", 4000), (R1, 80)) == "source"
