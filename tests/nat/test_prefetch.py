"""What is brought near before a batch: the right rows, from any bytes, and nothing else changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import packets
from support.bench import EXTERNAL, INSIDE, OTHER, R1, R2, Bench
from support.flavours import Engine, load
from support.properties import examples


def rows_for(bench: Bench, batch: list[bytearray]) -> list[int]:
    """The session rows that are brought near for a batch; on the source only."""
    prefetcher: Any = bench.nat.prefetcher
    for k, packet in enumerate(batch):
        prefetcher.note(packet, len(packet), k)
    prefetcher.fetch(len(batch), bench.now)
    return [prefetcher.rows[k] for k in range(len(batch))]


def test_both_directions_of_tcp_and_udp_find_their_sessions() -> None:
    bench = Bench(load("interpreted"))
    udp = bench.open("udp", (INSIDE, 5000), (R1, 53))
    tcp = bench.connect((OTHER, 5000), (R2, 443))
    first, second = rows_for(
        bench,
        [
            packets.udp((INSIDE, 5000), (R1, 53), b"query"),
            packets.tcp((OTHER, 5000), (R2, 443), "A"),
        ],
    )
    assert 0 != first != second != 0
    back = [packets.udp((R1, 53), udp, b"answer"), packets.tcp((R2, 443), tcp, "A")]
    assert rows_for(bench, back) == [first, second]


def test_what_has_no_session_or_no_ports_finds_none() -> None:
    bench = Bench(load("interpreted"))
    bench.open("udp", (INSIDE, 5000), (R1, 53))
    batch = [
        packets.udp((INSIDE, 5001), (R1, 53), b"another port"),
        packets.echo(INSIDE, R1, 7),
        bytearray(b"\x45"),
        bytearray(),
    ]
    assert rows_for(bench, batch) == [0, 0, 0, 0]


@pytest.mark.parametrize("version", [4, 6])
@examples(100)
@given(rest=st.binary(max_size=80), number=st.sampled_from([6, 17, 1, 58]))
def test_any_bytes_can_be_announced(engine: Engine, version: int, rest: bytes, number: int) -> None:
    bench = Bench(engine)
    bench.open("udp", (INSIDE, 5000), (R1, 53))
    packet = bytearray(bytes([version << 4 | 5]) + rest)
    if len(packet) > 9:
        packet[9 if version == 4 else 6] = number
    before = bytes(packet)
    bench.nat.prefetcher.note(packet, len(packet), 63)
    bench.nat.prefetcher.fetch(64, bench.now)
    assert packet == before
    assert bench.nat.usage()["sessions"] == 1


def test_a_session_still_in_the_old_array_is_translated_all_the_same(engine: Engine) -> None:
    """While an index moves, the guess may miss; the look-up does not."""
    bench = Bench(engine, limits={"host_mappings": 0})
    opened = {}
    for port in range(1000, 1049):  # 48 of 64 slots in use begin a move
        opened[port] = bench.open("udp", (INSIDE, port), (R1, 53))
    for port, external in opened.items():
        packet = packets.udp((R1, 53), external, b"answer")
        bench.nat.prefetcher.note(packet, len(packet), 0)
        bench.nat.prefetcher.fetch(1, bench.now)
        assert bench.passes(packet).destination == (INSIDE, port)
        assert external[0] == EXTERNAL
