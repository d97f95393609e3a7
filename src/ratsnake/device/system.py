"""System calls with C manners, a negative errno instead of an exception; system.pxd is C's own."""

import os
import select
import time
from errno import EAGAIN, EBADFD, EINTR, ENODEV

from ratsnake.wire.types import Bytes

__all__ = [
    "EAGAIN",
    "EBADFD",
    "EINTR",
    "ENODEV",
    "hung_up",
    "milliseconds",
    "sys_read",
    "sys_write",
    "wait",
]

_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


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


def wait(fd: int, stop: int, linger: int, milliseconds: int) -> int:
    """Sleep until fd or stop is readable or the time is over: 0, or -ENODEV if fd broke.

    For the first `linger` microseconds, C looks again and again instead of sleeping, and leaves the
    processor to whoever wants it: waking up costs more than that.  Python is too slow to gain.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
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
