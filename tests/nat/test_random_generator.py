"""The generator is SipHash-2-4 of a counter, and the keyed hash the same in both flavours."""

import random

import pytest

from support.flavours import Engine

M64 = (1 << 64) - 1
# Outputs of the reference implementation (vectors.h of github.com/veorq/SipHash) for the key
# 00 01 .. 0f and the messages of n bytes 00 01 .., by n.
VECTORS = {
    0: 0x726FDB47DD0E0E31,
    1: 0x74F839C593DC67FD,
    7: 0xAB0200F58B01D137,
    8: 0x93F5F5799A932462,
    15: 0xA129CA6149BE45E5,
}
KEY0 = int.from_bytes(bytes(range(8)), "little")
KEY1 = int.from_bytes(bytes(range(8, 16)), "little")


def siphash(key0: int, key1: int, message: bytes) -> int:
    """SipHash-2-4 as the paper's section 2 writes it."""
    v = [
        key0 ^ 0x736F6D6570736575,
        key1 ^ 0x646F72616E646F6D,
        key0 ^ 0x6C7967656E657261,
        key1 ^ 0x7465646279746573,
    ]

    def left(x: int, n: int) -> int:
        return (x << n | x >> (64 - n)) & M64

    def rounds(n: int) -> None:
        for _ in range(n):
            for a, b, turn in ((0, 1, 13), (2, 3, 16)):
                v[a] = (v[a] + v[b]) & M64
                v[b] = left(v[b], turn) ^ v[a]
            v[0] = left(v[0], 32)
            for a, b, turn in ((2, 1, 17), (0, 3, 21)):
                v[a] = (v[a] + v[b]) & M64
                v[b] = left(v[b], turn) ^ v[a]
            v[2] = left(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@pytest.mark.parametrize("size", VECTORS)
def test_the_oracle_gives_the_published_vectors(size: int) -> None:
    assert siphash(KEY0, KEY1, bytes(range(size))) == VECTORS[size]


@pytest.mark.parametrize("keys", [(KEY0, KEY1), (0, 0), (M64, M64), (1 << 63, 0x0123456789ABCDEF)])
def test_outputs_are_siphash_of_the_counter(engine: Engine, keys: tuple[int, int]) -> None:
    generator = engine.modules["nat.tables.random_generator"].Generator(*keys)
    for count in range(300):
        assert generator.next() == siphash(*keys, count.to_bytes(8, "little"))


def test_below_stays_below_its_bound(engine: Engine) -> None:
    generator = engine.modules["nat.tables.random_generator"].Generator(KEY0, KEY1)
    for bound in (1, 2, 3, 240, 64512, 65536, (1 << 32) - 1):
        assert all(0 <= generator.below(bound) < bound for _ in range(200))


def test_below_is_one_half_after_the_other_scaled_to_the_bound(engine: Engine) -> None:
    generator = engine.modules["nat.tables.random_generator"].Generator(KEY0, KEY1)
    for count in range(300):
        word = siphash(KEY0, KEY1, count.to_bytes(8, "little"))
        assert generator.below(64512) == (word >> 32) * 64512 >> 32
        assert generator.below(240) == (word & 0xFFFFFFFF) * 240 >> 32


def test_below_is_roughly_uniform(engine: Engine) -> None:
    """Chi squared of 9 degrees of freedom is below 27.9 in 999 of 1000 cases; the key is fixed."""
    generator = engine.modules["nat.tables.random_generator"].Generator(KEY0, KEY1)
    hits = [0] * 10
    for _ in range(5000):
        hits[generator.below(10)] += 1
    assert sum((n - 500) ** 2 / 500 for n in hits) < 27.9


def test_the_keyed_hash_is_nh_and_multiply_shift_of_its_five_words(engine: Engine) -> None:
    hash5 = engine.modules["nat.tables.keyed_hash"].hash5
    chance = random.Random(3)
    for _ in range(500):
        s = [chance.getrandbits(64) for _ in range(8)]
        a, b, c, d, e = (chance.choice((0, M64, chance.getrandbits(64))) for _ in range(5))
        y = ((a + s[0]) & M64) * ((b + s[1]) & M64) + ((c + s[2]) & M64) * ((d + s[3]) & M64)
        y = (y + ((e + s[4]) & M64) * s[5]) % (1 << 128)
        assert hash5(s, a, b, c, d, e) == ((y & M64) * s[6] + (y >> 64) * s[7]) % (1 << 64) >> 32
