"""The maximum segment size option: lowered in place, with the checksum, and nothing else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.bench import Bench
from support.flavours import Engine
from support.oracle import is_right
from support.packets import PROTOCOLS, checksum, ip, pseudo_header, tcp
from support.properties import examples

SOURCE, DESTINATION = "192.168.1.10", "198.51.100.1"
TRANSPORT = 20
OPTIONS = TRANSPORT + 20
MOST = 1400
SYN, ACK = 2, 16


def segment(options: bytes, flags: int = SYN, payload: bytes = b"") -> bytearray:
    assert len(options) % 4 == 0
    offset = (5 + len(options) // 4) << 4
    tcp = bytearray(struct.pack("!HHIIBBHHH", 4000, 80, 1, 0, offset, flags, 1024, 0, 0))
    tcp += options + payload
    whole = pseudo_header(SOURCE, DESTINATION, PROTOCOLS["tcp"], len(tcp)) + tcp
    struct.pack_into("!H", tcp, 16, checksum(whole))
    return ip(SOURCE, DESTINATION, PROTOCOLS["tcp"], tcp)


def clamped(
    engine: Engine, packet: bytearray, most: int = MOST, partial: bool = False
) -> bytearray:
    copy = bytearray(packet)
    engine.modules["nat.packets.mss_clamping"].clamp(copy, TRANSPORT, most, partial)
    return copy


def mss(value: int) -> bytes:
    return struct.pack("!BBH", 2, 4, value)


@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
@pytest.mark.parametrize("announced", [1401, 1460, 8960, 65535])
def test_a_larger_size_is_lowered(engine: Engine, announced: int, flags: int) -> None:
    packet = clamped(engine, segment(mss(announced), flags, b"odd"))
    assert packet == segment(mss(MOST), flags, b"odd")
    assert is_right(packet)


@pytest.mark.parametrize("announced", [0, 536, 1399, 1400])
def test_a_size_is_never_raised(engine: Engine, announced: int) -> None:
    assert clamped(engine, segment(mss(announced))) == segment(mss(announced))


@pytest.mark.parametrize("options", [b"", bytes(4), b"\x01" * 8, b"\x04\x02\x01\x01"])
def test_a_size_is_never_added(engine: Engine, options: bytes) -> None:
    assert clamped(engine, segment(options)) == segment(options)


@pytest.mark.parametrize("flags", ["A", "PA", "FA", "R"])
@pytest.mark.parametrize("outbound", [True, False])
def test_only_a_syn_announces_a_size(engine: Engine, outbound: bool, flags: str) -> None:
    """So in other segments the option is left as it is, by a NAT that lowers it in a SYN."""
    bench = Bench(engine, "full-cone", mtu=MOST + 40)
    host, server = (SOURCE, 4000), (DESTINATION, 80)
    external = bench.passes(tcp(host, server, "S", options=mss(9000))).source
    assert bench.packet[OPTIONS:] == mss(MOST)
    assert is_right(bench.packet)
    bench.passes(tcp(server, external, "SA", options=mss(9000)))
    assert bench.packet[OPTIONS:] == mss(MOST)
    assert is_right(bench.packet)
    ends = (host, server) if outbound else (server, external)
    bench.passes(tcp(*ends, flags, options=mss(9000)))
    assert bench.packet[OPTIONS:] == mss(9000)
    assert is_right(bench.packet)


def test_a_nat_that_knows_no_mtu_leaves_the_size(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    bench.passes(tcp((SOURCE, 4000), (DESTINATION, 80), "S", options=mss(65535)))
    assert bench.packet[OPTIONS:] == mss(65535)


@pytest.mark.parametrize("before", range(9))
@pytest.mark.parametrize("announced", [1401, 0x1234, 0xFF00, 0xFFFF])
def test_the_option_may_lie_at_any_offset(engine: Engine, before: int, announced: int) -> None:
    def at(value: int) -> bytes:
        options = b"\x01" * before + mss(value)
        return options + bytes(-len(options) % 4)

    packet = clamped(engine, segment(at(announced)))
    assert packet == segment(at(MOST))
    assert is_right(packet)


def test_a_size_behind_other_options_is_lowered_and_a_repetition_of_it_left(engine: Engine) -> None:
    """No TCP announces two; which of them a receiver believes is its own affair."""

    def options(first: int, second: int) -> bytes:
        return b"\x03\x03\x07" + mss(first) + b"\x08\x0a" + bytes(8) + mss(second) + b"\x00\x00\x00"

    assert clamped(engine, segment(options(1460, 9000))) == segment(options(MOST, 9000))


def test_nothing_behind_the_end_of_options_is_an_option(engine: Engine) -> None:
    options = b"\x00\x01\x01\x01" + mss(9000)
    assert clamped(engine, segment(options)) == segment(options)


def test_nothing_behind_the_header_is_an_option(engine: Engine) -> None:
    packet = segment(b"\x01" * 4, payload=mss(9000))
    assert clamped(engine, packet) == packet


@pytest.mark.parametrize(
    "malformed",
    [
        b"\x03\x00\x01\x01",
        b"\x03\x01\x01\x01",
        b"\x01\x01\x01\x03",
        b"\x03\x05\x01\x01",
        b"\x02\x03\x05\x01",
        b"\x01\x01\x02\x04",
        b"\x01\x01\x01\x02",
    ],
)
def test_nothing_behind_a_malformed_option_counts(engine: Engine, malformed: bytes) -> None:
    for options in (malformed, malformed + mss(9000)):
        assert clamped(engine, segment(options)) == segment(options)
    packet = clamped(engine, segment(mss(9000) + malformed))
    assert packet == segment(mss(MOST) + malformed)


def test_a_size_option_that_is_too_long_leaves_the_packet_alone(engine: Engine) -> None:
    options = b"\x02\x06\x23\x28\x00\x00\x01\x01"
    assert clamped(engine, segment(options)) == segment(options)


@pytest.mark.parametrize("size", range(1, 12))
def test_options_beyond_the_end_of_the_packet_never_come_here(engine: Engine, size: int) -> None:
    """`clamp` trusts a data offset that parsing has checked."""
    bench = Bench(engine, "full-cone", mtu=MOST + 40)
    packet = tcp((SOURCE, 4000), (DESTINATION, 80), "S", options=b"\x01" * 8 + mss(9000))[:-size]
    struct.pack_into("!H", packet, 2, len(packet))
    assert bench.send(packet) == "tcp-header-length"
    assert bench.packet == packet


def test_a_partial_checksum_stays(engine: Engine) -> None:
    packet = clamped(engine, segment(mss(9000)), partial=True)
    expected = segment(mss(9000))
    expected[OPTIONS + 2 : OPTIONS + 4] = struct.pack("!H", MOST)
    assert packet == expected


def walked(options: bytes, most: int) -> bytes:
    """What the options are to become, written another way: by slices instead of places."""
    if not options or options[0] == 0:
        return options
    if options[0] == 1:
        return options[:1] + walked(options[1:], most)
    size = options[1] if len(options) > 1 else 0
    if not 2 <= size <= len(options):
        return options
    if options[0] == 2:
        if size != 4:
            return options
        return mss(min(int.from_bytes(options[2:4], "big"), most)) + options[4:]
    return options[:size] + walked(options[size:], most)


PIECES = st.sampled_from([b"\x00", b"\x01", b"\x02\x04\x05\xb4", b"\x04\x02", b"\x03\x03\x07"])


@examples(300)
@given(
    parts=st.lists(PIECES | st.binary(min_size=1, max_size=6), max_size=9),
    most=st.integers(0, 65535),
)
def test_any_options_become_what_a_second_walk_says(
    engine: Engine, parts: list[bytes], most: int
) -> None:
    options = b"".join(parts)[:40]
    options += b"\x01" * (-len(options) % 4)
    assert clamped(engine, segment(options), most) == segment(walked(options, most))
