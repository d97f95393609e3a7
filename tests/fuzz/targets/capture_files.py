"""Capture files: read record by record, and replayed through a NAT; what is wrong is told by
PcapError, and what is written can be read again."""

import struct
from collections.abc import Iterator
from contextlib import closing

from ratsnake.daemon.capture_replay import Counts, replay
from ratsnake.daemon.configuration.option_parsing import NatOptions
from ratsnake.daemon.user_errors import RunError, UsageError
from ratsnake.device.capture_file import open_capture
from ratsnake.device.capture_link_types import LINK_TYPES
from ratsnake.device.capture_reader import PcapError, TruncatedRecord
from ratsnake.device.pcapng_writer import Writer as NgWriter
from support.malformed import MALFORMED, WELL_FORMED
from support.wire import packet

from ..configurations import CONFIGURATIONS, HOSTS, REMOTES
from ..files import FOLDER

SEED = bytes(range(80))
SOURCE, TARGET, NG = (FOLDER / name for name in ("in.pcap", "out.pcap", "out.pcapng"))


def nothing(read: int, size: int | None) -> None:
    """No progress is shown."""


def read_all(path: str) -> int:
    """How many records there are, with a packet or without."""
    count = 0
    with open_capture(path) as reader, closing(NgWriter(NG, "fuzz", ["in"])) as ng:
        for record in reader:
            count += 1
            try:
                link, whole = reader.split(record)
            except TruncatedRecord:
                continue
            if whole is not None:
                assert len(link) + len(whole) <= len(record.data)
                ng.packet(0, record.time, bytes(whole), "")
    return count


def run(octets: bytes) -> None:
    SOURCE.write_bytes(octets[1:])
    settings = CONFIGURATIONS[int.from_bytes(octets[:1]) % len(CONFIGURATIONS)]
    try:
        read_all(str(SOURCE))
    except PcapError as error:
        assert str(SOURCE) in str(error)
    try:
        counts: Counts = replay(NatOptions(settings, {}), SEED, str(SOURCE), str(TARGET), nothing)
    except (PcapError, RunError, UsageError):
        return
    gone = (
        counts.not_ip + counts.cut + counts.translated + counts.held + sum(counts.dropped.values())
    )
    assert counts.read == counts.written + gone
    assert read_all(str(TARGET)) == counts.written + counts.own


def capture(link_type: int, order: str, frames: list[bytes], magic: int = 0xA1B2C3D4) -> bytes:
    made = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for number, frame in enumerate(frames):
        made += struct.pack(order + "IIII", number, 7, len(frame), len(frame)) + frame
    return made


def seeds() -> Iterator[bytes]:
    out = bytes(packet("udp", (HOSTS[0], 4000), (REMOTES[0], 53)))
    links = {1: bytes(12) + b"\x08\0", 101: b"", 113: bytes(14) + b"\x08\0", 0: b"\2\0\0\0"}
    for link_type in LINK_TYPES:
        frame = links.get(link_type, b"") + out
        yield b"\0" + capture(link_type, "<", [frame, frame])
        yield b"\1" + capture(link_type, ">", [frame], 0xA1B23C4D)
        yield b"\2" + capture(link_type, "<", [frame])[:-3]
    tagged = bytes(12) + b"\x81\0\0\7\x08\0" + out
    yield b"\0" + capture(1, "<", [tagged])
    for whole in (*WELL_FORMED, *(one for one, _ in MALFORMED.values())):
        if len(whole) < 400:
            yield b"\0" + capture(101, "<", [whole, out])
    yield b"\0\x0a\x0d\x0d\x0a"
    for name in ("ratsnake", "other"):
        with closing(NgWriter(NG, f"{name} 1", ["before", "after"])) as ng:
            ng.packet(0, 7, out, "packet 1: translated")
            ng.packet(1, 8, out, "packet 1: translated")
            ng.statistics(0, 9, 0)
        yield b"\0" + NG.read_bytes()
