"""`ratsnake replay`: a capture file translated offline, its own timestamps being the clock."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from ..device.capture_file import open_capture
from ..device.capture_reader import CaptureReader, CaptureWriter, Record, TruncatedRecord
from ..nat.rules.drop_reasons import FRAGMENT_HELD, REASONS
from .configuration.option_parsing import NatOptions
from .loop.engine_factory import make_nat
from .user_errors import RunError, UsageError

NS_PER_MS = 1_000_000

Progress = Callable[[int, int | None], None]


@dataclass
class Counts:
    """What became of the records: every one read is written, or counted as left out, held or
    dropped."""

    read: int = 0
    written: int = 0
    not_ip: int = 0  # frames without an IP packet: left out
    cut: int = 0  # records that hold only part of their packet: left out
    translated: int = 0  # copies that `ratsnake capture` made after translation: left out
    held: int = 0  # fragments kept until the first comes: sent then, by the NAT itself
    own: int = 0  # packets the NAT sent by itself: such fragments, and ICMP errors
    dropped: dict[str, int] = field(default_factory=dict)  # by the NAT, per reason


def replay(
    options: NatOptions, seed: bytes, source: str, target: str, progress: Progress
) -> Counts:
    """Translate the capture `source` into `target`, which appears only when it is complete.

    `progress` is called with the bytes read and the file's size (None for a pipe), often. Raises
    UsageError, RunError, or PcapError for a file that is not a capture or is damaged.
    """
    counts = Counts()
    with (
        open_capture(source) as reader,
        _replacing(source, target) as part,
        closing(reader.writer(part)) as writer,
    ):
        translator = _Translator(options, seed, reader, writer, counts)
        for record in reader:
            translator.take(record)
            progress(reader.offset, reader.size)
    return counts


class _Translator:
    """One capture's NAT, with its clock."""

    def __init__(
        self,
        options: NatOptions,
        seed: bytes,
        reader: CaptureReader,
        writer: CaptureWriter,
        counts: Counts,
    ) -> None:
        self._nat = make_nat(options.settings, seed)
        self._reader = reader
        self._writer = writer
        self._counts = counts
        self._origin: int | None = None
        self._now = 0  # ms since the first record
        # The last link header and its interface, by IP version.
        self._links: dict[int, tuple[bytes, int]] = {}

    def take(self, record: Record) -> None:
        counts = self._counts
        counts.read += 1
        self._advance(record.time)
        if record.translated:
            counts.translated += 1
            return
        try:
            link, packet = self._reader.split(record)
        except TruncatedRecord:
            counts.cut += 1
            return
        if packet is None:
            counts.not_ip += 1
            return
        translated = bytearray(packet)
        reason = self._nat.translate(translated, self._now)
        if not reason:
            self._writer.write(record.time, link + translated, record.interface)
            counts.written += 1
        elif reason == FRAGMENT_HELD:
            counts.held += 1
        else:
            name = REASONS[reason].name
            counts.dropped[name] = counts.dropped.get(name, 0) + 1
        if packet:
            self._links[packet[0] >> 4] = (link, record.interface)
        while own := self._nat.outgoing():
            # Always of a version that was seen: it answers a packet, or waited for one.
            link, interface = self._links[own[0] >> 4]
            self._writer.write(record.time, link + own, interface)
            counts.own += 1

    def _advance(self, time: int) -> None:
        """Set the clock, which never goes back: captures of several interfaces are not in order."""
        if self._origin is None:
            self._origin = time
        now = max(self._now, (time - self._origin) // NS_PER_MS)
        if now != self._now:
            self._now = now
            self._nat.expire(now)


@contextmanager
def _replacing(source: str, target: str) -> Iterator[str]:
    """A file to write, renamed to `target` when the block ends well, else removed."""
    target = os.path.realpath(target)
    with suppress(FileNotFoundError):
        if os.path.samefile(source, target):
            raise UsageError(f"{target}: the output must be another file than the input")
        # A device or a pipe would be replaced by the rename.
        if not stat.S_ISREG(os.stat(target).st_mode):
            raise UsageError(f"{target}: the output must be a file, not a device or directory")
    part = f"{target}.{os.getpid()}.part"
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror}") from None
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise
