"""A network namespace without a name, held by a file descriptor: it ends with its last holder.

A thread is in one network namespace, and what it creates (a socket, a process) belongs there for
good.  So entering for a moment is enough to work in many namespaces from one process.
"""

from __future__ import annotations

import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from . import libc_calls

if TYPE_CHECKING:
    from pyroute2 import IPRoute

T = TypeVar("T")

_LOCAL = 2  # RTN_LOCAL: a route to the machine itself
_ADDRESS_DEADLINE = 10.0  # seconds
_LEASH = str(Path(__file__).with_name("die_with_parent.py"))


class Namespace:
    """A new network namespace.  Raises OSError (EPERM) without CAP_SYS_ADMIN, see `privilege`."""

    def __init__(self, label: str) -> None:
        self.label = label

        def create() -> int:
            libc_calls.unshare(libc_calls.CLONE_NEWNET)
            return _current()

        self._fd = _in_thread(create)

    def __repr__(self) -> str:
        return f"<Namespace {self.label}>"

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the namespace; it lives on while a socket or process is in it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def fileno(self) -> int:
        return self._fd

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in this namespace inside the `with`; may be nested."""
        before = _current()
        try:
            libc_calls.setns(self._fd, libc_calls.CLONE_NEWNET)
            try:
                yield
            finally:
                libc_calls.setns(before, libc_calls.CLONE_NEWNET)
        finally:
            os.close(before)

    def run(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread of its own inside; returns its result, raises its error."""

        def inside() -> T:
            libc_calls.setns(self._fd, libc_calls.CLONE_NEWNET)
            return function()

        return _in_thread(inside)

    def socket(
        self,
        family: int = sockets.AF_INET,
        kind: int = sockets.SOCK_DGRAM,
        protocol: int = 0,
    ) -> sockets.socket:
        """A socket that belongs to this namespace, usable from any thread anywhere."""
        with self.entered():
            return sockets.socket(family, kind, protocol)

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """`subprocess.Popen` inside.  The process is killed when the calling thread ends."""
        leashed = [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *argv]
        with self.entered():
            return subprocess.Popen(leashed, **options)

    @contextmanager
    def netlink(self) -> Iterator[IPRoute]:
        """A pyroute2 `IPRoute` of this namespace; the calling thread is inside meanwhile."""
        from pyroute2 import IPRoute

        with self.entered(), IPRoute() as netlink:
            yield netlink

    def await_ipv6(self, addresses: Sequence[str]) -> None:
        """Return once these addresses, which have been added, work.

        A packet loop of the kernel gives each its local route a moment later, and an address
        without one is not there yet.  Raises OSError if that takes more than 10 seconds.
        """
        deadline = time.monotonic() + _ADDRESS_DEADLINE
        with self.netlink() as netlink:
            while missing := set(addresses) - {
                route.get_attr("RTA_DST")
                for route in netlink.get_routes(family=sockets.AF_INET6, type=_LOCAL)
            }:
                if time.monotonic() > deadline:
                    raise OSError(f"{self}: {', '.join(sorted(missing))} did not come up")

    def sysctl(self, name: str, value: object) -> str:
        """Set a kernel setting below net (`net.ipv4.ip_forward`); returns the old value.

        Interface names with dots are written with slashes, as sysctl(8) has it.  Raises OSError.
        """
        path = Path("/proc/sys", name if "/" in name else name.replace(".", "/"))
        with self.entered():  # /proc/sys/net shows the namespace of the thread that looks
            before = path.read_text().strip()
            path.write_text(str(value))
        return before


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _in_thread(function: Callable[[], T]) -> T:
    """For what would leave the calling thread changed."""
    outcome: Future[T] = Future()

    def body() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    thread = Thread(target=body, name="namespace")
    thread.start()
    thread.join()
    return outcome.result()
