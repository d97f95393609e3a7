"""Reading pcapng files: packets of all interfaces and sections, in both byte orders.

The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html.  Blocks that hold no
packets are skipped, and options that say nothing about a packet's time or its interface's name.
"""

import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import pcapng_writer
from .capture_link_types import LINK_TYPES, LinkType
from .capture_reader import NS_PER_SECOND, RECORD_MAX, CaptureReader, Record
from .packet_device import Packet
from .pcapng_writer import (
    APPLICATION,
    BYTE_ORDER,
    ENHANCED_PACKET,
    INTERFACE_DESCRIPTION,
    NAME,
    SECTION_HEADER,
    TIME_RESOLUTION,
)

OBSOLETE_PACKET = 2
SIMPLE_PACKET = 3
TIME_OFFSET = 14  # an option of interfaces, in seconds
VERSION = 1
# Every block: type, length, what it holds, and the length again.
FRAME_SIZE = 12
BLOCK_MAX = 1 << 24  # bytes; a packet with its options takes 256 kB
MOST_INTERFACES = 65_536
MOST_FRACTION_BITS = 63
MOST_FRACTION_DIGITS = 19  # 10**19 < 2**64: units in a second
LATEST = 1 << 64  # nanoseconds
BYTE_ORDERS = {struct.pack(order + "I", BYTE_ORDER): order for order in "<>"}
#: Which interface of a file that `ratsnake capture` made has packets that are translated already.
CAPTURE_APPLICATION, CAPTURE_AFTER = b"ratsnake ", b"after"


class Interface(NamedTuple):
    link_type: int
    snaplen: int  # bytes; 0 for no limit
    name: bytes
    units: int  # in a second
    offset: int  # seconds that are added to each time
    translated: bool


class Reader(CaptureReader):
    """As CaptureReader says; `interfaces` are those of all sections so far."""

    interfaces: list[Interface]

    def __iter__(self) -> Iterator[Record]:
        readers: dict[int, Callable[[int, bytes], Record]] = {
            ENHANCED_PACKET: self._enhanced_packet,
            OBSOLETE_PACKET: self._obsolete_packet,
            SIMPLE_PACKET: self._simple_packet,
        }
        while True:
            start = self.offset
            head = self._read(4)
            if not head:
                return
            self._check_complete(start, head, 4, "a block's header")
            (kind,) = struct.unpack(self._order + "I", head)
            if kind == SECTION_HEADER:  # the same in both byte orders
                self._section(start)
                continue
            body = self._body(start)
            if kind == INTERFACE_DESCRIPTION:
                self._interface(start, body)
            elif kind in readers:
                record = readers[kind](start, body)
                self._time = record.time
                yield record

    def writer(self, path: str | os.PathLike[str]) -> "MatchingWriter":
        return MatchingWriter(path, self)

    def _read_header(self) -> None:
        self.interfaces = []
        self._time = 0  # of the last packet: what a simple packet has instead of its own
        start = self.offset
        head = self._read(4)
        if head != struct.pack("<I", SECTION_HEADER):
            raise self._error(start, "this is no pcapng file: it starts with " + head.hex(" "))
        self._section(start)

    def _link_type(self, record: Record) -> LinkType:
        number = self.interfaces[record.interface].link_type
        if number not in LINK_TYPES:
            known = ", ".join(f"{entry.name} ({n})" for n, entry in LINK_TYPES.items())
            raise self._error(
                record.offset,
                f"a packet of link type {number}, which is not supported; right is {known}",
            )
        return LINK_TYPES[number]

    def _section(self, start: int) -> None:
        """Whose byte order is in its body; interfaces are counted anew."""
        raw = self._read(8)
        self._check_complete(start, raw, 8, "a section's header")
        if raw[4:] not in BYTE_ORDERS:
            raise self._error(start + 8, f"no byte order is {raw[4:].hex(' ')}: damaged?")
        self._order = BYTE_ORDERS[raw[4:]]
        body = self._rest(start, raw[:4], already=4)
        if len(body) < 12:
            raise self._error(start, "a section's header is too short: damaged?")
        (major,) = struct.unpack_from(self._order + "H", body)
        if major != VERSION:
            raise self._error(start + 12, f"this is pcapng version {major}; right is {VERSION}")
        self._first = len(self.interfaces)
        application = self._options(start, body[12:]).get(APPLICATION, b"")
        self._by_ratsnake = application.startswith(CAPTURE_APPLICATION)

    def _body(self, start: int) -> bytes:
        raw = self._read(4)
        self._check_complete(start, raw, 4, "a block's header")
        return self._rest(start, raw, already=0)

    def _rest(self, start: int, raw: bytes, already: int) -> bytes:
        """What a block holds whose length is `raw`, and of which so much is `already` read."""
        (length,) = struct.unpack(self._order + "I", raw)
        if length % 4 or not FRAME_SIZE + already <= length <= BLOCK_MAX:
            raise self._error(start, f"a block claims {length} bytes: damaged?")
        size = length - FRAME_SIZE - already
        data = self._read(size + 4)
        self._check_complete(start, data, size + 4, "a block")
        (again,) = struct.unpack(self._order + "I", data[size:])
        if again != length:
            raise self._error(start, f"a block of {length} bytes ends as one of {again}: damaged?")
        return data[:size]

    def _options(self, start: int, data: bytes) -> dict[int, bytes]:
        """By their codes; of several of one code the first."""
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(data):
            code, length = struct.unpack_from(self._order + "HH", data, at)
            if code == 0:
                break
            if at + 4 + length > len(data):
                raise self._error(start, f"an option claims {length} bytes: damaged?")
            found.setdefault(code, data[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        return found

    def _interface(self, start: int, body: bytes) -> None:
        if len(body) < 8:
            raise self._error(start, "an interface's block is too short: damaged?")
        if len(self.interfaces) >= MOST_INTERFACES:
            raise self._error(start, f"more than {MOST_INTERFACES} interfaces: damaged?")
        link_type, snaplen = struct.unpack_from(self._order + "HxxI", body)
        options = self._options(start, body[8:])
        name, resolution = options.get(NAME, b""), options.get(TIME_RESOLUTION, b"\x06")
        offset = options.get(TIME_OFFSET, bytes(8))
        if len(resolution) != 1 or len(offset) != 8:
            raise self._error(start, "an interface's times are unclear: damaged?")
        (seconds,) = struct.unpack(self._order + "q", offset)
        self.interfaces.append(
            Interface(
                link_type,
                snaplen,
                name,
                self._units(start, resolution[0]),
                seconds,
                self._by_ratsnake and name == CAPTURE_AFTER,
            )
        )

    def _units(self, start: int, resolution: int) -> int:
        """In a second: a negative power of 10, or with the highest bit of 2."""
        power = resolution & 0x7F
        if power > (MOST_FRACTION_BITS if resolution & 0x80 else MOST_FRACTION_DIGITS):
            raise self._error(start, f"times are in units of {power} digits: damaged?")
        return 1 << power if resolution & 0x80 else 10**power

    def _enhanced_packet(self, start: int, body: bytes) -> Record:
        return self._timed_packet(start, body, "IIIII")

    def _obsolete_packet(self, start: int, body: bytes) -> Record:
        return self._timed_packet(start, body, "HxxIIII")

    def _timed_packet(self, start: int, body: bytes, layout: str) -> Record:
        """Interface, time in two halves, lengths; then the packet."""
        if len(body) < 20:
            raise self._error(start, "a packet's block is too short: damaged?")
        number, high, low, captured, original = struct.unpack_from(self._order + layout, body)
        interface = self._numbered(start, number)
        time = (high << 32 | low) * NS_PER_SECOND // interface.units
        time += interface.offset * NS_PER_SECOND
        if not 0 <= time < LATEST:
            raise self._error(start, f"a packet's time is {time} ns after 1970: damaged?")
        return self._record(start, time, number, body[20:], captured, original)

    def _simple_packet(self, start: int, body: bytes) -> Record:
        """Of the first interface, and without a time."""
        if len(body) < 4:
            raise self._error(start, "a packet's block is too short: damaged?")
        (original,) = struct.unpack_from(self._order + "I", body)
        snaplen = self._numbered(start, 0).snaplen or RECORD_MAX
        return self._record(start, self._time, 0, body[4:], min(original, snaplen), original)

    def _record(
        self, start: int, time: int, number: int, data: bytes, captured: int, original: int
    ) -> Record:
        self._check_lengths(start, captured, original)
        if captured > len(data):
            raise self._error(start, f"a record claims {captured} bytes of {len(data)}: damaged?")
        translated = self._numbered(start, number).translated
        number += self._first
        return Record(time, data[:captured], original, start, number, translated)

    def _numbered(self, start: int, number: int) -> Interface:
        """The section's interface of that number."""
        if not 0 <= number < len(self.interfaces) - self._first:
            raise self._error(start, f"a packet of interface {number}, which is not described")
        return self.interfaces[self._first + number]


class MatchingWriter(pcapng_writer.Writer):
    """A new file with the interfaces of another, each as soon as a packet of it comes."""

    def __init__(self, path: str | os.PathLike[str], reader: Reader) -> None:
        super().__init__(path, "ratsnake replay", ())
        self._reader = reader
        self._described = 0

    def write(self, time: int, data: Packet, interface: int = 0) -> None:
        """`time` in nanoseconds since 1970; `interface` is that of the other file's record."""
        for one in self._reader.interfaces[self._described : interface + 1]:
            self.interface(one.name, one.link_type)
            self._described += 1
        self.packet(interface, time, data)
