"""pcapng files, as scapy reads them."""

from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

from ratsnake.device.capture_reader import PcapError
from ratsnake.device.pcapng_writer import Writer
from support.packets import udp

PACKET = bytes(udp(("192.168.1.10", 4000), ("198.51.100.1", 53), b"odd"))
TIME = 1_700_000_000_123_456_789


def test_another_reader_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    writer = Writer(path, "ratsnake", ("before", "after"))
    writer.packet(0, TIME, PACKET, "packet 1: translated")
    writer.packet(1, TIME + 1, PACKET + b"x", "packet 1: translated, too")
    writer.statistics(0, TIME, 7)
    writer.close()
    assert path.stat().st_size == writer.size
    with RawPcapNgReader(str(path)) as reader:
        (first, one), (second, other) = reader
    assert (first, second) == (PACKET, PACKET + b"x")
    for shown, interface, at in ((one, b"before", TIME), (other, b"after", TIME + 1)):
        assert shown.ifname == interface
        assert shown.linktype == 101
        assert shown.tsresol == 1_000_000_000
        assert shown.tshigh << 32 | shown.tslow == at
    assert (one.wirelen, other.wirelen) == (len(first), len(second))
    comments = [one.comments, other.comments]
    assert comments == [[b"packet 1: translated"], [b"packet 1: translated, too"]]


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(PcapError, match="none/x: cannot be made: No such file"):
        Writer(tmp_path / "none" / "x", "ratsnake", ())


def test_a_full_disk_is_told() -> None:
    writer = Writer("/dev/full", "ratsnake", ("before",))
    with pytest.raises(PcapError, match="/dev/full: cannot be written: No space left"):
        writer.flush()
