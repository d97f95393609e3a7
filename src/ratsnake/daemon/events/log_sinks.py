"""Where events are written: a file, standard output, journald or syslog.

A sink gets whole lines, each with its newline.  It may wait as long as it must; it raises OSError
when it fails.
"""

import errno
import logging
import os
import socket
import struct
from io import FileIO
from logging.handlers import SysLogHandler, WatchedFileHandler
from typing import Any, Protocol

from ..configuration.event_kinds import JOURNALD, STDOUT, SYSLOG
from ..user_errors import RunError

FILE_MODE = 0o640  # who talks to whom is not for everybody
JOURNAL_SOCKET = "/run/systemd/journal/socket"
SYSLOG_SOCKET = "/dev/log"
IDENTIFIER = "ratsnake"


class Sink(Protocol):
    name: str

    def write(self, lines: list[bytes]) -> None: ...
    def close(self) -> None: ...


def open_sink(text: str) -> Sink:
    """Raises RunError."""
    try:
        if text == STDOUT:
            return StandardOutput()
        if text == JOURNALD:
            return Journal()
        return Syslog() if text == SYSLOG else LogFile(text)
    except OSError as error:
        why = (
            "nobody reads it (a pipe, or a socket)"
            if error.errno == errno.ENXIO
            else error.strerror or error
        )
        raise RunError(f"--events {text}: {why}") from None


class StandardOutput:
    name = STDOUT

    def write(self, lines: list[bytes]) -> None:
        # Not by sys.stdout, whose lock a thread that waits for its reader would hold at the end.
        _write_all(1, b"".join(lines))

    def close(self) -> None:
        """It is not ours to close."""


class _Watched(WatchedFileHandler):
    """Unbuffered, so that what could not be written is not tried again behind our back."""

    def _open(self) -> Any:
        return FileIO(self.baseFilename, "a", opener=_private)


def _private(path: str, flags: int) -> int:
    """A pipe that nobody reads is an error, and not waited for."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, FILE_MODE)
    os.set_blocking(descriptor, True)
    return descriptor


class LogFile:
    """Opened anew when it was moved away or removed, as logrotate does it; no signal is needed."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._handler = _Watched(path)
        self._torn = False

    def write(self, lines: list[bytes]) -> None:
        self._handler.reopenIfNeeded()
        # After a failure the last line may have no end.
        start = b"\n" if self._torn else b""
        self._torn = True
        assert self._handler.stream is not None  # it is only before the first opening, when delayed
        _write_all(self._handler.stream.fileno(), start + b"".join(lines))
        self._torn = False

    def close(self) -> None:
        self._handler.close()


class Journal:
    """The journal's native protocol: a datagram of fields an entry.

    https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
    """

    name = JOURNALD

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        os.stat(path)
        self._path = path
        # Not connected, so that a journal that was restarted is found again.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def write(self, lines: list[bytes]) -> None:
        for line in lines:
            self._socket.sendto(journal_entry(line.rstrip(b"\n")), self._path)

    def close(self) -> None:
        self._socket.close()


def journal_entry(message: bytes) -> bytes:
    """With the length before the text, which so may hold anything."""
    fields = f"PRIORITY=6\nSYSLOG_IDENTIFIER={IDENTIFIER}\n".encode()
    return fields + b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n"


class _Strict(SysLogHandler):
    """Fails aloud, and at once where nobody listens."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


class Syslog:
    name = SYSLOG

    def __init__(self, path: str = SYSLOG_SOCKET) -> None:
        os.stat(path)
        self._handler = _Strict(path, SysLogHandler.LOG_DAEMON)
        self._handler.ident = f"{IDENTIFIER}: "

    def write(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line.rstrip(b"\n").decode()
            self._handler.emit(logging.LogRecord(IDENTIFIER, logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        self._handler.close()


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
