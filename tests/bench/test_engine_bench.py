"""The engine's benchmark at sizes that take no time: right numbers of things, not right times."""

import json
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from ratsnake.bench import engine_bench as bench_engine
from ratsnake.bench import engine_ports
from support import flavours, oracle
from support.flavours import Engine
from support.packets import seen

TCP, UDP = 0, 1
SMALL = replace(bench_engine.QUICK, sessions=(64, 128), packets=300, highest_port=1023 + 300)


def interpreted(name: str) -> ModuleType:
    return flavours.load("interpreted").modules[name]


def loaded(engine: Engine, protocol: int, flows: int) -> Any:
    """A load of so many flows, opened."""
    nat = engine.modules["bench.engine_nat"].make_nat(rows=256, addresses=1)
    load = engine.modules["bench.engine_load"].Load(nat, protocol, flows)
    load.open(0, flows)
    load.check()
    return load


@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
def test_a_load_opens_its_flows_and_talks_in_both_directions(engine: Engine, protocol: int) -> None:
    load = loaded(engine, protocol, 100)
    rows = load.nat.session_rows(0, 1000, load.now)[0]
    assert len(rows) == 100
    assert {row.state for row in rows} == {"established" if protocol == TCP else "open"}
    assert len({(row.remote, row.remote_port) for row in rows}) == 100
    before = load.nat.counters()
    assert load.exchange(100, 400, True) > 0
    load.check()
    after = load.nat.counters()
    for direction in ("outbound", "inbound"):
        assert after[direction]["packets"] - before[direction]["packets"] == 200
    assert load.exchange(100, 1000) > 0
    load.check()
    assert load.nat.usage()["sessions"] == 100


def test_a_load_whose_packets_are_dropped_says_so(engine: Engine) -> None:
    load = loaded(engine, UDP, 100)
    load.wait(301_000)
    load.exchange(100, 64)
    with pytest.raises(engine.modules["bench.engine_load"].RefusedError, match="not translated"):
        load.check()


def test_the_clock_goes_on_with_the_packets_and_by_waiting(engine: Engine) -> None:
    load = loaded(engine, UDP, 10)
    assert load.now == 1000
    load.exchange(10, 2990)
    assert load.now == 1003
    load.wait(50)
    assert load.now == 1053


def test_sweeping_ends_what_has_expired(engine: Engine) -> None:
    load = loaded(engine, UDP, 100)
    load.wait(200_000)
    load.open(0, 40)
    load.wait(101_000)
    load.sweep()
    assert load.nat.usage()["sessions"] == 40


def test_a_load_of_one_inside_or_one_remote(engine: Engine) -> None:
    Load = engine.modules["bench.engine_load"].Load
    nat = engine.modules["bench.engine_nat"].make_nat(rows=256, addresses=1)
    Load(nat, UDP, 10, flows_per_host=1, internal_port=4000, remotes=1).open(0, 10)
    rows = nat.session_rows(0, 100, 1000)[0]
    assert len({row.internal for row in rows}) == 10
    assert {(row.remote, row.remote_port) for row in rows} == {("198.51.100.1", 1024)}
    Load(nat, UDP, 10, flows_per_host=0, internal_port=500, first_remote=300).open(0, 10)
    rows = [row for row in nat.session_rows(0, 100, 1000)[0] if row.internal_port == 500]
    assert {row.internal for row in rows} == {"10.0.0.1"}
    assert len({row.remote for row in rows}) == 10


@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
def test_the_packets_of_a_load_are_right(protocol: int) -> None:
    """On the source: the compiled writer is not visible from Python."""
    write = interpreted("bench.small_packets").write_packet
    packet = bytearray(64)
    size = write(packet, protocol, 0x0A000001 << 16 | 10000, 0xC6336401 << 16 | 1024, 16)
    del packet[size:]
    assert oracle.is_right(packet)
    assert seen(packet) == (("10.0.0.1", 10000), ("198.51.100.1", 1024))


def test_a_histogram_tells_values_apart_to_a_sixteenth() -> None:
    histogram = interpreted("bench.histogram").Histogram()
    assert histogram.percentile(0.5) == 0
    for value in range(1, 100_001):
        histogram.note(value)
    assert (histogram.count, histogram.largest) == (100_000, 100_000)
    for share in (0.001, 0.1, 0.5, 0.99, 0.9999):
        assert share * 100_000 <= histogram.percentile(share) <= share * 100_000 * 17 / 16
    assert histogram.percentile(1.0) == 100_000
    histogram.note((1 << 64) - 1)
    assert histogram.percentile(1.0) == (1 << 64) - 1


def test_the_gap_loop_notes_every_packet_and_what_it_did_itself(engine: Engine) -> None:
    load = loaded(engine, UDP, 100)
    packet_loop = engine.PacketLoop(load.nat, -1, False)
    for idle in (False, True):
        loop = engine.modules["bench.gap_loop"].GapLoop(load, packet_loop, idle)
        loop.exchange(100, 1000)
        assert loop.gaps.count == loop.own.count == 1000
        assert 0 < loop.own.largest <= loop.gaps.largest
    assert load.nat.counters()["outbound"]["packets"] > 100
    packet_loop.close()


def test_the_last_port_is_measured_where_one_is_left(engine: Engine) -> None:
    ports = engine.modules["bench.engine_ports"]
    used = next(case for case in ports.CASES if case.used)
    line = next(case for case in ports.CASES if case.line)
    blocks = next(case for case in ports.CASES if case.port_block)
    for case, count in ((ports.CASES[0], 60), (used, 60), (line, 240), (blocks, 256)):
        cost = ports.measure(case, 1023 + 300 if case is blocks else 1023 + 60)
        assert cost.ports == count
        assert cost.ratio == cost.last / cost.first > 0


def test_cases_count_the_ports_of_their_class_and_parity() -> None:
    cases = {case.situation: case.ports(2047) for case in engine_ports.CASES}
    assert cases["ports of one parity"] == 512
    assert cases["ports below 1024 of all"] == 1023
    assert cases["ports from 1024 of all"] == 1024


def test_sessions_are_renewed_and_timed(engine: Engine) -> None:
    costs = engine.modules["bench.engine_costs"]
    load, growing = costs.opened(UDP, 60)
    opening, expiring = costs.renew(load, 60, 60)
    assert opening > 0 and expiring > 0 and growing > 0
    assert load.nat.usage()["sessions"] == 60


def test_all_of_it_at_a_small_size() -> None:
    told: list[str] = []
    result = bench_engine.measure(SMALL, told.append)
    assert [(cost.protocol, cost.order, cost.sessions) for cost in result.packets] == [
        (protocol, order, sessions)
        for protocol in ("tcp", "udp")
        for order in ("random", "in turn")
        for sessions in (64, 128)
    ]
    assert [cost.sessions for cost in result.sessions] == [64, 128]
    assert len(result.ports) == len(engine_ports.CASES)
    assert result.memory.bytes_a_session > 0
    assert [gaps.packets > 0 for gaps in result.gaps] == [True] * 8
    assert all(gaps.own_largest <= gaps.largest for gaps in result.gaps)
    assert len(told) > len(result.ports)
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()
