"""Hairpinning: internal hosts meet at external endpoints, and see each other's external one."""

import pytest

from support import oracle
from support.bench import EXTERNAL, INSIDE, OTHER, PROTOCOLS, R1, Bench
from support.flavours import Engine
from support.packets import (
    DONT_FRAGMENT,
    Endpoint,
    echo,
    error,
    identification,
    marked,
    quoted,
    seen,
    tcp,
    udp,
)

CALLER, CALLED = (INSIDE, 4000), (OTHER, 5000)
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)


def far(protocol: str) -> Endpoint:
    return R1, 0 if protocol == "icmp" else 80


def call(bench: Bench, protocol: str, caller: Endpoint, external: Endpoint) -> str:
    """Send the first packet from inside to an external endpoint."""
    if protocol == "icmp":
        return bench.send(echo(caller[0], external[0], caller[1]))
    return bench.try_open(protocol, caller, external)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_called_sees_the_external_endpoint_of_the_caller_and_answers_to_it(
    engine: Engine, protocol: str
) -> None:
    """RFC 4787 REQ-9a, RFC 5382 REQ-8."""
    bench = Bench(engine, "full-cone")
    called = bench.open(protocol, CALLED, far(protocol))
    caller = bench.open(protocol, CALLER, far(protocol))
    assert call(bench, protocol, CALLER, called) == "translated"
    assert bench.seen() == (caller, CALLED)
    assert oracle.is_right(bench.packet)
    assert bench.answer(protocol, CALLED, caller) == "translated"
    assert bench.seen() == (called, CALLER)
    assert oracle.is_right(bench.packet)


def test_a_ping_to_an_identifier_that_a_host_has_reaches_it_and_the_reply_returns(
    engine: Engine,
) -> None:
    """RFC 5508 REQ-7; an Echo message has one identifier, which finds the called host here."""
    bench = Bench(engine, "full-cone", ports="7000")
    assert bench.open("icmp", (INSIDE, 7000), (R1, 0)) == (EXTERNAL, 7000)
    assert bench.send(echo(INSIDE, EXTERNAL, 7000)) == "translated"
    assert bench.seen() == ((EXTERNAL, 7000), (INSIDE, 7000))
    assert oracle.is_right(bench.packet)
    assert bench.send(echo(INSIDE, EXTERNAL, 7000, 0)) == "translated"
    assert bench.seen() == ((EXTERNAL, 7000), (INSIDE, 7000))


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("preset", ["full-cone", "restricted-cone", "port-restricted-cone"])
def test_a_host_reaches_itself_by_its_own_external_endpoint(
    engine: Engine, protocol: str, preset: str
) -> None:
    bench = Bench(engine, preset)
    external = bench.open(protocol, CALLER, far(protocol))
    assert call(bench, protocol, CALLER, external) == "translated"
    assert bench.seen() == (external, CALLER)
    assert oracle.is_right(bench.packet)


def test_a_host_reaches_another_port_of_itself(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    called = bench.open("udp", (INSIDE, 5000), (R1, 80))
    assert call(bench, "udp", CALLER, called) == "translated"
    assert bench.seen().destination == (INSIDE, 5000)
    assert bench.seen().source[0] == EXTERNAL


@pytest.mark.parametrize("preset", ["restricted-cone", "port-restricted-cone"])
def test_filtering_applies_to_hairpinned_packets(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset)
    called = bench.open("udp", CALLED, (R1, 80))
    caller = bench.open("udp", CALLER, (R1, 80))
    assert call(bench, "udp", CALLER, called) == "filtered"
    # Once the called has sent to the caller's external endpoint too, both get through.
    assert call(bench, "udp", CALLED, caller) == "translated"
    assert bench.seen() == (called, CALLER)
    assert call(bench, "udp", CALLER, called) == "translated"
    assert bench.seen() == (caller, CALLED)


@EACH_PROTOCOL
def test_nothing_comes_back_from_an_external_endpoint_nobody_has(
    engine: Engine, protocol: str
) -> None:
    bench = Bench(engine, "full-cone", ports="7000-7009")
    assert call(bench, protocol, CALLER, (EXTERNAL, 6999)) in ("no-mapping", "translated")
    if bench.seen().destination[0] == EXTERNAL:
        assert bench.dropped() == {"no-mapping": 1}
    else:
        assert protocol == "icmp" and bench.seen().destination == CALLER


def test_a_whole_tcp_connection_runs_between_two_internal_hosts(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    called = bench.open("tcp", CALLED, (R1, 80))
    caller = bench.open("tcp", CALLER, (R1, 80))
    steps = ((CALLER, called, "S"), (CALLED, caller, "SA"), (CALLER, called, "A"))
    for source, destination, flags in steps + ((CALLED, caller, "FA"), (CALLER, called, "FA")):
        bench.passes(tcp(source, destination, flags))
        assert bench.seen().source[0] == EXTERNAL
    states = [row.state for row in bench.sessions() if row.remote == EXTERNAL]
    assert states == ["both-fin", "both-fin"]


def test_an_error_about_a_hairpinned_packet_reaches_its_sender(engine: Engine) -> None:
    """RFC 5508 REQ-7a: the outer destination becomes the source of the restored quotation."""
    bench = Bench(engine, "full-cone")
    called = bench.open("udp", CALLED, (R1, 80))
    sent = marked(udp(CALLER, called), DONT_FRAGMENT)
    bench.passes(sent)
    received = bytes(bench.packet)
    assert bench.send(error(OTHER, EXTERNAL, received)) == "translated"
    assert seen(bench.packet)[0][0] == EXTERNAL
    assert seen(bench.packet)[1][0] == INSIDE
    assert quoted(bench.packet) == sent
    assert oracle.is_right(bench.packet)


def test_a_hairpinned_packet_that_may_be_fragmented_gets_another_identification(
    engine: Engine,
) -> None:
    """RFC 7857 section 10: the called sees one address for all callers."""
    bench = Bench(engine, "full-cone")
    called = bench.open("udp", CALLED, (R1, 80))
    sent = udp(CALLER, called)
    numbers = set()
    for _ in range(8):
        bench.passes(sent)
        assert oracle.is_right(bench.packet)
        numbers.add(identification(bench.packet))
    assert len(numbers) == 8


def test_an_error_about_a_hairpinned_packet_with_a_wrong_checksum_is_dropped(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone")
    called = bench.open("udp", CALLED, (R1, 80))
    bench.passes(udp(CALLER, called))
    wrong = error(OTHER, EXTERNAL, bench.packet)
    wrong[22] ^= 0x10
    assert bench.send(wrong) == "icmp-checksum"
    assert bench.packet == wrong


def test_hairpinned_packets_count_as_inbound(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    called = bench.open("udp", CALLED, (R1, 80))
    before = bench.nat.counters()
    packet = udp(CALLER, called)
    bench.passes(packet)
    after = bench.nat.counters()
    assert after["outbound"] == before["outbound"]
    assert after["inbound"] == {"packets": 1, "bytes": len(packet)}
