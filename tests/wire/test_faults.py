"""Every fault of form is dropped under its own name, with the buffer's length untouched."""

import struct
from collections.abc import Callable

import pytest

from support.bench import EXTERNAL, INSIDE, R1, Bench
from support.flavours import Engine
from support.packets import echo, error, icmp, ip, tcp, udp

UDP = udp((INSIDE, 4000), (R1, 53))
TCP = tcp((INSIDE, 4000), (R1, 80))


def changed(packet: bytearray, at: int, layout: str, value: int) -> bytearray:
    copy = bytearray(packet)
    struct.pack_into(layout, copy, at, value)
    return copy


def transport(protocol: int, size: int) -> bytearray:
    return ip(INSIDE, R1, protocol, bytes(size))


def quotation(quoted: bytes) -> bytearray:
    return error(R1, EXTERNAL, quoted)


QUOTED = bytes(udp((EXTERNAL, 4000), (R1, 53)))

FAULTS: dict[str, tuple[bytearray, str]] = {
    "an empty read": (bytearray(), "empty"),
    "version 0": (changed(UDP, 0, "B", 0x05), "ip-version"),
    "version 5": (changed(UDP, 0, "B", 0x55), "ip-version"),
    "version 15": (changed(UDP, 0, "B", 0xF5), "ip-version"),
    "one byte of version 15": (bytearray(b"\xff"), "ip-version"),
    "IPv6": (changed(UDP, 0, "B", 0x60), "ipv6"),
    "one byte": (UDP[:1], "ip-truncated"),
    "19 bytes": (UDP[:19], "ip-truncated"),
    "IHL 0": (changed(UDP, 0, "B", 0x40), "ip-header-length"),
    "IHL 2": (changed(UDP, 0, "B", 0x42), "ip-header-length"),
    "IHL 4": (changed(UDP, 0, "B", 0x44), "ip-header-length"),
    "IHL 15 in 32 bytes": (changed(UDP, 0, "B", 0x4F), "ip-length"),
    "total length 0": (changed(UDP, 2, "!H", 0), "ip-length"),
    "total length 19": (changed(UDP, 2, "!H", 19), "ip-length"),
    "total length beyond the packet": (changed(UDP, 2, "!H", len(UDP) + 1), "ip-truncated"),
    "total length 65535": (changed(UDP, 2, "!H", 65535), "ip-truncated"),
    "bytes after the total length": (UDP + b"x", "ip-overlong"),
    "a first fragment": (changed(UDP, 6, "!H", 0x2000), "fragment"),
    "a middle fragment": (changed(UDP, 6, "!H", 0x2001), "fragment"),
    "a last fragment": (changed(UDP, 6, "!H", 0x00B9), "fragment"),
    "GRE": (transport(47, 20), "protocol"),
    "protocol 255": (transport(255, 20), "protocol"),
    **{f"TCP with {n} bytes": (transport(6, n), "tcp-truncated") for n in (0, 4, 10, 19)},
    "TCP data offset 0": (changed(TCP, 32, "B", 0x00), "tcp-header-length"),
    "TCP data offset 4": (changed(TCP, 32, "B", 0x40), "tcp-header-length"),
    "TCP data offset 15 in 20 bytes": (changed(TCP, 32, "B", 0xF0), "tcp-header-length"),
    **{f"UDP with {n} bytes": (transport(17, n), "udp-truncated") for n in (0, 4, 7)},
    **{f"UDP length {n}": (changed(UDP, 24, "!H", n), "udp-length") for n in (0, 4, 7, 13, 9000)},
    **{f"ICMP with {n} bytes": (transport(1, n), "icmp-truncated") for n in (0, 4, 7)},
    **{
        f"ICMP type {kind}": (icmp(INSIDE, R1, bytes([kind]) + bytes(40)), "icmp-type")
        for kind in (1, 4, 5, 9, 10, 13, 14, 15, 17, 30, 255)
    },
    "an error without a quotation": (quotation(b""), "icmp-embedded"),
    "quoted IHL 0": (quotation(b"\x40" + QUOTED[1:]), "icmp-embedded"),
    "quoted IHL 4": (quotation(b"\x44" + QUOTED[1:]), "icmp-embedded"),
    "quoted IHL 15": (quotation(b"\x4f" + QUOTED[1:]), "icmp-embedded"),
    "quoted version 6": (quotation(b"\x65" + QUOTED[1:]), "icmp-embedded"),
    "a quoted later fragment": (
        quotation(bytes(changed(bytearray(QUOTED), 6, "!H", 1))),
        "icmp-embedded",
    ),
    "a quoted GRE packet": (quotation(bytes(ip(EXTERNAL, R1, 47, bytes(20)))), "icmp-embedded"),
    "a quoted error": (quotation(bytes(error(EXTERNAL, R1, QUOTED))), "icmp-embedded"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_dropped_and_counted_under_its_name(engine: Engine, name: str) -> None:
    packet, reason = FAULTS[name]
    bench = Bench(engine, "full-cone")
    assert bench.send(packet) == reason
    assert bench.dropped() == {reason: 1}
    assert len(bench.packet) == len(packet)
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
