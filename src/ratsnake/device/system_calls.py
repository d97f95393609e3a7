"""System calls that return a negative errno instead of raising; system_calls.pxd is C's own."""

import os
import select
import time
from errno import EAGAIN, EBADFD, EINTR, ENODEV

from ratsnake.wire.integer_types import Bytes

__all__ = [
    "EAGAIN",
    "EBADFD",
    "EINTR",
    "ENODEV",
    "give_blocks_back",
    "hung_up",
    "milliseconds",
    "time_of_day",
    "read_soon",
    "sys_read",
    "sys_write",
    "wait",
]

_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


def give_blocks_back() -> None:
    """Let large blocks of memory go back to the system when they are freed, from now on; Python's
    own are no business of ours."""


def sys_read(fd: int, b: Bytes, n: int) -> int:
    try:
        return os.readv(fd, [memoryview(b)[:n]])
    except OSError as error:
        return -(error.errno or EAGAIN)


def sys_write(fd: int, b: Bytes, n: int) -> int:
    try:
        return os.write(fd, memoryview(b)[:n])
    except OSError as error:
        return -(error.errno or EAGAIN)


def read_soon(fd: int, b: Bytes, n: int, linger: int) -> int:
    """`sys_read`, which C repeats for `linger` microseconds while there is nothing.

    It leaves the processor to whoever wants it, and is there sooner than one that has to be woken.
    Python is too slow to gain by it.
    """
    return sys_read(fd, b, n)


def wait(fd: int, stop: int, milliseconds: int) -> int:
    """Sleep until fd or stop is readable or the time is over: 0, or -ENODEV if fd broke.

    `stop` -1 stands for no descriptor, `milliseconds` -1 for no limit.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if stop >= 0:
        poll.register(stop, select.POLLIN)
    events = dict(poll.poll(milliseconds)).get(fd, 0)
    return -ENODEV if events & _BROKEN and not events & select.POLLIN else 0


def hung_up(fd: int) -> bool:
    """Whether the other side is gone, so that nothing but empty reads will come."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return any(events & _BROKEN for _, events in poll.poll(0))


def milliseconds() -> int:
    """CLOCK_MONOTONIC."""
    return time.monotonic_ns() // 1_000_000


def time_of_day() -> int:
    """Nanoseconds since 1970 (CLOCK_REALTIME)."""
    return time.time_ns()
