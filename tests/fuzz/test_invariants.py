"""What the targets hold packets against: it sees right ones as right, and wrong ones as wrong."""

import pytest

from fuzz.configurations import CONFIGURATIONS, EXTERNAL4, HOSTS, REMOTES
from fuzz.data import Data
from fuzz.invariants import Border, Look, check_translated
from support.pieces import split
from support.wire import NUMBERS, packet

PAIRS = ((HOSTS[0], REMOTES[0]), (HOSTS[3], REMOTES[3]))
OUT = packet("udp", (EXTERNAL4, 1024), (REMOTES[0], 53))


@pytest.mark.parametrize(("source", "destination"), PAIRS)
@pytest.mark.parametrize("protocol", sorted(NUMBERS))
def test_checksums_are_judged(protocol: str, source: str, destination: str) -> None:
    whole = packet(protocol, (source, 4000), (destination, 53))
    look = Look(whole)
    assert look.header_is_sound and look.is_sound
    whole[look.at + 1] ^= 1  # a port, a code, a version: all are covered
    assert Look(whole).is_sound == (protocol == "gre")
    whole[8 if whole[0] >> 4 == 4 else 0] ^= 1
    assert Look(whole).header_is_sound == (whole[0] >> 4 == 6)
    assert Look(split(packet("udp", (source, 1), (destination, 1)), 8)[0]).is_fragment


def test_what_came_in_right_must_leave_right() -> None:
    before, wrong = Look(packet("udp", (HOSTS[0], 4000), (REMOTES[0], 53))), bytearray(OUT)
    border = Border(CONFIGURATIONS[0])
    check_translated(border, before, Look(OUT), False)
    wrong[-1] ^= 1
    with pytest.raises(AssertionError, match="transport"):
        check_translated(border, before, Look(wrong), False)
    check_translated(border, before, Look(wrong), True)
    wrong[8] ^= 1
    with pytest.raises(AssertionError, match="IP checksum"):
        check_translated(border, before, Look(wrong), True)


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_an_inside_source_must_not_leave(source: str, destination: str) -> None:
    border = Border(CONFIGURATIONS[0])
    with pytest.raises(AssertionError, match="leaves"):
        border.check(Look(packet("udp", (source, 4000), (destination, 53))))
    border.check(Look(packet("udp", (destination, 53), (source, 4000))))
    border.check(Look(OUT))


def test_data_ends_in_zeros() -> None:
    data = Data(b"\x01\x02\x03")
    assert (data.byte(), data.one_of("abc"), bool(data)) == (1, "c", True)
    assert (data.word(), bool(data), data.byte(), data.rest()) == (3, False, 0, b"")
