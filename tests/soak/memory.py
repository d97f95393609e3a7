"""The memory of the NAT and its helper over time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Memory:
    """Samples of (seconds since the start, process, resident kB that are its own)."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)

    def look(self, at: float, *processes: int) -> None:
        for process in filter(None, processes):
            with suppress(OSError, ValueError):
                self.samples.append((at, process, _private(process)))

    def growth(self) -> Iterator[tuple[int, float, int, int]]:
        """For each process seen for more than one sample: its number, for how many seconds, and
        kB in the middle of its first and of its last quarter."""
        for process in dict.fromkeys(one for _, one, _ in self.samples):
            seen = [(at, size) for at, one, size in self.samples if one == process]
            if len(seen) > 8:
                quarter = len(seen) // 4
                first = sorted(size for _, size in seen[quarter : 2 * quarter])
                last = sorted(size for _, size in seen[-quarter:])
                yield process, seen[-1][0] - seen[0][0], first[quarter // 2], last[quarter // 2]


def _private(process: int) -> int:
    """What it shares with nobody, in kB (smaps_rollup)."""
    sizes = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = line.split()
        sizes[name] = int(size)
    return sizes["Private_Clean:"] + sizes["Private_Dirty:"]
