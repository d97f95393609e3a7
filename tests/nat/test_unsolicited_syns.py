"""Unsolicited SYNs: six seconds of silence, forgotten when the inside opens too, bounded."""

from collections import OrderedDict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.packets import tcp
from support.properties import examples

MAPPED = 0x0000FFFF00000000
EXTERNAL = ("203.0.113.1", 10000)
REMOTE = MAPPED | 0xC6336401
KEPT = 128
Key = tuple[int, int, int, int, int]
KEY: Key = (0, 10000, 0, REMOTE, 4000)


def syns(engine: Engine, count: int = 4) -> Any:
    secret = engine.modules["nat.tables.hash_secret"].Secret(range(1, 9))
    return engine.modules["nat.error_responses.unsolicited_syns"].UnsolicitedSyns(count, secret)


def hold(held: Any, key: Key, now: int, packet: bytes | None = None, transport: int = 20) -> bool:
    b = bytearray(packet or tcp(("198.51.100.1", key[4]), EXTERNAL))
    return bool(held.hold(*key, b, len(b), transport, now))


def due(held: Any, now: int) -> bytes:
    """The start of the SYN that is due, nothing if none is."""
    out = bytearray(KEPT)
    return bytes(out[: held.next_due(now, out)])


def key(port: int) -> Key:
    return (*KEY[:4], port)


def port_of(packet: bytes) -> int:
    return int.from_bytes(packet[20:22], "big")


def test_a_syn_is_due_after_six_seconds_and_once(engine: Engine) -> None:
    held = syns(engine)
    assert hold(held, KEY, 1000)
    assert due(held, 6999) == b""
    assert due(held, 7000) == tcp(("198.51.100.1", 4000), EXTERNAL)
    assert held.transport == 20
    assert due(held, 7000) == b""
    assert held.held == 0


def test_a_repeated_syn_neither_counts_nor_restarts_the_clock(engine: Engine) -> None:
    held = syns(engine)
    assert hold(held, KEY, 0)
    assert hold(held, KEY, 3000)
    assert held.held == 1
    assert due(held, 6000)
    assert due(held, 9000) == b""


def test_a_syn_from_inside_for_the_connection_forgets_it(engine: Engine) -> None:
    held = syns(engine)
    hold(held, KEY, 0)
    held.cancel(*KEY)
    assert held.held == 0
    assert due(held, 6000) == b""


def test_only_the_very_connection_is_forgotten(engine: Engine) -> None:
    held = syns(engine)
    hold(held, KEY, 0)
    for place in range(5):
        other = list(KEY)
        other[place] ^= 1
        held.cancel(*other)
    assert held.held == 1


def test_connections_that_differ_in_one_thing_are_held_apart(engine: Engine) -> None:
    held = syns(engine, 6)
    hold(held, KEY, 0)
    for place in range(5):
        other = list(KEY)
        other[place] ^= 1
        assert held.hold(*other, bytearray(40), 40, 20, 0)
    assert held.held == 6


def test_they_become_due_in_the_order_of_arrival(engine: Engine) -> None:
    held = syns(engine)
    for port, now in ((1, 0), (2, 10), (3, 10), (4, 30)):
        hold(held, key(port), now)
    held.cancel(*key(2))
    assert [port_of(due(held, 6010)) for _ in range(2)] == [1, 3]
    assert due(held, 6010) == b""
    assert port_of(due(held, 6030)) == 4


def test_a_full_table_holds_no_more_and_has_room_again_later(engine: Engine) -> None:
    held = syns(engine, 2)
    assert [hold(held, key(port), 0) for port in (1, 2, 3)] == [True, True, False]
    assert hold(held, key(1), 0)
    held.cancel(*key(1))
    assert hold(held, key(3), 5)
    assert [port_of(due(held, 9000)) for _ in range(2)] == [2, 3]
    for port in range(100):
        assert hold(held, key(port), 10_000) == (port < 2)
    assert held.held == 2


def test_the_start_of_a_long_syn_is_kept(engine: Engine) -> None:
    held = syns(engine)
    packet = tcp(("198.51.100.1", 4000), EXTERNAL, "S", bytes(range(256)))
    assert hold(held, KEY, 0, packet, 60)
    assert due(held, 6000) == packet[:KEPT]
    assert held.transport == 60


def test_a_syn_whose_ports_are_not_in_what_is_kept_is_not_held(engine: Engine) -> None:
    held = syns(engine)
    packet = bytes(200)
    assert not hold(held, KEY, 0, packet, KEPT - 7)
    assert hold(held, KEY, 0, packet, KEPT - 8)


STEP = st.tuples(st.sampled_from("hhhct"), st.integers(1, 6), st.integers(0, 2500))


@examples(100)
@given(steps=st.lists(STEP, max_size=60))
def test_the_table_behaves_like_an_ordered_dictionary(
    engine: Engine, steps: list[tuple[str, int, int]]
) -> None:
    held, model, now = syns(engine, 3), OrderedDict[int, int](), 0
    for step, port, passed in steps:
        now += passed
        if step == "h":
            room = port in model or len(model) < 3
            assert hold(held, key(port), now) == room
            if room:
                model.setdefault(port, now + 6000)
        elif step == "c":
            held.cancel(*key(port))
            model.pop(port, None)
        else:
            packet = due(held, now)
            oldest = next(iter(model), 0)
            if oldest and model[oldest] <= now:
                assert port_of(packet) == oldest
                del model[oldest]
            else:
                assert packet == b""
        assert held.held == len(model)
