"""Whatever the bytes: parsing never raises, both flavours agree, and offsets stay inside."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.malformed import MALFORMED, WELL_FORMED
from support.properties import examples

PACKETS = [*WELL_FORMED, *(packet for packet, _ in MALFORMED.values() if len(packet) < 2000)]
LEAST = {0: 20, 1: 8, 2: 8, 3: 8, 4: 12, 5: 16, 6: 0}  # bytes of header, by row


def judge(engines: tuple[Engine, Engine], packet: bytes) -> int:
    """Parse on both flavours; the fault both see.  What holds of every well-formed packet holds."""
    before = bytearray(packet)
    fault, fields = engines[0].modules["wire.parsed_values"].inspect(before)
    assert before == packet
    again = engines[1].modules["wire.parsed_values"].inspect(before)
    assert again[0] == fault
    assert before == packet
    if fault:
        return int(fault)
    assert again[1] == fields
    header = 20 if fields["version"] == 4 else 40
    assert header <= fields["transport"] <= fields["end"] == len(packet)
    assert fields["fragment_header"] == 0 or (
        40 <= fields["fragment_header"] <= fields["transport"] - 8 and fields["version"] == 6
    )
    assert fields["protocol"] < 7
    if fields["is_error"]:
        assert fields["fragment"] == 0
        assert fields["transport"] + 8 == fields["embedded"]
        assert fields["embedded"] + header <= fields["embedded_transport"] <= fields["end"] - 8
    elif fields["fragment"] == 2:
        assert fields["source_port"] == fields["destination_port"] == fields["kind"] == 0
        assert fields["fragment_offset"] % 8 == 0 < fields["fragment_offset"]
    else:
        assert fields["end"] - fields["transport"] >= LEAST[fields["protocol"]]
        assert fields["fragment_offset"] == 0
    assert fields["fragment_offset"] + fields["end"] - fields["transport"] <= 65535
    return 0


@examples(400)
@given(data=st.binary(max_size=160))
def test_random_bytes_are_judged(engines: tuple[Engine, Engine], data: bytes) -> None:
    judge(engines, data)


@examples(400)
@given(
    data=st.binary(max_size=160),
    number=st.sampled_from([0, 1, 6, 17, 33, 43, 44, 47, 51, 58, 59, 60, 132, 136]),
    words=st.integers(5, 15),
    field=st.sampled_from([0, 0, 0x2000, 0x2001, 1, 0x1FFF, 0x4000]),
)
def test_random_bytes_behind_a_plausible_header_are_judged(
    engines: tuple[Engine, Engine], data: bytes, number: int, words: int, field: int
) -> None:
    fixed = struct.pack("!BBHHHBBH", 0x40 | words, 0, 20 + len(data), 1, field, 64, number, 0)
    judge(engines, fixed + bytes([192, 0, 2, 1, 198, 51, 100, 1]) + data)
    fixed = struct.pack("!IHBB", 6 << 28, len(data), number, 64)
    addresses = bytes.fromhex("20010db8") + bytes(27) + b"\1"
    judge(engines, fixed + addresses + data)


@examples(400)
@given(
    numbers=st.lists(st.sampled_from([0, 6, 17, 43, 44, 58, 60]), min_size=1, max_size=11),
    sizes=st.lists(st.integers(0, 3), min_size=11, max_size=11),
    third=st.lists(st.sampled_from([0, 0, 0, 1, 8]), min_size=11, max_size=11),
    cut=st.integers(0, 100),
)
def test_random_chains_of_extension_headers_are_judged(
    engines: tuple[Engine, Engine],
    numbers: list[int],
    sizes: list[int],
    third: list[int],
    cut: int,
) -> None:
    chain = b""
    for following, size, byte in zip(numbers[1:] + [17], sizes, third, strict=False):
        chain += bytes([following, size, 0, byte]) + bytes(4 + size * 8)
    chain += bytes.fromhex("0fa0003500100000") + bytes(8)
    chain = chain[: len(chain) - cut % len(chain)]
    fixed = struct.pack("!IHBB", 6 << 28, len(chain), numbers[0], 64)
    packet = fixed + bytes.fromhex("20010db8") + bytes(27) + b"\1" + chain
    judge(engines, packet)
    error = b"\1\0\0\0\0\0\0\0" + packet
    judge(engines, struct.pack("!IHBB", 6 << 28, len(error), 58, 64) + packet[8:40] + error)


@examples(600)
@given(
    packet=st.sampled_from(PACKETS),
    changes=st.lists(st.tuples(st.integers(0, 140), st.integers(0, 255)), max_size=3),
    cut=st.integers(0, 140),
    right_length=st.booleans(),
)
def test_changed_and_cut_packets_are_judged(
    engines: tuple[Engine, Engine], packet: Any, changes: Any, cut: int, right_length: bool
) -> None:
    copy = bytearray(packet)
    for at, value in changes:
        if copy:
            copy[at % len(copy)] = value
    del copy[len(copy) - (cut % len(copy) if copy and cut < 70 else 0) :]
    if right_length and len(copy) >= 20 and copy[0] >> 4 == 4:
        struct.pack_into("!H", copy, 2, len(copy))
    if right_length and len(copy) >= 40 and copy[0] >> 4 == 6:
        struct.pack_into("!H", copy, 4, len(copy) - 40)
    judge(engines, bytes(copy))


def test_the_packets_changed_here_are_as_they_are_named(engines: tuple[Engine, Engine]) -> None:
    assert all(judge(engines, packet) == 0 for packet in WELL_FORMED)
    assert all(judge(engines, packet) for packet, _ in MALFORMED.values())
