"""Sums over bytes, pseudo-headers and 128-bit addresses, on both flavours, scapy as the oracle."""

import random
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.packet import Packet, Raw

from support.flavours import Engine, load
from support.layers import HOST4, HOST6, PEER4, PEER6
from support.packets import checksum

OVER_IPV4 = IP(src=HOST4, dst=PEER4)
OVER_IPV6 = IPv6(src=HOST6, dst=PEER6)
QUOTED = IPv6(src=PEER6, dst=HOST6) / UDP(sport=4000, dport=53) / Raw(b"data")
# Whether a pseudo-header belongs to the checksum; sizes are odd and even.
RIGHT: list[tuple[Packet, bool]] = [
    *((OVER_IPV4 / TCP() / Raw(bytes(range(n))), True) for n in range(4)),
    *((OVER_IPV6 / TCP() / Raw(bytes(range(n))), True) for n in range(4)),
    *((OVER_IPV6 / ICMPv6EchoRequest(data=bytes(range(n))), True) for n in range(4)),
    *((OVER_IPV4 / ICMP() / Raw(bytes(range(n))), False) for n in range(4)),
    (OVER_IPV4 / UDP() / Raw(b"\xff" * 1472), True),
    (OVER_IPV6 / UDP() / Raw(b"\xff" * 65527), True),
    (OVER_IPV6 / ICMPv6DestUnreach(code=4) / QUOTED, True),
    (OVER_IPV6 / IPv6ExtHdrDestOpt() / UDP() / Raw(b"abc"), True),
    (OVER_IPV6 / IPv6ExtHdrFragment(id=9) / UDP() / Raw(b"abc"), True),
]


@pytest.mark.parametrize(
    "case", RIGHT, ids=[f"{n} {p.summary()}" for n, (p, _) in enumerate(RIGHT)]
)
def test_a_right_checksum_is_right_and_a_changed_byte_is_not(
    engine: Engine, case: tuple[Packet, bool]
) -> None:
    judge = engine.modules["wire.parsed_values"].checksum_is_right
    packet = bytearray(bytes(case[0]))
    assert judge(packet, case[1])
    packet[-1] ^= 1
    assert not judge(packet, case[1])


def test_words_are_counted_from_the_start_and_an_odd_end_is_padded() -> None:
    wire = load("interpreted").modules["wire.checksum"]
    chance = random.Random(3)
    data = bytearray(chance.randbytes(64))
    for start in range(8):
        for end in range(start, 64):
            assert wire.sum_octets(data, start, end) ^ 0xFFFF == checksum(data[start:end])


def test_another_128_bit_address_gives_the_checksum_of_a_full_computation(engine: Engine) -> None:
    readdress = engine.modules["wire.parsed_values"].readdress
    adjust = load("interpreted").modules["wire.checksum"].adjust
    chance = random.Random(4)
    edges = (0, (1 << 64) - 1, 0xFFFF, 0xFFFF << 48, 1)
    pairs = [(high, low) for high in edges for low in edges]
    pairs += [(chance.getrandbits(64), chance.getrandbits(64)) for _ in range(500)]
    packet = bytearray(struct.pack("!HQQ", 0x1234, 5, 6))
    for high, low in pairs:
        before = checksum(packet)
        difference = readdress(packet, 2, high, low)
        assert packet[2:] == struct.pack("!QQ", high, low)
        assert 0 <= difference <= 0xFFFF
        assert adjust(before, difference) == checksum(packet)


def test_the_difference_of_ipv4_addresses_is_the_same_in_32_and_128_bits() -> None:
    wire = load("interpreted").modules["wire.checksum"]
    chance = random.Random(5)
    mapped = 0xFFFF << 32
    for _ in range(500):
        old, new = chance.getrandbits(32), chance.getrandbits(32)
        difference = wire.difference128(0, mapped | old, 0, mapped | new)
        assert difference % 0xFFFF == wire.difference32(old, new) % 0xFFFF
