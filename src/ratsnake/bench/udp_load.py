"""UDP datagrams in numbers: a sender that keeps a rate over many flows, and a receiver that counts.

Both are for threads of their own and leave the GIL alone.
"""

import array
import socket
import struct
from collections.abc import Sequence

import cython

if not cython.compiled:
    from errno import EAGAIN, EINTR

    from ratsnake.wire.integer_types import i64, u32

    from .load_sockets import (
        RUN,
        Load,
        nanoseconds,
        new_load,
        pause,
        receive_run,
        release_load,
        send_run,
    )

    SECOND = 1_000_000_000
    PAUSE = 50_000  # nanoseconds: at 100,000 datagrams/s five are due after it


def packed(remotes: Sequence[tuple[str, int]]) -> bytes:
    """Endpoints as `sockets` takes them."""
    return b"".join(socket.inet_aton(host) + struct.pack("!H", port) for host, port in remotes)


class Sender:
    load: Load

    def __init__(
        self, sockets: Sequence[socket.socket], remotes: Sequence[tuple[str, int]], size: int
    ) -> None:
        """From each of `sockets` to each of `remotes`, so many flows: `size` bytes of payload.

        A run of datagrams leaves one socket, to remotes that follow each other, before the next
        socket has its turn; after all flows it begins anew.  The number of remotes is 1 or a
        multiple of RUN.
        """
        self.fds = array.array("i", [handle.fileno() for handle in sockets])
        self.fd_count = len(sockets)
        self.remotes = len(remotes)
        self.load = new_load(packed(remotes), len(remotes), size)

    def __dealloc__(self) -> None:
        release_load(self.load)

    def run(self, rate: int, seconds: float, most: int) -> int:
        """Send for that time, or until `most` are sent: how many were.

        `rate` is in datagrams a second; 0 is as many as the sockets take.  Raises OSError.
        """
        sent: i64
        per_second: i64 = rate
        duration: i64 = int(seconds * SECOND)
        limit: i64 = most
        with cython.nogil:
            sent = self.loop(per_second, duration, limit)
        if sent < 0:
            raise OSError(-sent, "sendmmsg")
        return int(sent)

    def loop(self, rate: i64, duration: i64, most: i64) -> i64:
        start: i64 = nanoseconds()
        passed: i64 = 0
        sent: i64 = 0
        due: i64
        result: i64
        while sent < most and passed < duration:
            due = most - sent
            if rate:
                due = min(due, rate * passed // SECOND + 1 - sent)
            if due > 0:
                result = self.send(sent, due)
                if result < 0:
                    return result
                sent += result
            else:
                pause(PAUSE)
            passed = nanoseconds() - start
        return sent

    def send(self, sent: i64, due: i64) -> i64:
        """Send what is due, as far as it is of one run: how many, or a negative errno."""
        place: i64 = sent % RUN
        turn: i64 = sent // RUN
        first: u32 = (turn // self.fd_count * RUN + place) % self.remotes
        return send_run(self.load, self.fds[turn % self.fd_count], first, min(due, RUN - place))


class Receiver:
    load: Load

    def __init__(self, handle: socket.socket) -> None:
        """Count what `handle` receives; its timeout is how long silence is waited for at the end.

        The timeout is to be set as SO_RCVTIMEO, not as Python's.
        """
        self.fd = handle.fileno()
        self.stopping = False
        self.load = new_load(b"", 0, 0)

    def __dealloc__(self) -> None:
        release_load(self.load)

    def run(self) -> int:
        """How many came until `stop` was called and nothing was left; raises OSError."""
        count: i64
        with cython.nogil:
            count = self.loop()
        if count < 0:
            raise OSError(-count, "recvmmsg")
        return int(count)

    def stop(self) -> None:
        """From any thread."""
        self.stopping = True

    def loop(self) -> i64:
        count: i64 = 0
        result: i64
        while True:
            result = receive_run(self.load, self.fd)
            if result >= 0:
                count += result
            elif result == -EAGAIN:
                if self.stopping:
                    return count
            elif result != -EINTR:
                return result
