"""Capture files: formats, what is refused and how, damaged files; scapy as a second opinion."""

import errno
import os
import random
import struct
import tracemalloc

import pytest

from ratsnake.device import pcap_file
from ratsnake.device.capture_reader import PcapError, TruncatedRecord
from ratsnake.device.packet_device import DeviceError
from ratsnake.device.pcap_file import Format, Reader, Writer

MAGIC = {("<", 1000): 0xA1B2C3D4, ("<", 1): 0xA1B23C4D}
MAGIC |= {(">", fraction): magic for (_, fraction), magic in list(MAGIC.items())}
FORMATS = [Format(*key, 65535, 101) for key in MAGIC]
PACKET = bytes.fromhex("450000200001000040110000c0000201c633640104d20035000c0000") + b"data"


def file_header(format, version=(2, 4), link_type=None):
    return struct.pack(
        format.byte_order + "IHHiIII",
        MAGIC[format.byte_order, format.fraction],
        *version,
        0,
        0,
        format.snaplen,
        format.link_type if link_type is None else link_type,
    )


def record(format, data, seconds=1, fraction=2, captured=None, original=None):
    captured = len(data) if captured is None else captured
    original = captured if original is None else original
    return struct.pack(format.byte_order + "IIII", seconds, fraction, captured, original) + data


@pytest.fixture
def capture(tmp_path):
    def make(*parts):
        path = tmp_path / "in.pcap"
        path.write_bytes(b"".join(parts))
        return path

    return make


def read_all(path):
    with Reader(path) as reader:
        return list(reader)


LE = FORMATS[0]


@pytest.mark.parametrize("format", FORMATS)
def test_reads_each_format(capture, format):
    path = capture(file_header(format), record(format, PACKET), record(format, b"", 3, 4, 0, 9))
    with Reader(path) as reader:
        assert reader.format == format
        assert reader.size == path.stat().st_size
        first, second = reader
        assert reader.offset == reader.size
    assert first[:4] == (10**9 + 2 * format.fraction, PACKET, len(PACKET), 24)
    assert second[:4] == (3 * 10**9 + 4 * format.fraction, b"", 9, 24 + 16 + len(PACKET))


@pytest.mark.parametrize("format", FORMATS)
def test_writes_back_the_same_bytes(capture, tmp_path, format):
    path = capture(
        file_header(format),
        record(format, PACKET, 0, 0),
        record(format, b"", 5, 999_999),
        record(format, bytes(262144), 0xFFFFFFFF, 7),
    )
    copy = tmp_path / "out.pcap"
    with Reader(path) as reader, Writer(copy, reader.format) as writer:
        for item in reader:
            writer.write(item.time, item.data)
    assert copy.read_bytes() == path.read_bytes()


def test_link_type_without_the_checksum_bits_beside_it(capture):
    """Four bytes of Ethernet FCS: 0x24000000 in the header's last word."""
    path = capture(file_header(LE, link_type=0x24000001))
    with Reader(path) as reader:
        assert reader.format.link_type == 1


FOREIGN = [
    (b"", "the file is empty"),
    (b"\xd4\xc3", "starts with d4 c3"),
    (b"\x34\xcd\xb2\xa1" + bytes(100), "Kuznetzov"),
    (b"\x1f\x8b\x08" + bytes(100), "compressed; unpack it with gunzip"),
    (b"\x28\xb5\x2f\xfd" + bytes(100), "unzstd"),
    (b"GIF89a", "no pcap file: it starts with 47 49 46 38"),
    (file_header(LE)[:23], "offset 0: the file ends within the file header (23 of 24 bytes"),
    (file_header(LE)[:4], "(4 of 24 bytes"),
    (file_header(LE, version=(2, 3)), "offset 4: this is pcap version 2.3; right is 2.4"),
    (file_header(LE, version=(543, 0)), "version 543.0"),
    (file_header(LE, link_type=147), "offset 20: link type 147 is not supported; right is NULL"),
]


@pytest.mark.parametrize(("content", "words"), FOREIGN)
def test_refuses_on_opening(capture, content, words):
    path = capture(content)
    with pytest.raises(PcapError) as caught:
        Reader(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


DAMAGE = [
    (b"\x01", "the file ends within a record's header (1 of 16 bytes"),
    (record(LE, b"")[:15], "(15 of 16 bytes"),
    (record(LE, PACKET)[:-1], f"ends within a record ({len(PACKET) - 1} of {len(PACKET)} bytes"),
    (record(LE, b"", captured=100), "ends within a record (0 of 100 bytes"),
    (record(LE, b"", captured=262145), "claims 262145 bytes, more than 262144"),
    (record(LE, b"", captured=0xFFFFFFFF), "claims 4294967295 bytes"),
    (record(LE, PACKET, fraction=1_000_000), "time has 1000000000 ns beside its seconds"),
    (record(LE, PACKET, original=3), f"claims {len(PACKET)} bytes of a frame of 3"),
]


@pytest.mark.parametrize(("tail", "words"), DAMAGE)
def test_damage_is_named_with_its_offset_after_what_is_good(capture, tail, words):
    good = record(LE, PACKET)
    path = capture(file_header(LE), good, tail)
    with Reader(path) as reader:
        records = iter(reader)
        assert next(records).data == PACKET
        with pytest.raises(PcapError) as caught:
            next(records)
        assert list(records) == []
    assert f"{path}: offset {24 + len(good)}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_claimed_length_allocates_nothing(capture):
    path = capture(file_header(LE), record(LE, b"", captured=0xFFFFFFFF))
    tracemalloc.start()
    try:
        with pytest.raises(PcapError):
            read_all(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kept", range(len(PACKET)))
def test_a_cut_packet_is_an_error_the_caller_can_pass_over(capture, kept):
    path = capture(
        file_header(LE),
        record(LE, PACKET[:kept], original=len(PACKET)),
        record(LE, PACKET),
    )
    with Reader(path) as reader:
        cut, whole = reader
        with pytest.raises(TruncatedRecord) as caught:
            reader.split(cut)
        assert reader.split(whole).packet == PACKET
    assert f"{path}: offset 24: the capture kept {kept} of {len(PACKET)} bytes" in str(caught.value)


def test_a_cut_that_takes_only_padding_is_none(capture):
    path = capture(file_header(LE), record(LE, PACKET + b"\0\0", original=len(PACKET) + 18))
    with Reader(path) as reader:
        (only,) = reader
        assert reader.split(only).packet == PACKET


def test_a_cut_frame_that_is_not_ip_is_passed_as_it_is(capture):
    ethernet = LE._replace(link_type=1)
    frame = bytes(12) + b"\x08\x06" + bytes(10)
    path = capture(file_header(ethernet), record(ethernet, frame, original=60))
    with Reader(path) as reader:
        (only,) = reader
        assert reader.split(only) == (frame, None)


def test_survives_any_damage(capture):
    """Bytes changed, cut out and put in at random: records or a PcapError, nothing else."""
    rnd = random.Random(4)
    whole = b"".join(
        [file_header(LE), *(record(LE, PACKET[: rnd.randrange(33)]) for _ in range(8))]
    )
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(rnd.randint(1, 4)):
            at = rnd.randrange(len(content))
            content[at : at + rnd.randint(0, 3)] = rnd.randbytes(rnd.randint(0, 3))
        path = capture(content)
        try:
            with Reader(path) as reader:
                for item in reader:
                    try:
                        reader.split(item)
                    except TruncatedRecord as e:
                        assert str(path) in str(e)
        except PcapError as e:
            assert str(path) in str(e)


def test_reads_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDWR)
    try:
        os.write(keep, file_header(LE) + record(LE, PACKET))
        reader = Reader(path)
    finally:
        os.close(keep)
    with reader:
        assert reader.size is None
        assert [item.data for item in reader] == [PACKET]


def test_names_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(PcapError, match=r"missing\.pcap: cannot be opened: No such file"):
        Reader(tmp_path / "missing.pcap")
    with pytest.raises(PcapError, match="Is a directory"):
        Reader(tmp_path)
    with pytest.raises(PcapError, match=r"out\.pcap: cannot be made: No such file"):
        Writer(tmp_path / "missing" / "out.pcap", LE)
    assert issubclass(PcapError, DeviceError)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_names_a_full_disk():
    writer = Writer("/dev/full", LE)
    writer.write(0, PACKET)
    with pytest.raises(
        PcapError, match="/dev/full: cannot be written: " + os.strerror(errno.ENOSPC)
    ):
        writer.close()


@pytest.mark.parametrize(
    ("time", "size", "words"),
    [
        (-1, 1, "time -1 "),
        ((1 << 32) * 10**9, 1, "does not fit"),
        (0, pcap_file.RECORD_MAX + 1, "262145 bytes"),
    ],
)
def test_writer_refuses_what_does_not_fit(tmp_path, time, size, words):
    with Writer(tmp_path / "out.pcap", LE) as writer, pytest.raises(ValueError, match=words):
        writer.write(time, bytes(size))
    assert read_all(tmp_path / "out.pcap") == []


@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_reads_what_scapy_writes(tmp_path, byte_order, nanoseconds):
    utils = pytest.importorskip("scapy.utils")
    path = tmp_path / "scapy.pcap"
    with utils.RawPcapWriter(
        str(path), linktype=101, endianness=byte_order, nano=nanoseconds
    ) as writer:
        writer.write_header(None)
        for number in range(3):
            writer.write_packet(PACKET, sec=number, usec=number * 10, wirelen=len(PACKET))
    with Reader(path) as reader:
        assert reader.format[:2] == (byte_order, 1 if nanoseconds else 1000)
        assert reader.format.link_type == 101
        fraction = reader.format.fraction
        assert [(item.time, item.data) for item in reader] == [
            (number * 10**9 + number * 10 * fraction, PACKET) for number in range(3)
        ]


@pytest.mark.parametrize("format", FORMATS)
def test_scapy_reads_what_is_written(tmp_path, format):
    utils = pytest.importorskip("scapy.utils")
    path = tmp_path / "out.pcap"
    with Writer(path, format) as writer:
        writer.write(1_700_000_000_123_456_789, PACKET)
        writer.write(1_700_000_001_000_000_000, PACKET[:20])
    with utils.RawPcapReader(str(path)) as reader:
        assert reader.linktype == 101
        assert reader.nano == (format.fraction == 1)
        records = [(data, meta.sec, meta.usec, meta.wirelen, meta.caplen) for data, meta in reader]
    assert records == [
        (PACKET, 1_700_000_000, 123_456_789 // format.fraction, 32, 32),
        (PACKET[:20], 1_700_000_001, 0, 20, 20),
    ]
