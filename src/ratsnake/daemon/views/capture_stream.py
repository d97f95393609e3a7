"""A capture on its way from the packet loop to the client that asked for it.

The client writes the file: so it lies where the client may write, and belongs to it.
"""

import math
import struct
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Protocol

from ...nat.rules.drop_reasons import REASONS
from ...nat.settings.address_realm import halves
from ...nat.views.row_tuples import PROTOCOL_NAMES
from ..control.control_server import Request
from ..loop.live_nat import TableLock

PERIOD = 0.05  # seconds between two looks
WAITING = 16 << 20  # bytes for the client; then the packet loop's own buffer fills up
HEAD = struct.Struct(">QQIBBxx")  # as packet_capture.py has it
MISSED = b'{"missed":%d}\n'
SIDES = ("before", "after", "own")
ANY_PROTOCOL = 255
ANY_ADDRESS = (0, 0)


class Copies(Protocol):
    """The part of Capture that is used here."""

    active: bool

    def begin(self, protocol: int, host: tuple[int, int], remote: tuple[int, int]) -> None: ...
    def end(self) -> None: ...
    def swap(self) -> tuple[int, int]: ...
    def taken(self, size: int) -> bytes: ...


class Capturing:
    """One capture at a time; `pump` is due while there is one."""

    def __init__(self, copies: Copies, locked: TableLock) -> None:
        self._copies = copies
        self._locked = locked
        self._stream: CaptureStream | None = None
        self._next = 0.0

    @property
    def due(self) -> float:
        return self._next if self._stream is not None else math.inf

    def start(self, request: Request) -> "CaptureStream":
        """The stream that a request asks for; raises ValueError."""
        protocol = _protocol(request)
        host, remote = _address(request, "host"), _address(request, "remote")
        if self._stream is not None:
            raise ValueError("somebody captures already; one at a time")
        try:
            with self._locked():
                self._copies.begin(protocol, host, remote)
        except MemoryError:
            raise ValueError("there is no memory for a capture") from None
        self._stream = CaptureStream(self._stop)
        self._next = time.monotonic()
        return self._stream

    def pump(self) -> None:
        """Hand on what was copied, if the client keeps up."""
        self._next = time.monotonic() + PERIOD
        stream = self._stream
        if stream is None or stream.is_full:
            return
        with self._locked():
            size, missed = self._copies.swap()
        stream.offer(self._copies.taken(size), missed)

    def _stop(self) -> None:
        self._stream = None
        with self._locked():
            self._copies.end()


class CaptureStream:
    """Rows of the control protocol, a packet or a number of missed ones each."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.wake: Callable[[], None] | None = None
        self._stop = stop
        # The first row says that the capture has begun.
        self._waiting: deque[bytes] = deque([MISSED % 0])
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > WAITING

    def offer(self, records: bytes, missed: int) -> None:
        before = len(self._waiting)
        for row in _rows(records):
            self._waiting.append(row)
            self._size += len(row)
        if missed:
            self._waiting.append(MISSED % missed)
        if len(self._waiting) > before and self.wake is not None:
            self.wake()

    def take(self) -> bytes:
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return taken

    def close(self) -> None:
        self._stop()


def _rows(records: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(records):
        stamp, number, size, side, verdict = HEAD.unpack_from(records, at)
        at += HEAD.size
        yield (
            b'{"number":%d,"time_ns":%d,"side":"%s","verdict":"%s","packet":"%s"}\n'
            % (
                number,
                stamp,
                SIDES[side].encode(),
                REASONS[verdict].name.encode(),
                b64encode(records[at : at + size]),
            )
        )
        at += size


def _protocol(request: Request) -> int:
    name = request.get("protocol")
    if name is None:
        return ANY_PROTOCOL
    if name not in PROTOCOL_NAMES:
        raise ValueError(f"protocol {name}: must be one of {', '.join(PROTOCOL_NAMES)}")
    return PROTOCOL_NAMES.index(name)


def _address(request: Request, name: str) -> tuple[int, int]:
    text = request.get(name)
    if text is None:
        return ANY_ADDRESS
    try:
        return halves(ip_address(str(text)))
    except ValueError:
        raise ValueError(f"{name} {text}: must be an IPv4 or IPv6 address") from None
