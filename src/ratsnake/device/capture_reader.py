"""What readers of capture files have in common: records, errors, and octets that were checked to be
there."""

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from .capture_link_types import Frame, LinkType, ip_length
from .packet_device import DeviceError, Packet

# The longest record, in bytes: libpcap's MAXIMUM_SNAPLEN.
RECORD_MAX = 262144

NS_PER_SECOND = 1_000_000_000


class PcapError(DeviceError):
    """A capture file that cannot be read or written; names the file, and the offset if any."""


class TruncatedRecord(PcapError):
    """A record that holds only part of its IP packet; the records after it can still be read."""


class Record(NamedTuple):
    """One captured frame."""

    time: int  # nanoseconds since 1970-01-01 00:00 UTC
    data: bytes
    original: int  # bytes the frame had on the wire, >= len(data)
    offset: int  # of the record's header in the file
    interface: int = 0  # of the file's; a classic pcap file has one
    translated: bool = False  # a copy that `ratsnake capture` made after translation


class CaptureWriter(Protocol):
    """A new capture file in the format of another."""

    def write(self, time: int, data: Packet, interface: int = 0) -> None: ...
    def close(self) -> None: ...


class CaptureReader:
    """The records of a capture file, once, in order; also a context manager's `with` target.

    size    the file's length in bytes, None for a pipe
    offset  bytes read so far: with size, the progress

    Raises PcapError, on opening and on iterating.  A record's error ends the iteration.
    """

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO | None = None) -> None:
        """`file`: the one at `path`, opened, of which nothing has been read; it is closed then."""
        self._path = os.fspath(path)
        self._file = open_file(self._path) if file is None else file
        self.offset = 0
        try:
            status = os.fstat(self._file.fileno())
            self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Record]:
        raise NotImplementedError

    def split(self, record: Record) -> Frame:
        """Part a record into link header and IP packet (LinkType.split).

        Raises TruncatedRecord when the capture cut off part of the IP packet; iteration can go on.
        """
        frame = self._link_type(record).split(record.data)
        if frame.packet is not None and record.original > len(record.data):
            stated = ip_length(frame.packet)
            if stated is None or stated > len(frame.packet):
                raise TruncatedRecord(
                    f"{self._path}: offset {record.offset}: the capture kept {len(record.data)} "
                    f"of {record.original} bytes; capture whole packets (`tcpdump -s 0`)"
                )
        return frame

    def writer(self, path: str | os.PathLike[str]) -> CaptureWriter:
        """A new file for records with link headers of this one's; raises PcapError."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "CaptureReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_header(self) -> None:
        """Read what stands before the records."""
        raise NotImplementedError

    def _link_type(self, record: Record) -> LinkType:
        raise NotImplementedError

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as e:
            raise self._error(self.offset, f"cannot be read: {e.strerror}") from e
        self.offset += len(data)
        return data

    def _check_complete(self, start: int, data: bytes, size: int, what: str) -> None:
        if len(data) < size:
            raise self._error(
                start, f"the file ends within {what} ({len(data)} of {size} bytes are there)"
            )

    def _check_lengths(self, start: int, captured: int, original: int) -> None:
        """Of a record: lengths in a file are claims, and none is followed before this."""
        if captured > RECORD_MAX:
            raise self._error(
                start, f"a record claims {captured} bytes, more than {RECORD_MAX}: damaged?"
            )
        if captured > original:
            raise self._error(
                start, f"a record claims {captured} bytes of a frame of {original}: damaged?"
            )

    def _error(self, offset: int, problem: str) -> PcapError:
        return PcapError(f"{self._path}: offset {offset}: {problem}")


def open_file(path: str) -> BinaryIO:
    """Raises PcapError."""
    try:
        return open(path, "rb")
    except OSError as e:
        raise PcapError(f"{path}: cannot be opened: {e.strerror}") from e
