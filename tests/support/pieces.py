"""Datagrams cut into fragments and put together again by hand, for both IP versions."""

import struct
from collections.abc import Sequence

from .families import DONT_FRAGMENT
from .packets import Buffer, checksum

MORE = 0x2000
FRAGMENT_HEADER = 44


def numbered(whole: Buffer, identification: int, field: int) -> bytearray:
    """An IPv4 header's copy with that identification and flags."""
    header = bytearray(whole[: (whole[0] & 15) * 4])
    struct.pack_into("!HH", header, 4, identification, field)
    return header


def renewed(header: bytearray, payload: Buffer) -> bytearray:
    struct.pack_into("!H", header, 2, len(header) + len(payload))
    struct.pack_into("!H", header, 10, 0)
    struct.pack_into("!H", header, 10, checksum(header))
    return header + payload


def piece(whole: Buffer, start: int, end: int, identification: int) -> bytearray:
    """The fragment of octets start..end-1 of the payload; the last if it ends where that ends."""
    if whole[0] >> 4 == 4:
        at = (whole[0] & 15) * 4
        more = MORE if at + end < len(whole) else 0
        return renewed(
            numbered(whole, identification, start // 8 | more), whole[at + start : at + end]
        )
    number, at = whole[6], 40
    rest = bytes(whole[at + start : at + end])
    field = start | (1 if at + end < len(whole) else 0)
    cut = bytearray(whole[:40]) + struct.pack("!BBHI", number, 0, field, identification) + rest
    struct.pack_into("!HB", cut, 4, len(rest) + 8, FRAGMENT_HEADER)
    return cut


def split(whole: Buffer, size: int = 64, identification: int = 7) -> list[bytearray]:
    """All fragments in order, of `size` octets each."""
    end = len(whole) - (40 if whole[0] >> 4 == 6 else (whole[0] & 15) * 4)
    return [
        piece(whole, start, min(start + size, end), identification) for start in range(0, end, size)
    ]


def identification_of(fragment: Buffer) -> int:
    at, layout = (4, "!H") if fragment[0] >> 4 == 4 else (44, "!I")
    return int(struct.unpack_from(layout, fragment, at)[0])


def offset_of(fragment: Buffer) -> int:
    if fragment[0] >> 4 == 4:
        return int(struct.unpack_from("!H", fragment, 6)[0] & 0x1FFF) * 8
    return int(struct.unpack_from("!H", fragment, 42)[0] & 0xFFF8)


def joined(fragments: Sequence[Buffer]) -> bytearray:
    """The datagram that a host makes of them; they must fit together without gaps.

    Flags and identification of an IPv4 header are those that families.py gives.
    """
    ordered = sorted(fragments, key=offset_of)
    assert len({identification_of(fragment) for fragment in ordered}) == 1
    first = ordered[0]
    ends = slice(12, 20) if first[0] >> 4 == 4 else slice(8, 40)
    assert len({bytes(fragment[ends]) for fragment in ordered}) == 1
    start = (first[0] & 15) * 4 if first[0] >> 4 == 4 else 48
    payload = bytearray()
    for fragment in ordered:
        assert offset_of(fragment) == len(payload)
        payload += fragment[start:]
    if first[0] >> 4 == 4:
        for fragment in ordered:
            assert checksum(fragment[:start]) == 0
        return renewed(numbered(first, 7, DONT_FRAGMENT), payload)
    whole = bytearray(first[:40])
    struct.pack_into("!HB", whole, 4, len(payload), first[40])
    return whole + payload
