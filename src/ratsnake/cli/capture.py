"""`ratsnake capture`: packets before and after translation, and the verdict, into a file."""

import argparse
import re
import time
from base64 import b64decode
from typing import Any

from .. import __version__
from ..daemon.user_errors import UsageError
from ..device.pcapng_writer import Writer
from ..nat.rules.drop_reasons import REASONS
from . import control_arguments
from .progress import Progress
from .stop_signals import StopSignals

BEFORE, AFTER = 0, 1  # the file's interfaces
INTERFACES = ("before", "after")
MEANINGS = {reason.name: reason.meaning for reason in REASONS}
UNITS = {"": 1, "k": 1000, "M": 1000_000, "G": 1000_000_000}
DEFAULT_SIZE = "100M"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description} Ctrl-C or SIGTERM ends it."
    parser.add_argument("file", metavar="FILE.pcapng", help="the file to write")
    parser.add_argument("--count", metavar="N", help="stop after N packets")
    parser.add_argument(
        "--size",
        metavar="BYTES",
        default=DEFAULT_SIZE,
        help=f"stop when the file has this size; k, M and G may follow (default: {DEFAULT_SIZE})",
    )
    parser.add_argument(
        "--protocol", metavar="NAME", help="only packets of this protocol, such as udp"
    )
    parser.add_argument(
        "--host", metavar="ADDR", help="only packets from or to this internal address"
    )
    parser.add_argument(
        "--remote", metavar="ADDR", help="only packets from or to this remote address"
    )
    control_arguments.add_socket(parser)


def run(arguments: argparse.Namespace) -> int:
    count = _number("--count", arguments.count) if arguments.count is not None else None
    limit = _number("--size", arguments.size)
    asked = {
        name: getattr(arguments, name)
        for name in ("protocol", "host", "remote")
        if getattr(arguments, name) is not None
    }
    answer = control_arguments.rows(arguments, asked, patient=True)
    # No file is touched where there is nothing to capture.
    next(answer)
    writer = Writer(arguments.file, f"ratsnake {__version__}", INTERFACES)
    copies = _Copies(writer)
    try:
        with (
            Progress("capture", lambda done: f"{done} packets") as progress,
            StopSignals() as signals,  # the usual end
        ):
            for row in signals.until_stopped(answer):
                if count is not None and copies.is_new(row) and copies.packets >= count:
                    break
                copies.add(row)
                progress.update(copies.packets, None)
                if writer.size >= limit:
                    break
    finally:
        copies.close()
    dropped = f", {copies.dropped} of them dropped" if copies.dropped else ""
    missed = f"; {copies.missed} missed" if copies.missed else ""
    print(f"{arguments.file}: {copies.packets} packets{dropped}{missed}")
    return 0


class _Copies:
    """What has come, into the file."""

    def __init__(self, writer: Writer) -> None:
        self.packets = self.dropped = self.missed = 0
        self._writer = writer
        self._number = -1

    def is_new(self, row: dict[str, Any]) -> bool:
        """Whether a row begins another packet."""
        return "number" in row and row["number"] != self._number

    def add(self, row: dict[str, Any]) -> None:
        if "missed" in row:
            self.missed += row["missed"]
            return
        if self.is_new(row):
            self._number = row["number"]
            self.packets += 1
        side, verdict = row["side"], row["verdict"]
        comment = f"packet {row['number']}: {verdict}"
        if side == "own":
            comment = f"packet {row['number']}: sent by the NAT itself"
        elif verdict != "translated":
            self.dropped += 1
            comment = f"packet {row['number']}: dropped ({verdict}): {MEANINGS.get(verdict, '')}"
        interface = BEFORE if side == "before" else AFTER
        self._writer.packet(interface, row["time_ns"], b64decode(row["packet"]), comment)
        self._writer.flush()

    def close(self) -> None:
        self._writer.statistics(BEFORE, time.time_ns(), self.missed)
        self._writer.close()


def _number(flag: str, text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,11})([kMG]?)", text)
    if match is None:
        raise UsageError(f"{flag} {text}: must be a whole number from 1, such as 1000 or 10M")
    return int(match[1]) * UNITS[match[2]]
