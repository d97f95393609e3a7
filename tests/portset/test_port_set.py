"""PortSet: the notation, its error messages, and set behaviour."""

import random

import pytest

from ratsnake.portset import PortSet


@pytest.mark.parametrize(
    ("spec", "ranges"),
    [
        ("1024-65535", ((1024, 65535),)),
        ("5000-5999,7000", ((5000, 5999), (7000, 7000))),
        ("7000,5000-5999", ((5000, 5999), (7000, 7000))),
        (" 5000 - 5999 , 7000 ", ((5000, 5999), (7000, 7000))),
        ("1", ((1, 1),)),
        ("65535", ((65535, 65535),)),
        ("10,11,12", ((10, 12),)),
        ("10-20,15-30", ((10, 30),)),
        ("10-40,15-30", ((10, 40),)),
    ],
)
def test_parses(spec, ranges):
    assert PortSet.parse(spec).ranges == ranges


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", ["empty part"]),
        ("5000,", ["'5000,'", "empty part"]),
        ("5000,,6000", ["empty part"]),
        ("0", ["'0'", "1 to 65535"]),
        ("0-10", ["'0-10'", "1 to 65535"]),
        ("5000-65536", ["'5000-65536'", "65536 is not a port"]),
        ("7000,6000-5000", ["'6000-5000'", "backwards", "5000-6000"]),
        ("http", ["'http'", "5000-5999"]),
        ("-5", ["'-5'"]),
        ("5000-", ["'5000-'"]),
        ("1-2-3", ["'1-2-3'"]),
        ("1_000", ["'1_000'"]),
        ("+7", ["'+7'"]),
        ("\u0667", ["is not a port"]),
        ("1000000", ["'1000000'"]),
        ("0x50", ["'0x50'"]),
        ("5000;6000", ["'5000;6000'"]),
    ],
)
def test_says_what_is_wrong(spec, words):
    with pytest.raises(ValueError) as caught:
        PortSet.parse(spec)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("ranges", "word"),
    [
        ((), "empty"),
        (((7000, 7000), (5000, 5999)), "ascending"),
        (((10, 20), (21, 30)), "gap"),
        (((20, 10),), "backwards"),
        (((0, 10),), "1 to 65535"),
    ],
)
def test_only_canonical_ranges(ranges, word):
    with pytest.raises(ValueError, match=word):
        PortSet(ranges)


def test_behaves_as_a_set():
    rnd = random.Random(1)
    for _ in range(200):
        pairs = [
            tuple(sorted((rnd.randint(1, 300), rnd.randint(1, 300))))
            for _ in range(rnd.randint(1, 8))
        ]
        expected = {port for first, last in pairs for port in range(first, last + 1)}
        ports = PortSet.of(pairs)
        assert list(ports) == sorted(expected)
        assert len(ports) == len(expected)
        assert {port for port in range(-1, 310) if port in ports} == expected
        assert PortSet.parse(str(ports)) == ports


def test_contains_takes_any_object():
    ports = PortSet.parse("1-65535")
    assert 0 not in ports
    assert 65536 not in ports
    assert -1 not in ports
    assert "80" not in ports


def test_str_gives_the_specification_back():
    for spec in ("1024-65535", "5000-5999,7000", "1,3,5-6"):
        assert str(PortSet.parse(spec)) == spec


def test_is_a_value():
    assert hash(PortSet.parse("7000,5000")) == hash(PortSet.parse("5000,7000"))
    with pytest.raises(AttributeError):
        PortSet.parse("7000").ranges = ()
