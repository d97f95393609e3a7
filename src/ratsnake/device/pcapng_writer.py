"""Writing pcapng files: packets of several interfaces, each with a comment.

The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html, little-endian, one
section, times in nanoseconds.
"""

import os
import struct
from collections.abc import Sequence

from .capture_reader import PcapError
from .packet_device import Packet

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6
BYTE_ORDER = 0x1A2B3C4D
LINK_TYPE_RAW = 101  # packets begin with their IP header

# Options: of every block, of an interface, of its statistics.
COMMENT = 1
APPLICATION = 4  # of the section
NAME = 2
TIME_RESOLUTION = 9
DROPPED = 5
NANOSECONDS = bytes([9])  # 10 to the minus


class Writer:
    """A new file, with an interface for each name, numbered from 0.  `size` is its bytes so far.

    Raises PcapError, as all methods do.
    """

    def __init__(
        self, path: str | os.PathLike[str], application: str, interfaces: Sequence[str]
    ) -> None:
        self._path = os.fspath(path)
        self.size = 0
        try:
            self._file = open(self._path, "wb")  # noqa: SIM115
        except OSError as error:
            raise PcapError(f"{self._path}: cannot be made: {error.strerror}") from error
        section = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        self._block(SECTION_HEADER, section, [(APPLICATION, application.encode())])
        for name in interfaces:
            self.interface(name.encode(), LINK_TYPE_RAW)

    def interface(self, name: bytes, link_type: int) -> None:
        """One more; `name` may be empty."""
        self._block(
            INTERFACE_DESCRIPTION,
            struct.pack("<HHI", link_type, 0, 0),
            [*([(NAME, name)] if name else []), (TIME_RESOLUTION, NANOSECONDS)],
        )

    def packet(self, interface: int, time: int, data: Packet, comment: str = "") -> None:
        """`time` in nanoseconds since 1970, below 2**64."""
        high, low = time >> 32, time & 0xFFFFFFFF
        fixed = struct.pack("<5I", interface, high, low, len(data), len(data))
        options = [(COMMENT, comment.encode())] if comment else []
        self._block(ENHANCED_PACKET, fixed + _padded(bytes(data)), options)

    def statistics(self, interface: int, time: int, dropped: int) -> None:
        """How many packets were missed at an interface."""
        fixed = struct.pack("<3I", interface, time >> 32, time & 0xFFFFFFFF)
        self._block(INTERFACE_STATISTICS, fixed, [(DROPPED, struct.pack("<Q", dropped))])

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _block(self, kind: int, body: bytes, options: Sequence[tuple[int, bytes]]) -> None:
        for code, value in options:
            body += struct.pack("<HH", code, len(value)) + _padded(value)
        body += bytes(4)  # the end of the options
        length = struct.pack("<I", len(body) + 12)
        block = struct.pack("<I", kind) + length + body + length
        try:
            self._file.write(block)
        except OSError as error:
            raise self._failed(error) from error
        self.size += len(block)

    def _failed(self, error: OSError) -> PcapError:
        return PcapError(f"{self._path}: cannot be written: {error.strerror}")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
