"""`ratsnake replay`: what is written, left out and counted; the clock; the output file."""

import socket
import struct
from contextlib import closing
from pathlib import Path

import pytest

from ratsnake import __version__
from ratsnake.cli.capture import AFTER, BEFORE, INTERFACES
from ratsnake.cli.main import main
from ratsnake.daemon import random_seed
from ratsnake.device.capture_file import open_capture
from ratsnake.device.pcap_file import Format, Reader, Writer
from ratsnake.device.pcapng_writer import Writer as NgWriter
from support import layers, packets

EN10MB, RAW = 1, 101
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
ETHERNET = bytes.fromhex("020000000001020000000002")
NAT = ["--external", "203.0.113.1", "--internal", "192.0.2.128/25"]


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return total ^ 0xFFFF


def udp(source: str, destination: str, ports: tuple[int, int] = (5000, 53)) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    start = struct.pack("!BBHHHBB", 0x45, 0, 28 + 4, 7, 0, 64, 17)
    head = start + struct.pack("!H", checksum(start + bytes(2) + addresses)) + addresses
    return head + struct.pack("!4H", *ports, 12, 0) + b"data"


def write(path: Path, link_type: int, *frames: tuple[int, bytes]) -> Path:
    with Writer(path, Format("<", 1000, 65535, link_type)) as writer:
        for time, data in frames:
            writer.write(time, data)
    return path


def read(path: Path) -> list[tuple[int, bytes]]:
    with Reader(path) as reader:
        return [(record.time, record.data) for record in reader]


OUTBOUND = udp("192.0.2.130", "198.51.100.1")


def source_of(packet: bytes) -> str:
    return socket.inet_ntoa(packet[12:16])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.pcap"


def test_link_headers_and_times_stay(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = ETHERNET + b"\x08\x00" + OUTBOUND
    arp = ETHERNET + b"\x08\x06" + bytes(28)
    stray = ETHERNET + b"\x08\x00" + udp("198.51.100.1", "203.0.113.1", (53, 9))
    source = write(
        tmp_path / "in.pcap",
        EN10MB,
        (START, frame + bytes(14)),
        (START, arp),
        (START + 5000, stray),
    )
    assert main(["replay", str(source), str(target), *NAT]) == 0
    ((time, data),) = read(target)
    assert (time, data[:14]) == (START, frame[:14])
    packet = data[14:]
    assert len(packet) == len(OUTBOUND)
    assert source_of(packet) == "203.0.113.1"
    assert packet[16:20] == OUTBOUND[16:20]
    assert checksum(packet[:20]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(maxsplit=1) for line in err.splitlines()] == [
        ["3", "packets read"],
        ["1", "written"],
        ["1", "left out: not IP"],
        ["0", "left out: the capture kept only a part"],
        ["0", "held until a first fragment came"],
        ["0", "sent by the NAT itself"],
        ["1", "dropped by the NAT"],
        ["1", "no-mapping"],
    ]


def test_a_pcapng_file_becomes_one_with_the_same_interfaces(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "in.pcapng"
    with closing(NgWriter(source, "dumpcap", ())) as writer:
        writer.interface(b"eth0", EN10MB)
        writer.interface(b"tun0", RAW)
        writer.packet(1, START, OUTBOUND)
        writer.packet(0, START + 7, ETHERNET + b"\x08\x00" + OUTBOUND)
    assert main(["replay", str(source), str(target), *NAT]) == 0
    with open_capture(target) as reader:
        first, second = reader
        assert [source_of(reader.split(one).packet or b"") for one in (first, second)] == [
            "203.0.113.1"
        ] * 2
    assert (first.time, first.interface) == (START, 1)
    assert (second.time, second.interface, second.data[:12]) == (START + 7, 0, ETHERNET)


def test_of_what_ratsnake_captured_the_packets_before_translation_are_replayed(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.pcapng"
    after = udp("203.0.113.1", "198.51.100.1")
    with closing(NgWriter(source, f"ratsnake {__version__}", INTERFACES)) as writer:
        for side, packet in ((BEFORE, OUTBOUND), (AFTER, after)):
            writer.packet(side, START, packet, "packet 1: translated")
        writer.statistics(BEFORE, START, 0)
    assert main(["replay", str(source), str(target), *NAT]) == 0
    with open_capture(target) as reader:
        (record,) = reader
    assert (record.interface, source_of(record.data)) == (BEFORE, "203.0.113.1")
    lines = capsys.readouterr().err.splitlines()
    assert "         2 packets read" in lines and "         1 written" in lines
    assert any(line.startswith("         1 left out: translated already") for line in lines)
    assert "         0 dropped by the NAT" in lines


def test_a_fragment_that_waited_is_written_when_the_first_one_came(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def piece(payload: bytes, field: int) -> bytes:
        return bytes(packets.ip("192.0.2.130", "198.51.100.1", 17, payload, fragment=field))

    whole = udp("192.0.2.130", "198.51.100.1")[20:] + bytes(20)
    whole = whole[:4] + struct.pack("!H", len(whole)) + whole[6:]
    first, later = piece(whole[:16], 0x2000), piece(whole[16:], 2)
    source = write(tmp_path / "in.pcap", RAW, (START, later), (START + SECOND, first))
    assert main(["replay", str(source), str(target), *NAT]) == 0
    written = read(target)
    assert [time for time, _ in written] == [START + SECOND] * 2
    assert [data[20:] for _, data in written] == [written[0][1][20:], whole[16:]]
    assert {source_of(data) for _, data in written} == {"203.0.113.1"}
    err = capsys.readouterr().err
    for line in ("1 written", "1 held until a first", "1 sent by the NAT", "0 dropped by the NAT"):
        assert f" {line}" in err


@pytest.mark.parametrize(
    ("link_type", "frame"), [(RAW, b""), (EN10MB, ETHERNET + b"\x08\x00")], ids=["raw", "ethernet"]
)
def test_a_packet_of_no_bytes_is_dropped_like_any_malformed_one(
    link_type: int,
    frame: bytes,
    tmp_path: Path,
    target: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = write(tmp_path / "in.pcap", link_type, (START, frame))
    assert main(["replay", str(source), str(target), *NAT]) == 0
    assert read(target) == []
    assert "1 empty" in capsys.readouterr().err


def test_every_frame_is_of_the_ip_version_its_link_header_says(
    tmp_path: Path, target: Path
) -> None:
    """The answer to an IPv6 SYN is due when an IPv4 packet comes: it needs a header of its own."""
    sender = layers.HOST6, "2001:db8:ff::1"
    syn = ETHERNET + b"\x86\xdd" + layers.ipv6(6, layers.tcp(), *sender)
    frames = [(START, syn), (START + 7 * SECOND, ETHERNET + b"\x08\x00" + OUTBOUND)]
    source = write(tmp_path / "in.pcap", EN10MB, *frames)
    inside = ["--external", sender[1], "--internal", "2001:db8:ffff::/64"]
    argv = ["replay", str(source), str(target), *NAT, *inside]
    assert main(argv) == 0
    written = [data for _, data in read(target)]
    assert len(written) == 2
    kinds = {(data[12:14], data[14] >> 4) for data in written}
    assert kinds == {(b"\x08\x00", 4), (b"\x86\xdd", 6)}


@pytest.mark.parametrize(("later", "written"), [(29, 2), (31, 1), (-100, 2)])
def test_the_captures_times_are_the_clock(
    later: int, written: int, tmp_path: Path, target: Path
) -> None:
    """An answer passes until the timeout; a clock that goes back stands still."""
    options = [*NAT, "--ports", "7000", "--timeout", "udp=30"]
    answer = udp("198.51.100.1", "203.0.113.1", (53, 7000))
    source = write(tmp_path / "in.pcap", RAW, (START, OUTBOUND), (START + later * SECOND, answer))
    assert main(["replay", str(source), str(target), *options]) == 0
    translated = [data for _, data in read(target)]
    assert len(translated) == written
    if written == 2:
        assert socket.inet_ntoa(translated[1][16:20]) == "192.0.2.130"


def test_the_same_seed_gives_the_same_ports(tmp_path: Path, target: Path) -> None:
    source = write(
        tmp_path / "in.pcap",
        RAW,
        *((START, udp("192.0.2.130", "198.51.100.1", (port, 53))) for port in range(1024, 1056)),
    )

    def ports(number: str) -> bytes:
        argv = ["replay", str(source), str(target), *NAT, "--nat", "quasi-symmetric"]
        assert main([*argv, "--seed", number]) == 0
        return target.read_bytes()

    assert ports("1") == ports("1")
    assert ports("1") != ports("2")


def test_a_record_cut_by_the_capture_is_left_out(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "in.pcap", RAW, (START, OUTBOUND))
    data = bytearray(source.read_bytes())
    data[24 + 8 : 24 + 12] = struct.pack("<I", len(OUTBOUND) - 2)  # its captured length
    source.write_bytes(data[:-2])
    assert main(["replay", str(source), str(target), *NAT]) == 0
    assert read(target) == []
    assert "1 left out: the capture kept only a part" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not a capture at all", b"\n\r\r\n" + bytes(28)])
def test_what_is_no_capture_leaves_no_output(
    content: bytes, tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.pcap"
    source.write_bytes(content)
    assert main(["replay", str(source), str(target), *NAT]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"ratsnake: error: {source}: ")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.pcap"]


def test_a_damaged_capture_leaves_the_old_output(tmp_path: Path, target: Path) -> None:
    target.write_text("old")
    source = write(tmp_path / "in.pcap", RAW, (START, OUTBOUND), (START, OUTBOUND))
    source.write_bytes(source.read_bytes()[:-1])
    assert main(["replay", str(source), str(target), *NAT]) == 1
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_output_may_not_be_the_input_nor_a_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "in.pcap", RAW, (START, OUTBOUND))
    link = tmp_path / "link.pcap"
    link.symlink_to(source)
    before = source.read_bytes()
    for target, message in (
        (source, "must be another file"),
        (link, "must be another file"),
        (Path("/dev/null"), "not a device"),
        (tmp_path, "not a device or directory"),
    ):
        assert main(["replay", str(source), str(target), *NAT]) == 2
        assert message in capsys.readouterr().err
    assert source.read_bytes() == before
    assert Path("/dev/null").is_char_device()


def test_the_output_folder_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "in.pcap", RAW)
    assert main(["replay", str(source), str(tmp_path / "no" / "out.pcap"), *NAT]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_seeds() -> None:
    assert random_seed.reproducible(1) == random_seed.reproducible(1) != random_seed.reproducible(2)
    assert len(random_seed.reproducible(1)) == len(random_seed.fresh()) == random_seed.SEED_BYTES
    assert random_seed.fresh() != random_seed.fresh()
