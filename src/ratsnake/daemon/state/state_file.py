"""The file of flows: written as a whole, and read as a whole or refused.

    octets  0-7    "RATSNAKE"
            8-9    version of this form
           10-11   octets a flow (nat/handover/flow_record.py)
           12-15   CRC-32 of octets 16-63 and of all flows
           16-23   how many flows follow
           24-31   when it was written, by the system's clock: milliseconds since 1970
           32-39   the same by the time since the system was started, in milliseconds
           40-55   the identifier of that start of the system
           56-63   zero

Numbers stand in network byte order.  A file is written beside its place and then moved there, so
that a reader finds the old one or the new one whole.  The version changes with the form of a flow,
and with the numbers of protocols and states in it.
"""

import os
import stat
import struct
import time
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from uuid import UUID

from ...nat.settings.setting_types import MOST_ROWS

FLOW_SIZE = 126
HEADER = struct.Struct(">8sHHI")
REST = struct.Struct(">QQQ16s8x")
FLOWS_AT = HEADER.size + REST.size
MAGIC = b"RATSNAKE"
VERSION = 1
WRITABLE_BY_OTHERS = 0o022
MODE = 0o600  # who talks with whom is nobody else's business
BOOT = Path("/proc/sys/kernel/random/boot_id")
UNKNOWN_BOOT = bytes(16)


class StateError(Exception):
    """A file that cannot be used: the message says which, and why."""


@dataclass(frozen=True)
class Moment:
    """A time as the system's clock tells it, which may be set, and as the time since the start
    `boot` of the system tells it; both in milliseconds."""

    clock: int
    uptime: int
    boot: bytes

    @classmethod
    def now(cls) -> "Moment":
        try:
            boot = UUID(BOOT.read_text().strip()).bytes
        except (OSError, ValueError):
            boot = UNKNOWN_BOOT
        uptime = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return cls(time.time_ns() // 1_000_000, uptime // 1_000_000, boot)

    def since(self, before: "Moment") -> int:
        """Milliseconds from another moment to this one; 0 where the clock has been set back."""
        if self.boot == before.boot != UNKNOWN_BOOT:
            return max(0, self.uptime - before.uptime)
        return max(0, self.clock - before.clock)


@dataclass(frozen=True)
class State:
    """What a file holds: flows, and when it was written."""

    flows: bytearray
    written: Moment

    @property
    def count(self) -> int:
        return len(self.flows) // FLOW_SIZE


def write(path: Path, pages: Iterable[bytes], now: Moment) -> int:
    """Write a file of the flows in all pages; return how many.  `now`: when the first was made.

    Raises OSError; then the file that was there still is.
    """
    beside = path.with_name(f"{path.name}.new")
    # One that a killed run has left, or that somebody put there to be written to.
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with open(descriptor, "wb") as file:
            file.write(bytes(FLOWS_AT))
            size, checksum = 0, 0
            for page in pages:
                file.write(page)
                size += len(page)
                checksum = zlib.crc32(page, checksum)
            rest = REST.pack(size // FLOW_SIZE, now.clock, now.uptime, now.boot)
            checksum = zlib.crc32(rest, checksum)
            file.seek(0)
            file.write(HEADER.pack(MAGIC, VERSION, FLOW_SIZE, checksum) + rest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return size // FLOW_SIZE


def _sync_folder(folder: Path) -> None:
    """So that the name, too, outlives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path, owners: Collection[int]) -> State | None:
    """What a file holds that belongs to one of these users; None where there is none.

    Raises StateError.
    """
    # Not a pipe that waits for its writer, nor what somebody made the name point to.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            _check_owner(path, found, owners)
            head = file.read(FLOWS_AT)
            checksum, written, count = _header(path, head, found.st_size)
            flows = bytearray(count * FLOW_SIZE)
            length = _fill(file, flows)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from None
    except MemoryError:
        raise StateError(f"{path}: its {count} flows do not fit into memory") from None
    if length < len(flows) or zlib.crc32(head[HEADER.size :], zlib.crc32(flows)) != checksum:
        raise StateError(f"{path}: is damaged: its checksum is not that of what is in it")
    return State(flows, written)


def _check_owner(path: Path, found: os.stat_result, owners: Collection[int]) -> None:
    """Whoever writes this file lets packets in."""
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"{path}: is no regular file")
    if found.st_uid not in owners or stat.S_IMODE(found.st_mode) & WRITABLE_BY_OTHERS:
        raise StateError(
            f"{path}: may be written by others than this NAT (user {found.st_uid}, mode"
            f" {stat.S_IMODE(found.st_mode):04o})"
        )


def _fill(file: FileIO, flows: bytearray) -> int:
    """Read as much as there is, as far as there is room; how much."""
    view, length = memoryview(flows), 0
    while length < len(flows):
        more = file.readinto(view[length:])
        if not more:
            break
        length += more
    return length


def _header(path: Path, head: bytes, size: int) -> tuple[int, Moment, int]:
    """The checksum, the time of writing, and the number of flows."""
    if len(head) < FLOWS_AT or not head.startswith(MAGIC):
        raise StateError(f"{path}: is no state file of ratsnake's")
    _, version, flow_size, checksum = HEADER.unpack_from(head)
    if (version, flow_size) != (VERSION, FLOW_SIZE):
        raise StateError(
            f"{path}: was written by another version of ratsnake: its form is {version} with"
            f" {flow_size} octets a flow, not {VERSION} with {FLOW_SIZE}"
        )
    count, clock, uptime, boot = REST.unpack_from(head, HEADER.size)
    if count > MOST_ROWS or size != FLOWS_AT + count * FLOW_SIZE:
        raise StateError(
            f"{path}: is damaged: {size} octets cannot hold the {count} flows it speaks of"
        )
    return checksum, Moment(clock, uptime, boot), count
