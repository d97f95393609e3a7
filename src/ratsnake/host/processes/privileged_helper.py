"""What is to be undone at the end, and the process that stays behind to do it.

The process that reads packets from the internet shall hold no privilege, and may end at any moment:
by a defect, a kill -9, for want of memory.  Undoing the routing takes privileges, and somebody who
is still there.  So before the first packet it divides: the helper, a forked child, holds what
undoing needs and waits (`privileged_helper_process`).  It takes no order but "do number N", of
tasks that were fixed then, each of them once.  When its parent is gone, it does all that is left.

An attendant lives there too, if there is one: what it does it does of its own accord, and it judges
by itself what it is asked for.

No exchange waits for ever: a helper that stands still (SIGSTOP, a debugger) is told as that, and
what has been asked of it meanwhile is too late when it goes on.  The end it sees all the same.
"""

from __future__ import annotations

import json
import logging
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from .forked_call import STOP_SIGNALS, ChildError
from .privileged_helper_process import (
    ANSWER,
    LONGEST,
    ORDER,
    QUESTION,
    READY,
    RECORD,
    Task,
    keep,
)

START_SECONDS = 10.0  # until a helper is ready
HEARD_SECONDS = 5.0  # until it says that it has heard an order
DONE_SECONDS = 20.0  # after that, until it has answered a question
BEGUN_SECONDS = 60.0  # likewise, before there are packets
UNDONE_SECONDS = 20.0  # likewise, until it has done a task, and in the end all of them
LOOK_SECONDS = 1.0  # who waits looks after other things as often

log = logging.getLogger(__name__)


class Attendant(Protocol):
    """Something that goes on while the NAT runs, and takes the helper's privileges."""

    def filenos(self) -> Sequence[int]:
        """Descriptors of which one is readable when there is a reason to attend."""

    def due(self) -> float:
        """When to attend though none is readable: a moment of time.monotonic(), or math.inf."""

    def attend(self) -> str:
        """Do what there is to do; returns what the NAT is to know, "" for nothing.

        Whatever it raises is logged, and it is called again after a pause.
        """

    def answer(self, question: str, until: float) -> str:
        """Of a process that may be anybody's, and listens until then (time.monotonic())."""

    def record(self) -> bytes:
        """What its tasks need to know, so that another process can do them if this one dies."""

    def recall(self, record: bytes) -> None:
        """Let the tasks of this process know it."""


class HelperDied(ChildError):
    """It is no more, and nobody undoes anything in its place."""


class Undoing:
    """The tasks of the end, each to be asked for by the number it was given.

    They are done by this process, or by a helper once there is one.  If that dies, and this process
    still `may_undo`, by this one again.
    """

    def __init__(self) -> None:
        self.may_undo = True
        #: Called while an exchange is waited for, about once in LOOK_SECONDS.
        self.meanwhile: Callable[[], None] = _nothing
        self._tasks: dict[int, Task] = {}
        self._attendant: Attendant | None = None
        self._helper: socket.socket | None = None
        self._news: socket.socket | None = None
        self._process = 0
        self._number = 0  # of the last order
        self._owed = 0  # of an order whose answer nobody waited for; 0: there is none
        self._record: int | None = None  # a file's descriptor

    def add(self, task: Task) -> int:
        """Note a task; returns its number.  Only while there is no helper."""
        self._tasks[len(self._tasks)] = task
        return len(self._tasks) - 1

    def leave_to_helper(self, attendant: Attendant | None = None) -> None:
        """Start the helper; to be called while there is one thread, with the privileges needed.

        Raises ChildError if it does not get ready.
        """
        ours, helpers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        news, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A signal to the helper must not be taken by the handlers it has from here.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self._process = os.fork()
            if self._process == 0:
                keep(helpers, self._tasks, mask, attendant, told)
        except OSError as error:
            raise ChildError(f"no process that undoes can be started: {error.strerror}") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        helpers.close()
        told.close()
        news.setblocking(False)
        ours.settimeout(START_SECONDS)
        if _received(ours) != READY:
            ours.close()
            news.close()
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            raise ChildError("the process that is to undo the changes to the host did not start")
        self._helper, self._news, self._attendant = ours, news, attendant

    def perform(self, number: int) -> None:
        """Do the task; what fails is logged."""
        for failure in self._undo(number) if self._helper else self._tasks[number]():
            log.error("%s", failure)

    def _undo(self, number: int) -> Sequence[str]:
        try:
            failures: list[str] = json.loads(self._exchange(bytes([number]), UNDONE_SECONDS))
        except HelperDied:
            return self._undo_here(number)
        except ChildError as error:
            return (f"{error}; what it has to undo it undoes when it goes on",)
        return failures

    def _undo_here(self, number: int) -> Sequence[str]:
        if not self.may_undo:
            return (f"{_DIED}; `ratsnake host repair` removes what it leaves",)
        if self._attendant is not None:
            with suppress(HelperDied):
                self.news()
            if self._record is not None:
                self._attendant.recall(_content(self._record))
        return self._tasks[number]()

    def fileno(self) -> int:
        """Of a helper: readable when there is news, or it is no more."""
        assert self._news is not None
        return self._news.fileno()

    def news(self) -> list[str]:
        """What the attendant has told since; raises HelperDied if it is no more."""
        assert self._news is not None
        found: list[str] = []
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._news, LONGEST, 1)
            except BlockingIOError:
                return found
            except OSError:
                message, descriptors = b"", []
            if not message:
                raise HelperDied(_DIED)
            for descriptor in descriptors:
                self._forget_record()
                self._record = descriptor
            if message != RECORD:
                found.append(message.decode())

    def ask(self, question: str, seconds: float = DONE_SECONDS) -> str:
        """The attendant's answer; raises ChildError if there is none, HelperDied if it is no more.

        It may take so many seconds once it has been heard.
        """
        answer = self._exchange(QUESTION + question.encode(), seconds)
        if not answer:
            raise ChildError("the process that sets up the host could not answer; the log says why")
        return answer.decode()

    def _exchange(self, order: bytes, seconds: float) -> bytes:
        """The helper's answer; raises ChildError, HelperDied."""
        if self._helper is None:
            raise HelperDied(_DIED)
        is_question, stands_still = order[:1] == QUESTION, self._is_owed()
        if is_question and stands_still:
            raise ChildError(_SILENT)
        now = time.monotonic()
        late = now if stands_still else now + HEARD_SECONDS
        self._number += 1
        number = self._number
        expires = late if is_question else math.inf
        self._send(ORDER.pack(number, expires, now + HEARD_SECONDS + seconds) + order)
        heard = False
        while True:
            message = self._receive(late)
            if message is None:
                self._owed = number
                raise ChildError(_SILENT if not heard else _SLOW)
            if ANSWER.unpack_from(message)[0] != number:  # of one that was not waited for
                continue
            self._owed = 0
            if heard:
                return message[ANSWER.size :]
            heard, late = True, late + seconds

    def _is_owed(self) -> bool:
        """Whether the last answer has still not come."""
        while self._owed:
            message = self._receive(0.0)
            if message is None:
                return True
            if ANSWER.unpack_from(message)[0] == self._owed:
                self._owed = 0
        return False

    def _send(self, order: bytes) -> None:
        assert self._helper is not None
        self._helper.setblocking(False)
        try:
            self._helper.send(order)
        except BlockingIOError:
            raise ChildError(_SILENT) from None
        except OSError:
            raise HelperDied(_DIED) from None

    def _receive(self, until: float) -> bytes | None:
        """The next message; None if there is none until then (time.monotonic())."""
        assert self._helper is not None
        while True:
            left = until - time.monotonic()
            if select.select([self._helper], [], [], max(0.0, min(left, LOOK_SECONDS)))[0]:
                message = _received(self._helper)
                if not message:
                    raise HelperDied(_DIED)
                return message
            if left <= 0:
                return None
            self.meanwhile()

    def close(self) -> None:
        """Let the helper go, and wait for its end; it does what it has not been asked for yet."""
        if self._helper is None or self._news is None:
            return
        self._helper.close()
        self._helper = None
        seconds = HEARD_SECONDS if self._owed else UNDONE_SECONDS
        if _ends(self._news, time.monotonic() + seconds):
            os.waitpid(self._process, 0)
        else:
            log.error("%s; what it has to undo it undoes when it goes on", _SILENT)
        self._news.close()
        self._forget_record()

    def _forget_record(self) -> None:
        if self._record is not None:
            os.close(self._record)
            self._record = None


_DIED = "the process that was to undo this run's changes to the host has died"
_SILENT = "the process that sets up the host and undoes that does not answer (is it stopped?)"
_SLOW = "the process that sets up the host takes too long"


def _received(helper: socket.socket) -> bytes:
    """A message, nothing if there is nobody or none in time."""
    try:
        return helper.recv(LONGEST)
    except OSError:
        return b""


def _ends(news: socket.socket, until: float) -> bool:
    """Whether the helper, whose other end it is, has closed it by then (time.monotonic())."""
    while select.select([news], [], [], max(0.0, until - time.monotonic()))[0]:
        try:
            message, descriptors, _, _ = socket.recv_fds(news, LONGEST, 1)
        except OSError:
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        if not message:
            return True
    return False


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _nothing() -> None:
    pass
