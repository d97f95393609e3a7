"""Copies of packets against a dictionary, and the output queue against a queue."""

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

LARGEST = 65575  # octets of an IPv6 packet


def packet_pool(engine: Engine, count: int = 4, octets: int = 1000) -> Any:
    return engine.modules["nat.packets.packet_pool"].PacketPool(count, octets)


def contents(store: Any, slot: int) -> bytes:
    buffer = bytearray(LARGEST)
    return bytes(buffer[: store.copy_out(slot, buffer)])


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 400)), max_size=60)


@examples(100)
@given(steps=STEPS)
def test_packet_pool_are_kept_like_a_dictionary_with_two_limits(
    engine: Engine, steps: list[tuple[bool, int, int]]
) -> None:
    store = packet_pool(engine)
    model: dict[int, bytes] = {}
    for turn, (stored, which, size) in enumerate(steps):
        if stored:
            packet = bytes([turn]) * size
            room = len(model) < 4 and sum(map(len, model.values())) + size <= 1000
            slot = store.store(bytearray(packet), size)
            assert (slot in range(1, 5) and slot not in model) if room else slot == 0
            if slot:
                model[slot] = packet
        elif model:
            slot = sorted(model)[which % len(model)]
            store.drop(slot)
            del model[slot]
        assert store.count == len(model)
        assert store.octets == sum(map(len, model.values()))
        assert {slot: contents(store, slot) for slot in model} == model
        assert all(store.size_of(slot) == len(model[slot]) for slot in model)


def test_a_stored_packet_is_a_copy_of_as_much_as_was_said(engine: Engine) -> None:
    store = packet_pool(engine)
    packet = bytearray(b"abcdef")
    slot = store.store(packet, 4)
    packet[:] = b"ghijkl"
    buffer = bytearray(b"123456")
    assert store.copy_out(slot, buffer) == 4
    assert buffer == b"abcd56"


def test_the_largest_packet_fits_and_one_octet_more_than_the_room_does_not(engine: Engine) -> None:
    store = packet_pool(engine, 2, LARGEST)
    packet = bytearray(range(256)) * 257
    slot = store.store(packet, LARGEST)
    assert contents(store, slot) == packet[:LARGEST]
    assert store.store(packet, 1) == 0
    store.drop(slot)
    assert store.store(packet, 1)


def test_a_new_stored_packet_is_linked_to_none_whatever_its_slot_was_before(engine: Engine) -> None:
    store = packet_pool(engine)
    packet = bytearray(b"x")
    first, second, third = (store.store(packet, 1) for _ in range(3))
    store.link(first, second)
    store.link(second, third)
    assert [store.following(slot) for slot in (first, second, third)] == [second, third, 0]
    store.drop(first)
    store.drop(second)
    assert [store.following(store.store(packet, 1)) for _ in range(2)] == [0, 0]


def test_slots_and_octets_come_back_however_often_they_are_used(engine: Engine) -> None:
    store = packet_pool(engine, 2, 10)
    for turn in range(1000):
        slots = [store.store(bytearray([turn & 255] * 5), 5) for _ in range(3)]
        assert sorted(slots) == [0, 1, 2]
        for slot in slots[:2]:
            assert contents(store, slot) == bytes([turn & 255] * 5)
            store.drop(slot)
    assert store.count == store.octets == 0


@examples(60)
@given(steps=st.lists(st.booleans(), max_size=60))
def test_the_output_queue_gives_packets_in_the_order_they_were_pushed(
    engine: Engine, steps: list[bool]
) -> None:
    store = packet_pool(engine, 10)
    output_queue = engine.modules["nat.packets.output_queue"].OutputQueue(store)
    model: deque[bytes] = deque()
    for turn, pushed in enumerate(steps):
        if pushed:
            packet = bytes([turn]) * (turn + 1)
            slot = store.store(bytearray(packet), len(packet))
            if slot:
                store.link(slot, 7)
                output_queue.push(slot)
                model.append(packet)
        else:
            buffer = bytearray(LARGEST)
            size = output_queue.pop(buffer)
            assert buffer[:size] == (model.popleft() if model else b"")
        assert output_queue.waiting == store.count == len(model)


def test_no_stored_packet_is_larger_than_its_readers_have_room_for(engine: Engine) -> None:
    store = packet_pool(engine, octets=1 << 20)
    packet = bytearray(LARGEST + 1)
    assert store.store(packet, LARGEST + 1) == 0
    assert store.count == store.octets == 0
    assert store.store(packet, LARGEST) == 1
