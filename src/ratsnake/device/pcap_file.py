"""Classic libpcap capture files: reading, and writing in the format of what was read.

The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, version 2.4, with
microsecond or nanosecond times, in both byte orders.
"""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .capture_link_types import LINK_TYPES, LinkType
from .capture_reader import NS_PER_SECOND, RECORD_MAX, CaptureReader, PcapError, Record
from .packet_device import Packet

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
    b"\x34\xcd\xb2\xa1": f"this is a modified (Kuznetzov) pcap file; {_TO_PCAP}",
    b"\xa1\xb2\xcd\x34": f"this is a modified (Kuznetzov) pcap file; {_TO_PCAP}",
    b"\x1f\x8b": "this file is compressed; unpack it with gunzip",
    b"\x28\xb5\x2f\xfd": "this file is compressed; unpack it with unzstd",
}

_VERSION = (2, 4)
_FILE_HEADER = "HHiIII"  # version, time zone, accuracy, snap length, link type; after the magic
_RECORD_HEADER = "IIII"  # seconds, fraction, captured length, original length


class Format(NamedTuple):
    """What a capture file's header says."""

    byte_order: str  # "<" or ">", as struct has them
    fraction: int  # nanoseconds per unit of the time's fraction: 1000 or 1
    snaplen: int  # bytes; as the file has it, and not relied on
    link_type: int  # a key of LINK_TYPES


class Reader(CaptureReader):
    """As CaptureReader says; `format` is the file's Format."""

    format: Format

    def __iter__(self) -> Iterator[Record]:
        header = struct.Struct(self.format.byte_order + _RECORD_HEADER)
        while True:
            start = self.offset
            raw = self._read(header.size)
            if not raw:
                return
            self._check_complete(start, raw, header.size, "a record's header")
            seconds, fraction, captured, original = header.unpack(raw)
            self._check_lengths(start, captured, original)
            nanoseconds = fraction * self.format.fraction
            if nanoseconds >= NS_PER_SECOND:
                raise self._error(
                    start, f"a record's time has {nanoseconds} ns beside its seconds: damaged?"
                )
            data = self._read(captured)
            self._check_complete(start, data, captured, "a record")
            yield Record(seconds * NS_PER_SECOND + nanoseconds, data, original, start)

    def writer(self, path: str | os.PathLike[str]) -> "Writer":
        return Writer(path, self.format)

    def _link_type(self, record: Record) -> LinkType:
        return LINK_TYPES[self.format.link_type]

    def _read_header(self) -> None:
        self.format = self._read_format()

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

    def write(self, time: int, data: Packet, interface: int = 0) -> None:
        """Add a whole frame: time in nanoseconds since 1970 (below 2106), at most RECORD_MAX bytes.

        Raises ValueError when either is out of range.
        """
        seconds, rest = divmod(time, NS_PER_SECOND)
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
