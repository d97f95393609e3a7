"""What the kernel tells of processes (proc(5)): whose they are, their time, their memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD (linux/sched.h)
_ENDED = "ZX"  # states
_KILOBYTES = 1000.0


@dataclass(frozen=True)
class Process:
    """One process now; `seconds` are of user space and kernel, with those of children it waited
    for in `inherited`."""

    number: int
    parent: int
    session: int
    kernel: bool
    seconds: float
    inherited: float


def process(number: int) -> Process | None:
    """None when there is none of that number, or it has ended and waits to be waited for."""
    try:
        line = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may have anything in it; behind it there are numbers only.
    fields = line.rpartition(")")[2].split()
    if fields[0] in _ENDED:
        return None
    user, system, of_children, system_of_children = map(int, fields[11:15])
    return Process(
        number,
        parent=int(fields[1]),
        session=int(fields[3]),
        kernel=bool(int(fields[6]) & _KERNEL_THREAD),
        seconds=(user + system) / _TICKS,
        inherited=(of_children + system_of_children) / _TICKS,
    )


def processes() -> list[Process]:
    """All that can be seen from here."""
    numbers = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [found for number in numbers if (found := process(number)) is not None]


def session(leader: int) -> tuple[int, ...]:
    """The processes of the session (setsid) that `leader` began."""
    return tuple(found.number for found in processes() if found.session == leader)


def descendants(ancestor: int, among: Iterable[Process]) -> set[int]:
    """`ancestor` and all that descend from it."""
    children: dict[int, list[int]] = {}
    for one in among:
        children.setdefault(one.parent, []).append(one.number)
    family, unseen = set(), [ancestor]
    while unseen:
        number = unseen.pop()
        family.add(number)
        unseen += children.get(number, ())
    return family


def cpu_seconds(numbers: Iterable[int]) -> float:
    """What these have used so far, without their children."""
    return sum(found.seconds for number in numbers if (found := process(number)) is not None)


def resident_megabytes(numbers: Iterable[int]) -> float:
    """What these hold in memory (VmRSS); pages they share count for each."""
    return sum(_resident_kilobytes(number) for number in numbers) / _KILOBYTES


def _resident_kilobytes(number: int) -> int:
    try:
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)
