"""The thread the packet loop runs in, and how it ended."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

# The packet loop's nice value.  The kernel forwards packets before any program gets the processor;
# a packet loop that takes turns with programs loses the packets that arrive meanwhile.
NICE = -20


class Loop(Protocol):
    """The part of PacketLoop that is used here."""

    def run(self) -> int: ...
    def stop(self) -> None: ...


class PacketLoopThread:
    """Runs the packet loop while entered; leaving stops it and waits for its end.

    `ended` is called from the thread when the packet loop is over, for whatever reason. After
    leaving, `error` is the errno the loop ended with (0: it was stopped), and `failure` the
    exception it raised, if any.  It goes before other threads if it is entered while `going_first`.
    """

    def __init__(self, packet_loop: Loop, ended: Callable[[], None]) -> None:
        self.error = 0
        self.failure: BaseException | None = None
        self._packet_loop = packet_loop
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name="packet-loop")

    def __enter__(self) -> "PacketLoopThread":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._packet_loop.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.error = self._packet_loop.run()
        except BaseException as failure:  # a defect must end the service, not a thread unseen
            self.failure = failure
        finally:
            self._ended()


@contextmanager
def going_first() -> Iterator[None]:
    """While entered, the calling thread has the nice value NICE, where it may; threads that it
    starts meanwhile keep it, also where the privilege for it is given up.
    """
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    try:
        os.setpriority(os.PRIO_PROCESS, thread, min(before, NICE))
    except PermissionError:  # root in a user namespace may not, and does without
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, thread, before)
