"""The machine that measures: what it is, whether it is quiet, and who else had its processors."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .process_usage import descendants, processes

#: A machine is quiet when its processors are busy for less than this share of a look's time.
QUIET = 0.05
LOOK = 0.5  # seconds

_IDLE, _IOWAIT, _STEAL = 3, 4, 7  # columns of /proc/stat
_COLUMNS = 8  # those behind are contained in user and nice


@dataclass(frozen=True)
class Quiet:
    """How a wait for quiet ended: seconds it took, and the busy share then (0 to 1)."""

    waited: float
    busy: float


@dataclass(frozen=True)
class Disturbance:
    """Shares of the processors' time, 0 to 1: taken by the hypervisor, and by programs that have
    nothing to do with the benchmark."""

    steal: float
    foreign: float


def facts() -> dict[str, str | int]:
    """What the numbers depend on: processor, cores, memory, kernel."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_megabytes": round(memory / 1e6),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


def wait_until_quiet(limit: float, tell: Callable[[str], None]) -> Quiet:
    """Wait up to `limit` seconds for a quiet machine."""
    start = time.monotonic()
    while True:
        busy = _busy()
        waited = time.monotonic() - start
        if busy < QUIET or waited >= limit:
            return Quiet(waited, busy)
        tell(f"waiting for a quiet machine: {busy:.0%} busy, {waited:.0f} of {limit:.0f} s")


class Watch:
    """Looks at the processors from its making to `end`."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._foreign = _foreign_seconds()
        self._ticks = _ticks()

    def end(self) -> Disturbance:
        ticks = _difference(self._ticks)
        foreign = _foreign_seconds() - self._foreign
        seconds = (time.monotonic() - self._start) * (os.cpu_count() or 1)
        return Disturbance(ticks[_STEAL] / max(1, sum(ticks)), max(0.0, foreign / seconds))


def _busy() -> float:
    before = _ticks()
    time.sleep(LOOK)
    ticks = _difference(before)
    return 1 - (ticks[_IDLE] + ticks[_IOWAIT]) / max(1, sum(ticks))


def _ticks() -> list[int]:
    line = Path("/proc/stat").read_text().partition("\n")[0]
    return [int(column) for column in line.split()[1 : 1 + _COLUMNS]]


def _difference(before: list[int]) -> list[int]:
    return [after - at for after, at in zip(_ticks(), before, strict=True)]


def _foreign_seconds() -> float:
    """What programs that do not descend from this one have used, with the children they had."""
    there = processes()
    ours = descendants(os.getpid(), there)
    others = (one for one in there if not one.kernel and one.number not in ours)
    return sum(one.seconds + one.inherited for one in others)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
