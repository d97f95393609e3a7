"""Classic libpcap capture files: reading, and writing in the format of what was read.

The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, version 2.4, with
microsecond or nanosecond times, in both byte orders.  Lengths in a file are claims: none is
followed before it is checked.
"""

import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .capture_link_types import LINK_TYPES, Frame, ip_length
from .packet_device import DeviceError, Packet

# The longest record, in bytes: libpcap's MAXIMUM_SNAPLEN.
RECORD_MAX = 262144

_NS_PER_SECOND = 1_000_000_000

# What the first four bytes say: byte order and nanoseconds per unit of the time's fraction.
_MAGICS: dict[bytes, tuple[str, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_MAGIC_OF = {meaning: magic for magic, meaning in _MAGICS.items()}

# Files often given instead, by how they start, and what to do.
_TO_PCAP = "convert it with `editcap -F pcap IN OUT`"
_FOREIGN: dict[bytes, str] = {
    b"\x0a\x0d\x0d\x0a": f"this is a pcapng file; {_TO_PCAP}",
    b"\x34\xcd\xb2\xa1": f"this is a modified (Kuznetzov) pcap file; {_TO_PCAP}",
    b"\xa1\xb2\xcd\x34": f"this is a modified (Kuznetzov) pcap file; {_TO_PCAP}",
    b"\x1f\x8b": "this file is compressed; unpack it with gunzip",
    b"\x28\xb5\x2f\xfd": "this file is compressed; unpack it with unzstd",
}

_VERSION = (2, 4)
_FILE_HEADER = "HHiIII"  # version, time zone, accuracy, snap length, link type; after the magic
_RECORD_HEADER = "IIII"  # seconds, fraction, captured length, original length


class PcapError(DeviceError):
    """A capture file that cannot be read or written; names the file, and the offset if any."""


class TruncatedRecord(PcapError):
    """A record that holds only part of its IP packet; the records after it can still be read."""


class Format(NamedTuple):
    """What a capture file's header says."""

    byte_order: str  # "<" or ">", as struct has them
    fraction: int  # nanoseconds per unit of the time's fraction: 1000 or 1
    snaplen: int  # bytes; as the file has it, and not relied on
    link_type: int  # a key of LINK_TYPES


class Record(NamedTuple):
    """One captured frame."""

    time: int  # nanoseconds since 1970-01-01 00:00 UTC
    data: bytes
    original: int  # bytes the frame had on the wire, >= len(data)
    offset: int  # of the record's header in the file


class Reader:
    """The records of a capture file, once, in order; also a context manager's `with` target.

    format  the file's Format
    size    the file's length in bytes, None for a pipe
    offset  bytes read so far: with size, the progress

    Raises PcapError, on opening and on iterating.  A record's error ends the iteration.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self.offset = 0
        try:
            self._file = open(self._path, "rb")  # noqa: SIM115
        except OSError as e:
            raise PcapError(f"{self._path}: cannot be opened: {e.strerror}") from e
        try:
            status = os.fstat(self._file.fileno())
            self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
            self.format = self._read_format()
        except BaseException:
            self._file.close()
            raise
        self._link = LINK_TYPES[self.format.link_type]

    def __iter__(self) -> Iterator[Record]:
        header = struct.Struct(self.format.byte_order + _RECORD_HEADER)
        while True:
            start = self.offset
            raw = self._read(header.size)
            if not raw:
                return
            self._check_complete(start, raw, header.size, "a record's header")
            seconds, fraction, captured, original = header.unpack(raw)
            if captured > RECORD_MAX:
                raise self._error(
                    start, f"a record claims {captured} bytes, more than {RECORD_MAX}: damaged?"
                )
            if captured > original:
                raise self._error(
                    start, f"a record claims {captured} bytes of a frame of {original}: damaged?"
                )
            nanoseconds = fraction * self.format.fraction
            if nanoseconds >= _NS_PER_SECOND:
                raise self._error(
                    start, f"a record's time has {nanoseconds} ns beside its seconds: damaged?"
                )
            data = self._read(captured)
            self._check_complete(start, data, captured, "a record")
            yield Record(seconds * _NS_PER_SECOND + nanoseconds, data, original, start)

    def split(self, record: Record) -> Frame:
        """Part a record into link header and IP packet (LinkType.split).

        Raises TruncatedRecord when the capture cut off part of the IP packet; iteration can go on.
        """
        frame = self._link.split(record.data)
        if frame.packet is not None and record.original > len(record.data):
            stated = ip_length(frame.packet)
            if stated is None or stated > len(frame.packet):
                raise TruncatedRecord(
                    f"{self._path}: offset {record.offset}: the capture kept {len(record.data)} "
                    f"of {record.original} bytes; capture whole packets (`tcpdump -s 0`)"
                )
        return frame

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_format(self) -> Format:
        magic = self._read(4)
        if not magic:
            raise PcapError(f"{self._path}: the file is empty; right is a pcap capture file")
        if magic not in _MAGICS:
            for start, advice in _FOREIGN.items():
                if magic.startswith(start):
                    raise self._error(0, advice)
            raise self._error(0, "this is no pcap file: it starts with " + magic.hex(" "))
        byte_order, fraction = _MAGICS[magic]
        header = struct.Struct(byte_order + _FILE_HEADER)
        raw = self._read(header.size)
        self._check_complete(0, magic + raw, 4 + header.size, "the file header")
        major, minor, _zone, _accuracy, snaplen, network = header.unpack(raw)
        if (major, minor) != _VERSION:
            raise self._error(4, f"this is pcap version {major}.{minor}; right is 2.4")
        # The upper half says whether frames end in a checksum, which split() leaves off.
        link_type = network & 0xFFFF
        if link_type not in LINK_TYPES:
            known = ", ".join(f"{entry.name} ({n})" for n, entry in LINK_TYPES.items())
            raise self._error(20, f"link type {link_type} is not supported; right is {known}")
        return Format(byte_order, fraction, snaplen, link_type)

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

    def _error(self, offset: int, problem: str) -> PcapError:
        return PcapError(f"{self._path}: offset {offset}: {problem}")


class Writer:
    """A new capture file in a given format; replaces a file of that name.  Raises PcapError."""

    def __init__(self, path: str | os.PathLike[str], format: Format) -> None:
        self._path = os.fspath(path)
        self._fraction = format.fraction
        self._header = struct.Struct(format.byte_order + _RECORD_HEADER)
        file_header = struct.pack(
            format.byte_order + _FILE_HEADER, *_VERSION, 0, 0, format.snaplen, format.link_type
        )
        try:
            self._file = open(self._path, "wb")  # noqa: SIM115
        except OSError as e:
            raise PcapError(f"{self._path}: cannot be made: {e.strerror}") from e
        self._put(_MAGIC_OF[format.byte_order, format.fraction] + file_header)

    def write(self, time: int, data: Packet) -> None:
        """Add a whole frame: time in nanoseconds since 1970 (below 2106), at most RECORD_MAX bytes.

        Raises ValueError when either is out of range.
        """
        seconds, rest = divmod(time, _NS_PER_SECOND)
        if not 0 <= seconds <= 0xFFFFFFFF:
            raise ValueError(f"time {time} does not fit a pcap record")
        if len(data) > RECORD_MAX:
            raise ValueError(f"a frame of {len(data)} bytes; a pcap record holds {RECORD_MAX}")
        header = self._header.pack(seconds, rest // self._fraction, len(data), len(data))
        self._put(header + data)

    def close(self) -> None:
        """Write out what is buffered, and close; the file is complete only if this succeeds."""
        try:
            self._file.close()
        except OSError as e:
            raise self._failed(e) from e

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as e:
            raise self._failed(e) from e

    def _failed(self, error: OSError) -> PcapError:
        return PcapError(f"{self._path}: cannot be written: {error.strerror}")
