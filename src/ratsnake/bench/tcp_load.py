"""TCP connections in numbers: opened and closed one after another, by as many threads as run it.

Who accepts closes first, so that it is there that ports rest (TIME-WAIT) and not with who connects.
"""

import socket
from collections.abc import Sequence

import cython

from .udp_load import packed

if not cython.compiled:
    from errno import EAGAIN, EINTR

    from ratsnake.wire.integer_types import i64, u32

    from .load_sockets import Load, accept_once, connect_once, nanoseconds, new_load, release_load

    SECOND = 1_000_000_000
    PATIENCE = 3  # seconds until a connection counts as failed; a lost SYN is sent again after one


class Connector:
    load: Load

    def __init__(self, remotes: Sequence[tuple[str, int]]) -> None:
        """Connect to each of `remotes` in turn."""
        self.failed = 0
        self.load = new_load(packed(remotes), len(remotes), 0)

    def __dealloc__(self) -> None:
        release_load(self.load)

    def failures(self) -> int:
        """How many connections failed."""
        return int(self.failed)

    def run(self, seconds: float) -> int:
        """How many connections were made and closed in that time.

        To be called by a thread that is in the network namespace to connect from.
        """
        made: i64
        duration: i64 = int(seconds * SECOND)
        with cython.nogil:
            made = self.loop(duration)
        return int(made)

    def loop(self, duration: i64) -> i64:
        end: i64 = nanoseconds() + duration
        made: i64 = 0
        remote: u32 = 0
        while nanoseconds() < end:
            if connect_once(self.load, remote, PATIENCE) == 0:
                made += 1
            else:
                self.failed += 1
            remote += 1
        return made


class Acceptor:
    def __init__(self, listener: socket.socket) -> None:
        """Accept from `listener`, whose SO_RCVTIMEO says how often it looks for `stop`."""
        self.fd = listener.fileno()
        self.stopping = False

    def run(self) -> None:
        """Accept and close connections until `stop`; raises OSError."""
        result: i64
        with cython.nogil:
            result = self.loop()
        if result < 0:
            raise OSError(-result, "accept")

    def stop(self) -> None:
        """From any thread."""
        self.stopping = True

    def loop(self) -> i64:
        result: i64
        while not self.stopping:
            result = accept_once(self.fd)
            if result < 0 and result != -EAGAIN and result != -EINTR:
                return result
        return 0
