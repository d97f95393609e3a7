"""The SCTP checksum after new ports, against scapy's CRC32c of the whole packet."""

import random
import struct

import pytest
from scapy.layers.sctp import SCTP, SCTPChunkData, crc32c

from support.flavours import Engine

LENGTHS = (*range(12, 80), 255, 256, 257, 1499, 1500, 4096, 65535 - 20)


def checksum(packet: bytes) -> int:
    """The field as it is in the packet (RFC 9260 appendix A): scapy's bytes, its field zeroed."""
    value: int = crc32c(packet[:8] + bytes(4) + packet[12:])
    return value


def random_packet(chance: random.Random, length: int) -> bytes:
    return chance.randbytes(8) + bytes(4) + chance.randbytes(length - 12)


def test_scapy_writes_what_this_test_takes_for_the_field() -> None:
    packet = bytes(SCTP(sport=4000, dport=5000, tag=7) / SCTPChunkData(data=b"x" * 9))
    assert struct.unpack_from("!I", packet, 8)[0] == checksum(packet)


@pytest.mark.parametrize("length", LENGTHS)
def test_new_ports_give_the_checksum_of_a_full_computation(engine: Engine, length: int) -> None:
    adjust = engine.modules["wire.crc32c"].crc32c_after_ports
    chance = random.Random(length)
    for mask in (0xFFFF0000, 0x0000FFFF, 0xFFFFFFFF, 1, 1 << 31):
        packet = random_packet(chance, length)
        old = struct.unpack_from("!I", packet)[0]
        new = old ^ (chance.getrandbits(32) & mask or mask)
        after = struct.pack("!I", new) + packet[4:]
        assert adjust(checksum(packet), length, old, new) == checksum(after)


def test_a_wrong_checksum_stays_as_wrong_as_it_was(engine: Engine) -> None:
    adjust = engine.modules["wire.crc32c"].crc32c_after_ports
    chance = random.Random(1)
    for _ in range(50):
        packet = random_packet(chance, 100)
        old, new, error = (chance.getrandbits(32) for _ in range(3))
        right = adjust(checksum(packet), 100, old, new)
        assert adjust(checksum(packet) ^ error, 100, old, new) == right ^ error


def test_the_same_ports_change_nothing_and_the_old_ones_undo_it(engine: Engine) -> None:
    adjust = engine.modules["wire.crc32c"].crc32c_after_ports
    assert adjust(0x12345678, 1500, 0xFFFF0001, 0xFFFF0001) == 0x12345678
    there = adjust(0x12345678, 1500, 0x0FA00035, 0x27100035)
    assert there != 0x12345678
    assert adjust(there, 1500, 0x27100035, 0x0FA00035) == 0x12345678
