"""The MTU setting: what TCP may send in one segment, lowered in every SYN that passes (RFC 4459
section 3.2)."""

import struct

import pytest

from support import judge
from support.dual import EACH_FAMILY, Dual
from support.families import V4, V6, Family, addresses, extended, pseudo, tcp, upper_layer
from support.flavours import Engine
from support.packets import Buffer, Endpoint, checksum

MTU = 1400
MOST = {4: MTU - 40, 6: MTU - 60}
NO_OPERATION, END = b"\x01", b"\x00"
SACK, SCALE = b"\x04\x02", b"\x03\x03\x07"
TIMESTAMPS = b"\x08\x0a" + bytes(8)


def mss(size: int) -> bytes:
    return struct.pack("!BBH", 2, 4, size)


# What stands before and after the option in headers of common systems, and at an odd offset.
PLACES = {
    "alone": (b"", b""),
    "linux": (b"", SACK + TIMESTAMPS + NO_OPERATION + SCALE),
    "last": (NO_OPERATION + SCALE + SACK + NO_OPERATION * 2, b""),
    "odd": (NO_OPERATION, NO_OPERATION * 3),
    "odd-behind-scale": (SCALE, NO_OPERATION),
    "before-the-end": (NO_OPERATION, END + b"\x02\x04\xff"),
}
EACH_PLACE = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def options(place: tuple[bytes, bytes], size: int) -> bytes:
    return place[0] + mss(size) + place[1]


class Handshake:
    """The first two segments of a connection, sent with some options and seen behind the NAT."""

    def __init__(self, engine: Engine, family: Family, opener: str, mtu: int = MTU) -> None:
        self.bench = Dual(engine, "full-cone", mtu=mtu)
        self.host, self.remote = (family.inside, 4000), (family.r1, 80)
        self.opener = opener
        self.external = self.bench.open("tcp", self.host, (family.r2, 9))

    def both(self, sent: bytes) -> list[tuple[bytes, bytes]]:
        """Of SYN and SYN/ACK: what passed, and what it would be with the options as they came."""
        ways: list[tuple[Endpoint, Endpoint, Endpoint, Endpoint]] = [
            (self.host, self.remote, self.external, self.remote),
            (self.remote, self.external, self.remote, self.host),
        ]
        if self.opener == "outside":
            ways.reverse()
        passed = []
        for (source, destination, *after), flags in zip(ways, ("S", "SA"), strict=True):
            self.bench.passes(tcp(source, destination, flags, b"", sent))
            passed.append((bytes(self.bench.packet), bytes(tcp(*after, flags, b"", sent))))
        return passed


def with_options(whole: Buffer, new: bytes) -> bytes:
    """The same segment with other options of the same size, and its checksum anew."""
    source, destination = addresses(whole)
    at = upper_layer(whole)[1]
    segment = bytearray(whole[at:])
    segment[20 : 20 + len(new)] = new
    segment[16:18] = b"\0\0"
    total = checksum(pseudo(source, destination, 6, len(segment)) + segment)
    segment[16:18] = struct.pack("!H", total)
    return bytes(whole[:at]) + bytes(segment)


@EACH_FAMILY
@EACH_PLACE
@pytest.mark.parametrize("opener", ["inside", "outside"])
def test_both_sides_are_told_of_no_more_than_fits(
    engine: Engine, opener: str, place: tuple[bytes, bytes], family: Family
) -> None:
    most = MOST[family.version]
    for size in (most + 1, 1460, 8960, 65535):
        handshake = Handshake(engine, family, opener)
        for passed, unclamped in handshake.both(options(place, size)):
            assert passed == with_options(unclamped, options(place, most))
            assert judge.is_right(passed)


@EACH_FAMILY
@EACH_PLACE
@pytest.mark.parametrize("opener", ["inside", "outside"])
def test_what_fits_is_not_changed(
    engine: Engine, opener: str, place: tuple[bytes, bytes], family: Family
) -> None:
    for size in (MOST[family.version], 536, 1, 0):
        for passed, unclamped in Handshake(engine, family, opener).both(options(place, size)):
            assert passed == unclamped


@EACH_FAMILY
def test_without_the_setting_nothing_is_changed(engine: Engine, family: Family) -> None:
    for passed, unclamped in Handshake(engine, family, "inside", 0).both(mss(65535)):
        assert passed == unclamped


@EACH_FAMILY
@pytest.mark.parametrize("mtu", [576, 1280, 1454, 1460, 1500, 65535])
def test_the_size_follows_from_the_mtu(engine: Engine, mtu: int, family: Family) -> None:
    most = mtu - (40 if family is V4 else 60)
    for passed, unclamped in Handshake(engine, family, "inside", mtu).both(mss(65535)):
        assert passed == with_options(unclamped, mss(most))


@EACH_FAMILY
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        SACK + NO_OPERATION * 2,
        b"\x02\x03\xff\xff",
        b"\x02\x00\xff\xff",
        b"\x02\x06\xff\xff\xff\xff" + NO_OPERATION * 2,
        END + NO_OPERATION * 3 + mss(65535),
        b"\x05\x00\x00\x00" + mss(65535),
        b"\x05\x40\x00\x00" + mss(65535),
        NO_OPERATION * 3 + b"\x02",
        NO_OPERATION * 2 + b"\x02\x04",
    ],
    ids=[
        *("none", "others", "too-short", "without-length", "too-long", "behind-the-end"),
        *("behind-length-0", "behind-an-overlong-one", "cut-to-1", "cut-to-2"),
    ],
)
def test_what_is_no_size_is_left_alone(engine: Engine, sent: bytes, family: Family) -> None:
    """None is added: without the option 536 or 1220 holds (RFC 9293 section 3.7.1)."""
    for passed, unclamped in Handshake(engine, family, "inside").both(sent):
        assert passed == unclamped


@EACH_FAMILY
@pytest.mark.parametrize("flags", ["A", "PA", "FA", "RA"])
def test_only_syns_are_changed(engine: Engine, flags: str, family: Family) -> None:
    bench = Dual(engine, mtu=MTU)
    host, remote = (family.inside, 4000), (family.r1, 80)
    external = bench.connect(host, remote)
    bench.passes(tcp(host, remote, flags, b"", mss(65535)))
    assert bench.packet == tcp(external, remote, flags, b"", mss(65535))


@EACH_FAMILY
def test_a_hairpinned_syn_is_changed_too(engine: Engine, family: Family) -> None:
    bench = Dual(engine, "full-cone", mtu=MTU)
    caller = bench.open("tcp", (family.inside, 4000), (family.r1, 80))
    called = bench.open("tcp", (family.other, 5000), (family.r1, 80))
    bench.passes(tcp((family.inside, 4000), called, "S", b"", mss(9000)))
    most = mss(MOST[family.version])
    assert bench.packet == tcp(caller, (family.other, 5000), "S", b"", most)


def partial(whole: Buffer) -> bytearray:
    """A copy with nothing but the pseudo-header's sum in the checksum field (checksum offload)."""
    source, destination = addresses(whole)
    at = upper_layer(whole)[1]
    total = checksum(pseudo(source, destination, 6, len(whole) - at)) ^ 0xFFFF
    copy = bytearray(whole)
    copy[at + 16 : at + 18] = struct.pack("!H", total)
    return copy


@EACH_FAMILY
@EACH_PLACE
def test_a_partial_checksum_knows_no_options(
    engine: Engine, place: tuple[bytes, bytes], family: Family
) -> None:
    bench = Dual(engine, mtu=MTU)
    host, remote = (family.inside, 4000), (family.r1, 80)
    before, after = options(place, 9000), options(place, MOST[family.version])
    external = bench.passes(partial(tcp(host, remote, "S", b"", before)), True).source
    assert bench.packet == partial(tcp(external, remote, "S", b"", after))
    bench.passes(partial(tcp(remote, external, "SA", b"", before)), True)
    assert bench.packet == partial(tcp(remote, host, "SA", b"", after))


def test_a_syn_behind_extension_headers_is_changed(engine: Engine) -> None:
    bench = Dual(engine, mtu=MTU)
    headers = [(0, bytes.fromhex("0000010400000000")), (60, bytes.fromhex("0000010400000000"))]
    remote = (V6.r1, 80)
    sent = tcp((V6.inside, 4000), remote, "S", b"", mss(9000))
    external = bench.passes(extended(sent, headers)).source
    wanted = tcp(external, remote, "S", b"", mss(MOST[6]))
    assert bench.packet == extended(wanted, headers)


@pytest.mark.parametrize("mtu", [1, 575, 65536, -1])
def test_an_mtu_that_none_can_be_is_refused(engine: Engine, mtu: int) -> None:
    with pytest.raises(ValueError, match=f"mtu: {mtu} is not in 576..65535 bytes"):
        Dual(engine, mtu=mtu)
