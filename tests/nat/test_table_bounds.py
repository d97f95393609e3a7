"""A table that has no row left says so, whoever asks; and numbers fit the fields that hold them."""

import re
from typing import Any

import pytest

from ratsnake.nat.settings.setting_types import MOST_ROWS
from ratsnake.nat.settings.settings_checks import MOST_EXTERNALS
from support.bench import INSIDE, R1, R2, Bench
from support.flavours import Engine, load
from support.packets import udp
from support.twin import numbers, source


def secret(engine: Engine) -> Any:
    return engine.modules["nat.tables.hash_secret"].Secret(range(1, 9))


def test_a_full_table_of_hosts_has_no_row(engine: Engine) -> None:
    hosts = engine.modules["nat.tables.host_table"].HostTable(3, secret(engine))
    rows = [hosts.enter(0, low) for low in range(1, 6)]
    assert rows == [1, 2, 3, 0, 0]
    assert hosts.count == 3
    hosts.settle(2)
    assert hosts.enter(0, 9) == 2


def test_a_full_counter_table_counts_no_more_and_forgets_nothing(engine: Engine) -> None:
    counters = engine.modules["nat.allocation.counter_table"].CounterTable(2, secret(engine))
    for low in range(4):
        counters.add(1, 0, low)
    assert [counters.get(1, 0, low) for low in range(4)] == [1, 1, 0, 0]
    assert counters.set_bit(1, 0, 3, 5) == counters.clear_bit(1, 0, 3, 5) == 0
    for low in (3, 2, 1, 0):
        counters.remove(1, 0, low)
    assert [counters.get(1, 0, low) for low in range(4)] == [0] * 4
    counters.add(1, 0, 3)
    assert counters.get(1, 0, 3) == 1


def test_endpoints_that_are_all_in_use_leave_no_row(engine: Engine) -> None:
    memory = engine.modules["nat.allocation.sticky_ports"].StickyPorts(1, secret(engine))
    rows = [memory.enter(0, 0, low, 1) for low in (1, 2)]
    for row in rows:
        memory.hold(row, 0, 1)
    assert memory.enter(0, 0, 3, 1) == 0
    memory.drop(rows[0])
    assert memory.enter(0, 0, 3, 1) == rows[0]


def test_full_tables_of_mappings_and_sessions_have_no_row() -> None:
    engine = load("interpreted")
    bench = Bench(engine, limits={"mappings": 4, "sessions": 4, "inbound_sessions": 1})
    for port in range(4):
        bench.open("udp", (INSIDE, 1000 + port), (R1, 53))
    flows = bench.nat.translator.flows
    assert flows.sessions.row_for_new() == 0
    assert flows.mappings.add(0, 0, 1, 2, 0, 3, 0, 4, 5) == 0
    assert flows.open_session(1, 0, 1, 2, 0, 0) == 0
    assert (flows.sessions.count, flows.mappings.count) == (4, 4)


def test_a_row_that_is_free_cannot_be_read() -> None:
    """The interpreted twin of what the sanitized build reports (tests/sanitized)."""
    bench = Bench(load("interpreted"), timeouts={"udp": 1})
    bench.open("udp", (INSIDE, 1000), (R1, 53))
    flows = bench.nat.translator.flows
    row = flows.sessions.fresh - 1
    assert flows.sessions.rows[row].expires
    bench.nat.expire(2000)
    with pytest.raises(AttributeError, match="expires"):
        _ = flows.sessions.rows[row].expires
    with pytest.raises(AttributeError, match="internal_low"):
        _ = flows.mappings.rows[1].internal_low
    with pytest.raises(KeyError):
        _ = flows.sessions.rows[row + 1]
    assert bench.open("udp", (INSIDE, 1000), (R2, 53))


def test_packets_beyond_a_batch_are_not_announced(engine: Engine) -> None:
    bench = Bench(engine)
    packet = udp((INSIDE, 1000), (R1, 53))
    for number in (0, 63, 64, 65, 1000, 0xFFFFFFFF):
        bench.nat.prefetcher.note(packet, len(packet), number)
    for count in (64, 65, 0xFFFFFFFF):
        bench.nat.prefetcher.fetch(count, 0)
    assert bench.passes(packet)


def widths() -> dict[str, int]:
    """The bit fields of the C structs: how many bits each has."""
    found = re.findall(r"(\w+) : (\d+)[,;]", source("nat.tables.row_layouts"))
    return {name: int(bits) for name, bits in found}


def test_numbers_fit_the_fields_that_hold_them() -> None:
    rows = MOST_ROWS + numbers("nat.rules.timeout_classes")["TIMERS"] + 1
    freed = numbers("nat.tables.mapping_table")["FREE"]
    protocols = numbers("wire.packet_fields")["PROTOCOLS"]
    largest = {
        "ring_previous": rows,
        "ring_next": rows,
        "sessions": rows,
        "confirmed": rows,
        "timer": numbers("nat.rules.timeout_classes")["TIMERS"],
        "state": numbers("nat.rules.connection_states")["STATES"] - 1,
        "flags": max(value for name, value in numbers("nat.tables.session_table").items()) * 2 - 1,
        "inside_scale": numbers("nat.translation.tcp_reset_window")["LARGEST_SCALE"],
        "policy": freed,
        "protocol": protocols - 1,
        "external_port": 65535,
        "is_wide": 1,
    }
    bits = widths()
    assert {name for name, most in largest.items() if name in bits and most >= 1 << bits[name]} == (
        set()
    )
    assert numbers("nat.rules.behaviour_codes")["STATIC"] + protocols <= freed
    assert MOST_EXTERNALS < 1 << 16
