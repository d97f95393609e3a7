"""Big-endian fields of a packet.  byte_order.pxd holds the same functions for compiled modules."""

from .integer_types import Bytes, u32, u64


def be16(b: Bytes, o: int) -> u32:
    return b[o] << 8 | b[o + 1]


def be32(b: Bytes, o: int) -> u32:
    return b[o] << 24 | b[o + 1] << 16 | b[o + 2] << 8 | b[o + 3]


def be64(b: Bytes, o: int) -> u64:
    return be32(b, o) << 32 | be32(b, o + 4)


def put16(b: Bytes, o: int, v: u32) -> None:
    b[o] = v >> 8 & 0xFF
    b[o + 1] = v & 0xFF


def put32(b: Bytes, o: int, v: u32) -> None:
    put16(b, o, v >> 16)
    put16(b, o + 2, v)


def put64(b: Bytes, o: int, v: u64) -> None:
    put32(b, o, v >> 32)
    put32(b, o + 4, v)
