"""Malformed packets at a NAT: each is dropped and counted under its fault, and left as it was."""

from collections.abc import Callable

import pytest

from support.bench import EXTERNAL, INSIDE, R1, Bench
from support.flavours import Engine
from support.malformed import MALFORMED
from support.packets import echo, error, ip, tcp, udp


@pytest.mark.parametrize("name", MALFORMED)
def test_a_fault_is_dropped_and_counted_under_its_name(engine: Engine, name: str) -> None:
    packet, reason = MALFORMED[name]
    bench = Bench(engine, "full-cone")
    assert bench.send(packet) == reason
    assert bench.dropped() == {reason: 1}
    assert bench.packet == packet
    assert bench.is_empty()


@pytest.mark.parametrize("build", [udp, tcp], ids=["udp", "tcp"])
def test_a_packet_cut_at_any_byte_is_dropped_for_its_length(
    engine: Engine, build: Callable[..., bytearray]
) -> None:
    bench = Bench(engine, "full-cone")
    packet = build((INSIDE, 4000), (R1, 53))
    for size in range(1, len(packet)):
        assert bench.send(packet[:size]) == "ip-truncated"


def test_a_quotation_cut_at_any_byte_is_dropped_or_restored_within_its_bounds(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone")
    sent = tcp((INSIDE, 4000), (R1, 80))
    external = bench.open("tcp", (INSIDE, 4000), (R1, 80))
    quoted = bytes(tcp(external, (R1, 80)))
    for size in range(len(quoted) + 1):
        verdict = bench.send(error(R1, EXTERNAL, quoted[:size]))
        assert verdict == ("translated" if size >= 28 else "icmp-embedded")
        if size >= 28:
            # The checksum field (bytes 36 and 37) is restored only where all of it is there.
            end = size if size >= 38 else min(size, 36)
            assert bench.packet[28 : 28 + end] == sent[:end]


def test_well_formed_packets_of_unusual_shape_pass(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    plain = udp((INSIDE, 4000), (R1, 53))
    for options in (bytes([1] * 4), bytes([1] * 40)):
        assert bench.send(ip(INSIDE, R1, 17, plain[20:], options)) == "translated"
    assert bench.send(ip(INSIDE, R1, 17, plain[20:], fragment=0x4000)) == "translated"
    assert bench.send(udp((INSIDE, 4000), (R1, 53), b"")) == "translated"
    assert bench.send(echo(INSIDE, R1, 7, payload=b"")) == "translated"
    assert bench.send(udp((INSIDE, 4000), (R1, 53), bytes(65535 - 28))) == "translated"
    # A UDP length below the IP payload's leaves room for UDP options (RFC 9868).
    assert bench.send(ip(INSIDE, R1, 17, plain[20:] + b"\0\0\0\0")) == "translated"
