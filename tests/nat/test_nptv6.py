"""NPTv6 against RFC 6296's own example and against the same arithmetic done with plain numbers."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.flavours import Engine
from support.properties import examples

PAIRS = (
    ("fd01:203:405::/48", "2001:db8:1::/48"),
    ("fd01:203:400::/40", "2001:db8::/40"),
    ("fd01:203::/32", "2001:db8::/32"),
    ("fd01:203:405::/48", "2001:db8::/32"),
    ("fd01:203:405::/48", "2001:db8:1:ff00::/56"),
    ("fd01:203:405:6000::/52", "2001:db8:1::/48"),
    ("fd01:203:405:6::/64", "2001:db8:1:2::/64"),
    ("fd01:203:405:6::/63", "2001:db8:1:2::/63"),
    # One sum: the adjustment is 0 in one direction and 0xFFFF in the other.
    ("fd00:1::/48", "fd01::/48"),
    ("fd00:1:0:2::/64", "fd01:0:0:2::/64"),
)
ALL_ONES = (1 << 64) - 1


def translator(engine: Engine, internal: str, external: str) -> Any:
    networks = IPv6Network(internal), IPv6Network(external)
    return engine.modules["nat.settings.nptv6"].PrefixTranslator(*networks)


def out(npt: Any, address: str) -> str | None:
    b = bytearray(IPv6Address(address).packed)
    return str(IPv6Address(bytes(b))) if npt.to_external(b, 0) else None


def back(npt: Any, address: str) -> str | None:
    b = bytearray(IPv6Address(address).packed)
    return str(IPv6Address(bytes(b))) if npt.to_internal(b, 0) else None


def words(address: int) -> list[int]:
    return [address >> shift & 0xFFFF for shift in range(112, -1, -16)]


def mapped(address: int, old: IPv6Network, new: IPv6Network) -> int | None:
    """RFC 6296 sections 3.1 to 3.5 and 3.7, modulo 0xFFFF."""
    length = max(old.prefixlen, new.prefixlen)
    mask = (1 << 128) - (1 << (128 - length))
    if address & mask != int(old.network_address):
        return None
    parts = words(address & ~mask | int(new.network_address))
    candidates = (3,) if length <= 48 else (4, 5, 6, 7)
    place = next((k for k in candidates if parts[k] != 0xFFFF), None)
    if place is None:
        return None
    change = sum(words(int(old.network_address))) - sum(words(int(new.network_address)))
    before = parts[4:]
    parts[place] = (parts[place] + change) % 0xFFFF
    if length > 48 and not (any(before) and any(parts[4:])):
        return None
    return int.from_bytes(b"".join(part.to_bytes(2, "big") for part in parts), "big")


def test_the_example_of_the_rfc(engine: Engine) -> None:
    """Section 3.6."""
    npt = translator(engine, "fd01:203:405::/48", "2001:db8:1::/48")
    assert out(npt, "fd01:203:405:1::1234") == "2001:db8:1:d550::1234"
    assert back(npt, "2001:db8:1:d550::1234") == "fd01:203:405:1::1234"


HOST_BITS = st.integers(0, (1 << 128) - 1) | st.lists(
    st.sampled_from((0, 0, 1, 0xFFFE, 0xFFFF, 0xFFFF)) | st.integers(0, 0xFFFF),
    min_size=8,
    max_size=8,
).map(lambda parts: int.from_bytes(b"".join(p.to_bytes(2, "big") for p in parts), "big"))


@pytest.mark.parametrize(("internal", "external"), PAIRS)
@examples(60)
@given(bits=HOST_BITS)
def test_both_ways_agree_with_plain_arithmetic_keep_the_sum_and_undo_each_other(
    engine: Engine, internal: str, external: str, bits: int
) -> None:
    npt = translator(engine, internal, external)
    there, here = IPv6Network(external), IPv6Network(internal)
    for old, new, go, come in (
        (here, there, npt.to_external, npt.to_internal),
        (there, here, npt.to_internal, npt.to_external),
    ):
        address = bits & int(old.hostmask) | int(old.network_address)
        b = bytearray(b"\x5a" * 8 + address.to_bytes(16, "big") + b"\xa5" * 8)
        before = bytes(b)
        expected = mapped(address, old, new)
        assert go(b, 8) == (expected is not None)
        if expected is None:
            assert b == before
            continue
        assert b == before[:8] + expected.to_bytes(16, "big") + before[24:]
        assert sum(words(expected)) % 0xFFFF == sum(words(address)) % 0xFFFF
        assert come(b, 8)
        assert b == before


def test_subnet_ffff_has_no_mapping_in_either_direction(engine: Engine) -> None:
    npt = translator(engine, *PAIRS[0])
    assert out(npt, "fd01:203:405:ffff::1") is None
    assert back(npt, "2001:db8:1:ffff::1") is None


def test_a_subnet_that_would_become_ffff_becomes_0(engine: Engine) -> None:
    npt = translator(engine, *PAIRS[0])
    # 0x2ab0 + 0xd54f = 0xffff
    assert out(npt, "fd01:203:405:2ab0::1") == "2001:db8:1::1"
    assert back(npt, "2001:db8:1::1") == "fd01:203:405:2ab0::1"


def test_a_longer_prefix_adjusts_the_first_word_of_the_identifier_that_is_not_ffff(
    engine: Engine,
) -> None:
    npt = translator(engine, "fd01:203:405:6::/64", "2001:db8:1:2::/64")
    # 0xfd01 + 0x203 + 0x405 + 6 = 0x310, 0x2001 + 0xdb8 + 1 + 2 = 0x2dbc; 0x310 - 0x2dbc = 0xd553
    assert out(npt, "fd01:203:405:6:1::1") == "2001:db8:1:2:d554::1"
    assert out(npt, "fd01:203:405:6:ffff:ffff:1:1") == "2001:db8:1:2:ffff:ffff:d554:1"


def test_identifiers_of_all_ones_and_all_zeros_have_no_mapping_in_longer_prefixes(
    engine: Engine,
) -> None:
    npt = translator(engine, "fd01:203:405:6::/64", "2001:db8:1:2::/64")
    assert out(npt, "fd01:203:405:6:ffff:ffff:ffff:ffff") is None
    assert out(npt, "fd01:203:405:6::") is None
    assert back(npt, "2001:db8:1:2::") is None
    # 0x2aac + 0xd553 = 0xffff: it would become all zeros, which nobody could answer.
    assert out(npt, "fd01:203:405:6:2aac::") is None
    assert out(npt, "fd01:203:405:6:2aac::1") == "2001:db8:1:2::1"


def test_what_the_zero_extended_shorter_prefix_does_not_hold_has_no_mapping(engine: Engine) -> None:
    npt = translator(engine, "fd01:203:405::/48", "2001:db8:1:ff00::/56")
    assert out(npt, "fd01:203:405:ff::1") is not None
    assert out(npt, "fd01:203:405:100::1") is None
    assert npt.is_internal(int(IPv6Address("fd01:203:405:100::1")) >> 64)


@pytest.mark.parametrize(("internal", "external"), PAIRS)
def test_each_prefix_knows_its_first_and_last_address(
    engine: Engine, internal: str, external: str
) -> None:
    npt = translator(engine, internal, external)
    for prefix, knows in ((internal, npt.is_internal), (external, npt.is_external)):
        first = int(IPv6Network(prefix).network_address) >> 64
        last = int(IPv6Network(prefix).broadcast_address) >> 64
        assert knows(first)
        assert knows(last)
        assert not knows(first - 1)
        assert not knows(last + 1)


def test_foreign_addresses_are_left_alone(engine: Engine) -> None:
    npt = translator(engine, *PAIRS[0])
    assert out(npt, "2001:db8:1::1") is None
    assert back(npt, "fd01:203:405::1") is None
    assert not npt.is_internal(0)
    assert not npt.is_external(0)


def test_a_pair_is_read(engine: Engine) -> None:
    pair = engine.modules["nat.settings.nptv6"].parse_prefix_pair(
        "fd01:203:405::/48=2001:db8:1::/56"
    )
    assert pair == (IPv6Network("fd01:203:405::/48"), IPv6Network("2001:db8:1::/56"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fd01:203:405::/48", "fd01:203:405::/48: not INTERNAL=EXTERNAL, such as"),
        ("=2001:db8::/48", ": not an IPv6 prefix such as fd01:203:405::/48"),
        ("fd01::/48=x", "x: not an IPv6 prefix such as"),
        ("fd01::/48=192.0.2.0/24", "192.0.2.0/24: not an IPv6 prefix"),
        ("fd01::/48=2001:db8::/129", "2001:db8::/129: not an IPv6 prefix"),
        ("fd01::/48=2001:db8::", "2001:db8::: a length is missing"),
        ("fd01::1/48=2001:db8::/48", "fd01::1/48: bits are set behind the prefix; fd01::/48 has"),
        ("fd01::/65=2001:db8::/48", "fd01::/65: longer than /64"),
        ("fd01::/48=2001:db8::/96", "2001:db8::/96: longer than /64"),
        ("fd01::/48=fd01::/56", "fd01::/48=fd01::/56: the prefixes overlap"),
        ("fd01::/48=fd01::/48=fd02::/48", "fd01::/48=fd02::/48: not an IPv6 prefix"),
    ],
)
def test_what_is_no_pair_is_refused_with_what_would_be(
    engine: Engine, text: str, message: str
) -> None:
    with pytest.raises(ValueError) as refused:
        engine.modules["nat.settings.nptv6"].parse_prefix_pair(text)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("internal", "external"), [("fd01::/65", "2001:db8::/48"), ("fd01::/48", "fd01::/32")]
)
def test_a_translator_refuses_what_the_text_may_not_say(
    engine: Engine, internal: str, external: str
) -> None:
    with pytest.raises(ValueError):
        translator(engine, internal, external)
