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


def test_an_insider_cannot_forge_an_error_about_another_ones_session(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.open("udp", HOST, (R1, 80))
    sent = bytes(bench.packet)
    assert bench.send(error(OTHER, EXTERNAL, sent)) == "no-session"
    assert bench.send(error(R1, EXTERNAL, sent)) == "translated"
    assert seen(bench.packet).destination[0] == INSIDE


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
