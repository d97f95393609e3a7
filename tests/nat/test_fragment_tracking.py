"""What is remembered of fragmented datagrams: order, refusals, limits, time, and floods."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from support.flavours import Engine, load

WORDS = tuple(0x9E3779B97F4A7C15 * n % (1 << 64) for n in range(1, 9))
REASONS = load("interpreted").modules["nat.rules.drop_reasons"]
TRANSLATED, OVERLAP, LIMIT = 0, REASONS.FRAGMENT_OVERLAP, REASONS.FRAGMENT_LIMIT
WAITING, KNOWN, REFUSED = 1, 2, 3
LIFETIME = 2000
PIECES = 128
UDP, TCP = 17, 6
M64 = (1 << 64) - 1
OUTBOUND = 1

Key = tuple[int, int, int, int, int, int, int]


def key(
    source: str = "192.168.1.2",
    destination: str = "198.51.100.7",
    number: int = UDP,
    identification: int = 1,
) -> Key:
    """A datagram as `find` and `make` are told of it."""
    words = []
    for text in (source, destination):
        address = IPv6Address(text if ":" in text else f"::ffff:{IPv4Address(text)}")
        words += [int(address) >> 64, int(address) & M64]
    return *words, 6 if ":" in source else 4, number, identification  # type: ignore[return-value]


def fragments(
    engine: Engine,
    datagrams: int = 16,
    count: int = 100,
    octets: int = 1 << 20,
    words: tuple[int, ...] = WORDS,
) -> tuple[Any, Any]:
    """A table and the stored packets it holds fragments in."""
    modules = engine.modules
    packet_pool = modules["nat.packets.packet_pool"].PacketPool(count, octets)
    secret = modules["nat.tables.hash_secret"].Secret(words)
    return modules["nat.packets.fragment_tracking"].Fragments(
        datagrams, packet_pool, secret, LIFETIME
    ), packet_pool


def hold(table: Any, row: int, packet: bytes) -> bool:
    held: bool = table.hold(row, bytearray(packet), len(packet))
    return held


def held(table: Any, packet_pool: Any, row: int) -> list[bytes]:
    """Take all that is held out of the row."""
    packets, buffer = [], bytearray(65535)
    while slot := table.next_held(row):
        packets.append(bytes(buffer[: packet_pool.copy_out(slot, buffer)]))
        packet_pool.drop(slot)
    return packets


def learnt(table: Any, identification: int, now: int = 0) -> int:
    """The row of a datagram whose first fragment has been translated."""
    row: int = table.make(*key(identification=identification), now)
    table.learn(row, OUTBOUND, 0, 9, 0, 8, identification)
    return row


def known(table: Any, identifications: Any, now: int = 0) -> list[int]:
    """Those that are found; asked in this order."""
    return [n for n in identifications if table.find(*key(identification=n), now)]


def test_fragments_in_order_are_translated_like_the_first(engine: Engine) -> None:
    table, _ = fragments(engine)
    assert table.find(*key(), 0) == 0
    row = table.make(*key(), 0)
    assert table.state_of(row) == WAITING
    assert table.note(row, 0, 1480, False) == TRANSLATED
    table.learn(row, OUTBOUND, M64, M64 - 1, M64 - 2, M64 - 3, 0xFFFFFFFF)
    assert table.find(*key(), 0) == row
    assert table.state_of(row) == KNOWN
    assert table.outbound_of(row) == OUTBOUND
    assert (table.source_high(row), table.source_low(row)) == (M64, M64 - 1)
    assert (table.destination_high(row), table.destination_low(row)) == (M64 - 2, M64 - 3)
    assert table.identification_of(row) == 0xFFFFFFFF
    assert table.note(row, 1480, 2960, False) == TRANSLATED
    assert not table.complete(row)
    assert table.note(row, 2960, 3000, True) == TRANSLATED
    assert table.complete(row)
    table.end(row)
    assert table.find(*key(), 0) == 0
    assert table.count == table.waiting == table.unlearnt == 0


def test_later_fragments_are_held_in_the_order_they_came(engine: Engine) -> None:
    table, packet_pool = fragments(engine)
    row, other = table.make(*key(), 0), table.make(*key(identification=2), 0)
    for start, end, last in ((2960, 3000, True), (1480, 2960, False)):
        assert table.note(row, start, end, last) == TRANSLATED
        assert hold(table, row, bytes([start & 255]) * (end - start))
        assert hold(table, other, b"other")
    assert (packet_pool.count, packet_pool.octets) == (4, 1530)
    assert table.note(row, 0, 1480, False) == TRANSLATED
    assert table.complete(row)
    table.learn(row, OUTBOUND, 0, 9, 0, 8, 1)
    assert held(table, packet_pool, row) == [bytes([2960 & 255]) * 40, bytes([1480 & 255]) * 1480]
    assert table.next_held(row) == 0
    assert hold(table, other, b"third")
    assert held(table, packet_pool, other) == [b"other", b"other", b"third"]
    assert packet_pool.count == 0


@pytest.mark.parametrize("words", [WORDS, (0,) * 8], ids=["hashed", "all-collide"])
def test_datagrams_differ_by_addresses_protocol_and_identification(
    engine: Engine, words: tuple[int, ...]
) -> None:
    table, _ = fragments(engine, 64, words=words)
    keys = [
        key(),
        key(source="192.168.1.3"),
        key(destination="198.51.100.8"),
        key(source="198.51.100.7", destination="192.168.1.2"),
        key(number=TCP),
        key(identification=0),
        key(identification=0xFFFF),
        key("2001:db8::1", "2001:db8::2"),
        key("2001:db8:1::1", "2001:db8::2"),
        key("2001:db8::1", "2001:db8:1::2"),
        key("2001:db8::1", "2001:db8::2", identification=0xFFFFFFFF),
    ]
    rows = [table.make(*one, 0) for one in keys]
    assert len(set(rows)) == len(keys)
    assert [table.find(*one, 0) for one in keys] == rows
    for row in rows[::2]:
        table.end(row)
    assert [table.find(*one, 0) for one in keys] == [
        row if place % 2 else 0 for place, row in enumerate(rows)
    ]


def test_an_ipv6_datagram_is_the_same_whatever_header_comes_next(engine: Engine) -> None:
    """Destination options before the transport header: only the first fragment shows the latter."""
    table, _ = fragments(engine)
    row = table.make(*key("2001:db8::1", "2001:db8::2", UDP), 0)
    assert table.find(*key("2001:db8::1", "2001:db8::2", 60), 0) == row


@pytest.mark.parametrize("learns", [False, True])
def test_an_overlap_refuses_the_datagram_and_drops_what_is_held(
    engine: Engine, learns: bool
) -> None:
    table, packet_pool = fragments(engine)
    row = table.make(*key(), 0)
    assert table.note(row, 8, 16, False) == TRANSLATED
    assert hold(table, row, b"held")
    if learns:
        table.learn(row, OUTBOUND, 0, 9, 0, 8, 1)
    assert table.note(row, 0, 9, False) == OVERLAP
    assert table.find(*key(), 0) == row
    assert table.state_of(row) == REFUSED
    assert table.next_held(row) == packet_pool.count == table.waiting == 0
    assert table.count == 1
    table.end(row)
    assert table.count == table.unlearnt == 0


def test_too_many_pieces_refuse_the_datagram(engine: Engine) -> None:
    table, packet_pool = fragments(engine, count=200)
    row = table.make(*key(), 0)
    for k in range(PIECES):
        assert table.note(row, 8 * k, 8 * k + 8, False) == TRANSLATED
        assert hold(table, row, b"held")
    assert not hold(table, row, b"the 129th")
    assert packet_pool.count == PIECES
    assert table.note(row, 8 * PIECES, 8 * PIECES + 8, True) == LIMIT
    assert table.state_of(row) == REFUSED
    assert packet_pool.count == 0


def test_a_row_used_again_has_nothing_of_its_former_datagram(engine: Engine) -> None:
    table, packet_pool = fragments(engine)
    row = table.make(*key(), 0)
    table.note(row, 0, 16, True)
    hold(table, row, b"former")
    table.refuse(row)
    table.end(row)
    again = table.make(*key(identification=2), 0)
    assert again == row
    assert table.state_of(again) == WAITING
    assert not table.complete(again)
    assert table.note(again, 8, 32, True) == TRANSLATED
    assert hold(table, again, b"new")
    assert held(table, packet_pool, again) == [b"new"]


def test_time_runs_from_the_first_piece_and_is_not_prolonged(engine: Engine) -> None:
    table, packet_pool = fragments(engine)
    row = table.make(*key(), 500)
    hold(table, row, b"held")
    assert table.find(*key(), 500 + LIFETIME - 1) == row
    table.note(row, 0, 8, False)
    table.learn(row, OUTBOUND, 0, 9, 0, 8, 1)
    assert packet_pool.count == 1
    assert table.find(*key(), 500 + LIFETIME - 1) == row
    assert table.find(*key(), 500 + LIFETIME) == 0
    assert table.count == packet_pool.count == 0
    assert table.find(*key(), 500) == 0


def test_expiry_ends_what_is_due_and_no_more_than_it_may(engine: Engine) -> None:
    table, packet_pool = fragments(engine, 48)
    for n in range(10):
        row = table.make(*key(identification=n), n)
        hold(table, row, b"held")
    for n in range(10, 20):
        learnt(table, n, n)
    assert table.expire(LIFETIME - 1, 100) == 0
    assert table.expire(LIFETIME + 4, 3) == 3
    assert table.expire(LIFETIME + 4, 100) == 2
    assert (table.count, table.waiting, packet_pool.count) == (15, 5, 5)
    assert table.expire(LIFETIME + 14, 7) == 7
    assert table.expire(LIFETIME + 14, 100) == 3
    assert (table.count, table.waiting, packet_pool.count) == (5, 0, 0)
    assert known(table, range(20), LIFETIME + 14) == [15, 16, 17, 18, 19]
    assert table.expire(10 * LIFETIME, 100) == 5
    assert table.count == 0


def test_a_row_learnt_late_is_absent_in_time_and_swept_within_as_much_again(
    engine: Engine,
) -> None:
    table, _ = fragments(engine)
    late = table.make(*key(), 0)
    learnt(table, 2, LIFETIME - 1)
    table.learn(late, OUTBOUND, 0, 9, 0, 8, 1)
    assert table.expire(LIFETIME, 100) == 0
    assert known(table, [1], LIFETIME) == []
    assert table.expire(2 * LIFETIME - 1, 100) == 1
    assert table.count == 0


def test_waiting_rows_are_a_quarter_and_push_out_their_oldest(engine: Engine) -> None:
    table, packet_pool = fragments(engine, 16)
    for n in range(6):
        assert hold(table, table.make(*key(identification=n), n), b"held")
    assert known(table, range(6)) == [2, 3, 4, 5]
    assert table.count == table.waiting == packet_pool.count == 4


def test_known_rows_are_the_rest_and_push_out_their_oldest(engine: Engine) -> None:
    table, _ = fragments(engine, 16)
    waiting = [table.make(*key(identification=n), 0) for n in range(3)]
    for n in range(10, 25):
        learnt(table, n)
    assert known(table, range(10, 25)) == list(range(13, 25))
    assert [table.state_of(row) for row in waiting] == [WAITING] * 3
    assert (table.count, table.waiting) == (15, 3)


def test_the_order_of_known_rows_is_that_of_their_first_fragments(engine: Engine) -> None:
    table, _ = fragments(engine, 4)
    late = table.make(*key(identification=99), 0)
    table.learn(late, OUTBOUND, 0, 9, 0, 8, 99)
    for n in (1, 2, 3):
        learnt(table, n)
    assert known(table, (99, 1, 2, 3)) == [1, 2, 3]


@pytest.mark.parametrize("datagrams", [2, 3, 4, 7])
def test_the_smallest_tables_keep_one_of_each_kind(engine: Engine, datagrams: int) -> None:
    table, _ = fragments(engine, datagrams)
    for n in range(0, 40, 2):
        learnt(table, n)
        table.make(*key(identification=n + 1), 0)
    assert known(table, range(40)) == [*range(42 - 2 * datagrams, 39, 2), 39]
    assert table.count == datagrams


def test_refused_rows_of_outsiders_push_out_only_their_own_kind(engine: Engine) -> None:
    """Two overlapping fragments, or a first one to a port nobody has, are as easy to send."""
    table, _ = fragments(engine, 16)
    for n in range(100, 112):
        learnt(table, n)
    for n in range(50):
        table.refuse(table.make(*key(identification=n), 0))
    assert known(table, range(120)) == [46, 47, 48, 49, *range(100, 112)]
    assert table.waiting == 0


def test_a_refused_row_that_had_a_translation_stays_among_the_known(engine: Engine) -> None:
    table, _ = fragments(engine, 16)
    table.refuse(learnt(table, 100))
    for n in range(50):
        table.make(*key(identification=n), 0)
    assert table.state_of(table.find(*key(identification=100), 0)) == REFUSED
    assert table.waiting == table.unlearnt == 4


@pytest.mark.parametrize("count,octets", [(6, 1 << 20), (100, 60)], ids=["count", "octets"])
def test_room_for_a_fragment_is_made_by_ending_older_datagrams_that_wait(
    engine: Engine, count: int, octets: int
) -> None:
    table, packet_pool = fragments(engine, 32, count, octets)
    first = learnt(table, 50)
    for n in range(3):
        row = table.make(*key(identification=n), 0)
        assert hold(table, row, b"0123456789") and hold(table, row, b"0123456789")
    row = table.make(*key(identification=3), 0)
    assert hold(table, row, b"abcdefghij")
    assert known(table, range(4)) == [1, 2, 3]
    assert packet_pool.count == 5
    assert table.state_of(first) == KNOWN
    oldest = table.find(*key(identification=1), 0)
    assert hold(table, oldest, b"0123456789")
    assert not hold(table, oldest, b"0123456789")
    assert known(table, range(4)) == [1, 2, 3]
    assert held(table, packet_pool, oldest) == [b"0123456789"] * 3


def test_what_others_hold_in_the_packet_pool_is_not_touched(engine: Engine) -> None:
    table, packet_pool = fragments(engine, 16, 2)
    slots = [packet_pool.store(bytearray(b"other"), 5) for _ in range(2)]
    rows = [table.make(*key(identification=n), 0) for n in range(3)]
    assert not hold(table, rows[2], b"held")
    assert table.next_held(rows[2]) == 0
    packet_pool.drop(slots[0])
    assert hold(table, rows[2], b"held")
    assert packet_pool.copy_out(slots[1], bytearray(10)) == 5


def test_a_stored_packet_taken_out_is_the_callers(engine: Engine) -> None:
    table, packet_pool = fragments(engine)
    row = table.make(*key(), 0)
    hold(table, row, b"one")
    hold(table, row, b"two")
    slot = table.next_held(row)
    table.end(row)
    assert packet_pool.count == 1
    buffer = bytearray(10)
    assert buffer[: packet_pool.copy_out(slot, buffer)] == b"one"


def test_a_flood_stays_within_the_limits_and_leaves_nothing_behind(engine: Engine) -> None:
    table, packet_pool = fragments(engine, 64, 100, 5000)
    victim = learnt(table, 0xFFFF)
    for n in range(20000):
        row = table.make(*key(identification=n % 5000, source=f"203.0.113.{n % 199}"), n // 100)
        kind = n % 5
        table.note(row, 8, 8 + n % 700 + 1, kind == 1)
        if kind == 2:
            assert table.note(row, 8, 16, False) == OVERLAP
        elif kind != 3:
            assert hold(table, row, b"x" * (n % 700 + 1))
        assert table.unlearnt <= 16 and table.count <= 17
        assert packet_pool.count <= 100 and packet_pool.octets <= 5000
    assert table.fresh <= 64 + 3
    assert table.find(*key(identification=0xFFFF), 200) == victim
    assert table.expire(10 * LIFETIME, 1000) == 17
    assert (table.count, table.waiting, table.unlearnt) == (0, 0, 0)
    assert (packet_pool.count, packet_pool.octets) == (0, 0)
