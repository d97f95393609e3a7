"""Where events are written: files and their rotation, journald's protocol, syslog."""

import os
import socket
import stat
import struct
from pathlib import Path

import pytest

from ratsnake.daemon.configuration.value_parsers import sink
from ratsnake.daemon.events.log_sinks import Journal, LogFile, StandardOutput, Syslog, open_sink
from ratsnake.daemon.user_errors import RunError

LINES = [b'{"n":1}\n', b'{"n":2}\n']


@pytest.mark.parametrize("text", ["stdout", "journald", "syslog", "/var/log/nat.json", "./nat"])
def test_sinks_that_are_right(text: str) -> None:
    assert sink(text) == text


def test_a_misspelt_word_is_no_file() -> None:
    with pytest.raises(ValueError, match="did you mean journald?"):
        sink("jounald")


def test_a_file_is_appended_to_and_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "events"
    before = os.umask(0)
    try:
        for _ in range(2):
            log = open_sink(str(path))
            log.write(LINES)
            log.close()
    finally:
        os.umask(before)
    assert path.read_bytes() == b"".join(LINES) * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_is_rotated_is_opened_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "events", tmp_path / "events.1"
    log = LogFile(str(path))
    log.write(LINES[:1])
    path.rename(old)
    log.write(LINES[1:])
    assert (old.read_bytes(), path.read_bytes()) == (LINES[0], LINES[1])
    path.unlink()
    log.write(LINES)
    assert path.read_bytes() == b"".join(LINES)
    log.close()


def test_after_a_full_disk_lines_begin_anew() -> None:
    log = LogFile("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        log.write(LINES)
    log._handler.baseFilename = "/dev/null"
    log.write(LINES)
    log.close()


def test_a_torn_line_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events"
    log = LogFile(str(path))
    write = os.write
    room = [5]

    def short(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="No space"):
            log.write(LINES)
    log.write(LINES)
    assert path.read_bytes() == LINES[0][:5] + b"\n" + b"".join(LINES)
    log.close()


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--events .*none/events: No such file or directory"):
        open_sink(str(tmp_path / "none" / "events"))


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match=f"--events {pipe}: nobody reads it"):
        open_sink(str(pipe))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = open_sink(str(pipe))
    log.write(LINES)
    assert os.read(reader, 100) == b"".join(LINES)
    log.close()
    os.close(reader)


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = StandardOutput()
    log.write(LINES)
    log.close()
    assert capfd.readouterr().out.encode() == b"".join(LINES)


def bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(path))
    listener.settimeout(10)
    return listener


def test_journald_gets_an_entry_a_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with bound(path) as listener:
        journal = Journal(str(path))
        journal.write(LINES)
        for line in LINES:
            entry = listener.recv(4096)
            fields, _, rest = entry.partition(b"MESSAGE\n")
            assert fields == b"PRIORITY=6\nSYSLOG_IDENTIFIER=ratsnake\n"
            (size,) = struct.unpack_from("<Q", rest)
            assert (rest[8 : 8 + size], rest[8 + size :]) == (line.rstrip(), b"\n")
    path.unlink()
    with bound(path) as listener:  # restarted
        journal.write(LINES[:1])
        assert listener.recv(4096)
    with pytest.raises(OSError):
        journal.write(LINES)
    journal.close()


def test_syslog_gets_a_message_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with bound(path) as listener:
        log = Syslog(str(path))
        log.write(LINES)
        assert listener.recv(4096).rstrip(b"\0") == b'<30>ratsnake: {"n":1}'
        assert listener.recv(4096).rstrip(b"\0") == b'<30>ratsnake: {"n":2}'
    with pytest.raises(OSError):
        log.write(LINES)
    log.close()


def test_no_journal_and_no_syslog(tmp_path: Path) -> None:
    for kind in (Journal, Syslog):
        with pytest.raises(FileNotFoundError):
            kind(str(tmp_path / "none"))
