"""pcapng files: what others write is read, and what is damaged is told with its place."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, RawPcapNgReader

from ratsnake.device import pcap_file, pcapng_writer
from ratsnake.device.capture_file import open_capture
from ratsnake.device.capture_reader import PcapError, Record, TruncatedRecord
from support.packets import udp

PACKET = bytes(udp(("192.168.1.10", 4000), ("198.51.100.1", 53), b"odd"))
ETHERNET, RAW = 1, 101
SECOND = 1_000_000_000
TIME = 1_700_000_000_123_456_789
SECTION, INTERFACE, OBSOLETE, SIMPLE, NAMES, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 4, 6


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", options: bytes = b"", major: int = 1) -> bytes:
    head = struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1)
    return block(order, SECTION, head + options)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order: str = "<", link: int = RAW, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(order, INTERFACE, struct.pack(order + "HHI", link, 0, snaplen) + options)


def enhanced(
    order: str, number: int, time: int, data: bytes, original: int = 0, captured: int = -1
) -> bytes:
    captured = len(data) if captured < 0 else captured
    fixed = (number, time >> 32, time & 0xFFFFFFFF, captured, original or len(data))
    return block(order, ENHANCED, struct.pack(order + "5I", *fixed) + data)


Made = Callable[..., Path]


@pytest.fixture
def file(tmp_path: Path) -> Made:
    def make(*parts: bytes) -> Path:
        path = tmp_path / "in.pcapng"
        path.write_bytes(b"".join(parts))
        return path

    return make


def read_all(path: Path) -> list[Record]:
    with open_capture(path) as reader:
        return list(reader)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "ticks", "time"),
    [
        (b"", 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (b"\x09", TIME, TIME),
        (b"\x00", 1_700_000_000, 1_700_000_000 * SECOND),
        (b"\x8a", 1_700_000_000 << 10 | 512, 1_700_000_000 * SECOND + SECOND // 2),
    ],
)
def test_times_are_in_the_interfaces_unit(
    file: Made, order: str, resolution: bytes, ticks: int, time: int
) -> None:
    options = option(order, 9, resolution) if resolution else b""
    offset = option(order, 14, struct.pack(order + "q", 3600))
    path = file(
        section(order),
        interface(order, options=options),
        enhanced(order, 0, ticks, PACKET),
        interface(order, options=options + offset + bytes(4)),
        enhanced(order, 1, ticks, PACKET),
    )
    assert [one.time for one in read_all(path)] == [time, time + 3600 * SECOND]


def test_sections_and_every_kind_of_packet(file: Made) -> None:
    path = file(
        section("<"),
        interface("<", ETHERNET, snaplen=20),
        block("<", NAMES, b"skipped"),
        enhanced("<", 0, 7, b"x" * 20, original=60),
        block("<", SIMPLE, struct.pack("<I", 60) + b"y" * 20),
        section(">", major=1),
        interface(">"),
        block(">", OBSOLETE, struct.pack(">HHIIII", 0, 0, 0, 9, 3, 4) + b"abc"),
    )
    assert [one[:3] + one[4:] for one in read_all(path)] == [
        (7000, b"x" * 20, 60, 0, False),
        (7000, b"y" * 20, 60, 0, False),
        (9000, b"abc", 4, 1, False),
    ]


def test_what_scapy_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcapng"
    frame = Ether(src="02:00:00:00:00:01") / IP(PACKET)
    with closing(PcapNgWriter(str(path))) as writer:
        frame.time = 1_700_000_000.5
        writer.write(frame)
    with open_capture(path) as reader:
        (record,) = reader
        assert reader.split(record).packet == PACKET
    assert record.time == 1_700_000_000_500_000_000


@pytest.mark.parametrize("program", ["editcap", "mergecap"])
def test_what_wiresharks_programs_write_is_read(tmp_path: Path, program: str) -> None:
    tool = shutil.which(program)
    assert tool is not None, "apt install tshark"
    sources = []
    for number, link in enumerate((RAW, ETHERNET)):
        path = tmp_path / f"{number}.pcap"
        header = b"" if link == RAW else bytes(12) + b"\x08\x00"
        with closing(pcap_file.Writer(path, pcap_file.Format("<", 1, 65535, link))) as writer:
            writer.write(TIME + number, header + PACKET)
        sources.append(str(path))
    made = tmp_path / "made.pcapng"
    if program == "editcap":
        subprocess.run([tool, "-F", "pcapng", sources[1], str(made)], check=True)
    else:
        subprocess.run([tool, "-F", "pcapng", "-w", str(made), *sources], check=True)
    with open_capture(made) as reader:
        records = [(one.time, reader.split(one).packet) for one in reader]
    expected = [(TIME, PACKET), (TIME + 1, PACKET)]
    assert records == (expected if program == "mergecap" else expected[1:])


def test_what_is_written_again_has_the_interfaces_of_what_was_read(
    file: Made, tmp_path: Path
) -> None:
    name = option("<", 2, b"wan0") + option("<", 9, b"\x09")
    frame = bytes(12) + b"\x08\x00" + PACKET
    path = file(
        section(),
        interface(link=ETHERNET, options=name),
        interface(),
        enhanced("<", 0, TIME, frame),
        enhanced("<", 1, TIME // 1000, PACKET),
    )
    again = tmp_path / "again.pcapng"
    with open_capture(path) as reader, closing(reader.writer(again)) as writer:
        for record in reader:
            writer.write(record.time, record.data, record.interface)
    with RawPcapNgReader(str(again)) as seen:
        (first, one), (second, other) = seen
    assert (first, one.linktype, one.ifname) == (frame, ETHERNET, b"wan0")
    assert (second, other.linktype) == (PACKET, RAW)
    assert one.tshigh << 32 | one.tslow == TIME
    assert IP(second)[UDP].dport == 53


def test_copies_after_translation_are_told_from_those_before(tmp_path: Path) -> None:
    for application, translated in (("ratsnake 0.1", True), ("tshark", False)):
        path = tmp_path / "capture.pcapng"
        with closing(pcapng_writer.Writer(path, application, ["before", "after"])) as writer:
            writer.packet(0, TIME, PACKET, "packet 1: translated")
            writer.packet(1, TIME, PACKET, "packet 1: translated")
        assert [one.translated for one in read_all(path)] == [False, translated]


def test_a_packet_that_was_cut_is_told_as_such(file: Made) -> None:
    path = file(section(), interface(), enhanced("<", 0, 1, PACKET[:30], original=len(PACKET)))
    with open_capture(path) as reader:
        (record,) = reader
        with pytest.raises(TruncatedRecord, match="kept 30 of 31 bytes"):
            reader.split(record)


GOOD = section() + interface()
DAMAGED = [
    (b"\n\r\r\r", "offset 0: this is no pcapng file: it starts with 0a 0d 0d 0d"),
    (section()[:10], "offset 0: the file ends within a section's header"),
    (section()[:-2], "offset 0: the file ends within a block"),
    (section().replace(b"M<+\x1a", b"abcd"), "offset 8: no byte order is 61 62 63 64"),
    (section(major=2), "offset 12: this is pcapng version 2; right is 1"),
    (section() + enhanced("<", 0, 1, PACKET), "offset 28: a packet of interface 0, which is not"),
    (GOOD + enhanced("<", 1, 1, PACKET), "offset 48: a packet of interface 1, which is not"),
    (GOOD + enhanced("<", 0, 1, PACKET, 31, 40), "claims 40 bytes of a frame of 31"),
    (GOOD + enhanced("<", 0, 1, PACKET, 40, 40), "claims 40 bytes of 32"),
    (GOOD + enhanced("<", 0, 1, PACKET, 1 << 20, 1 << 19), "more than 262144"),
    (GOOD + enhanced("<", 0, (1 << 64) - 1, PACKET), "ns after 1970: damaged?"),
    (GOOD + block("<", ENHANCED, bytes(8)), "a packet's block is too short"),
    (GOOD + block("<", SIMPLE, b""), "a packet's block is too short"),
    (section() + block("<", INTERFACE, bytes(4)), "an interface's block is too short"),
    (section() + interface(options=option("<", 9, b"\x7f")), "in units of 127 digits"),
    (section() + interface(options=option("<", 9, b"12")), "an interface's times are unclear"),
    (section() + interface(options=b"\x02\x00\xff\x00"), "an option claims 255 bytes"),
    (GOOD + struct.pack("<II", 5, 14), "a block claims 14 bytes"),
    (GOOD + struct.pack("<II", 5, 1 << 30), "a block claims 1073741824 bytes"),
    (GOOD + struct.pack("<III", 5, 12, 16), "a block of 12 bytes ends as one of 16"),
    (GOOD + b"\x05", "offset 48: the file ends within a block's header"),
]


@pytest.mark.parametrize(("content", "words"), DAMAGED, ids=[words for _, words in DAMAGED])
def test_what_is_damaged_is_told_with_its_place(file: Made, content: bytes, words: str) -> None:
    path = file(content)
    with pytest.raises(PcapError) as failure:
        read_all(path)
    assert str(failure.value).startswith(f"{path}: offset ") and words in str(failure.value)


def test_a_link_type_that_is_not_supported_is_told_when_it_comes(file: Made) -> None:
    path = file(section(), interface(link=147), interface(), enhanced("<", 1, 1, PACKET))
    with open_capture(path) as reader:
        (record,) = reader
        assert reader.split(record).packet == PACKET
    path = file(section(), interface(link=147), enhanced("<", 0, 1, PACKET))
    with open_capture(path) as reader, pytest.raises(PcapError, match="link type 147, which is"):
        reader.split(next(iter(reader)))


def test_no_file_and_an_empty_one(tmp_path: Path, file: Made) -> None:
    with pytest.raises(PcapError, match="none: cannot be opened: No such file"):
        open_capture(tmp_path / "none")
    with pytest.raises(PcapError, match="the file is empty; right is a pcap"):
        open_capture(file())
