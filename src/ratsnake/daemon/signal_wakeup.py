"""Signals and the packet loop's end, noted; a descriptor that the service's selector waits on wakes
it.

The descriptor holds some 300 bytes: in a storm of signals others would be lost there.
"""

import signal
import socket
from collections import deque
from contextlib import suppress
from types import FrameType, TracebackType

from ..host.processes.forked_call import STOP_SIGNALS

PACKET_LOOP_ENDED = 0  # no signal has this number


class Wakeup:
    """While entered (in the main thread), STOP_SIGNALS no longer end the process but are noted.

    A signal the parent has told us to ignore (nohup) stays ignored.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._noted: deque[int] = deque()

    def __enter__(self) -> "Wakeup":
        self._descriptor_before = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )
        self._handlers_before = {
            number: signal.signal(number, self._note)
            for number in STOP_SIGNALS
            if signal.getsignal(number) != signal.SIG_IGN
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._descriptor_before)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when something is noted."""
        return self._reader.fileno()

    def packet_loop_ended(self) -> None:
        """Note the packet loop's end; for the packet loop's thread."""
        self._note(PACKET_LOOP_ENDED)
        with suppress(BlockingIOError):  # others have woken it already
            self._writer.send(bytes([PACKET_LOOP_ENDED]))

    def noted(self) -> list[int]:
        """What has come since the last call, each once: signal numbers, or PACKET_LOOP_ENDED."""
        with suppress(BlockingIOError):
            self._reader.recv(4096)
        return [self._noted.popleft() for _ in range(len(self._noted))]

    def put_back(self, number: int) -> None:
        """Let the next call have it again, without waking anybody."""
        self._note(number)

    def _note(self, number: int, frame: FrameType | None = None) -> None:
        if number not in self._noted:
            self._noted.append(number)
