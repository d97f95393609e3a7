"""The helper's life (`helper`): it takes orders, attends, and undoes in the end.

An order is a message: ORDER, then the number of a task, or QUESTION and a question to the
attendant.  It is answered twice, each time with its number: by nothing when it is heard, then by
what came of it.

It shares no fate with the NAT: it is forked before there are packets, has a session of its own,
takes no signal that asks the NAT to stop, and the kernel takes its memory last.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from .forked_call import STOP_SIGNALS

if TYPE_CHECKING:
    from .privileged_helper import Attendant

#: The helper's name in pstree and `ps -o comm`.
NAME = "ratsnake-helper"

READY = b"!"
#: An order's number, until when it may be begun, and until when its answer is waited for.
ORDER = struct.Struct("=Idd")
ANSWER = struct.Struct("=I")
QUESTION = b"\xff"  # no task has this number
RECORD = b"\0"  # of news: with the attendant's record as a file, and no text
LONGEST = 1 << 18  # octets of a message

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after an attendant has failed
LONGEST_WAIT = 3600.0  # seconds
UNDO_TRIES, UNDO_PAUSE = 5, 0.5  # in the end, where no process can be started: how often, seconds
AGAIN_SECONDS = 1.0  # news that the NAT had no room for is told again as often

_OUT_OF_MEMORY = "-900"  # of -1000 (never) to 1000 (first): proc(5), oom_score_adj

Mask: TypeAlias = set[int | signal.Signals]
#: Undoes something; returns a message for everything that failed.
Task: TypeAlias = Callable[[], Sequence[str]]
Tasks: TypeAlias = dict[int, Task]

log = logging.getLogger(__name__)


def keep(
    orders: socket.socket,
    tasks: Tasks,
    mask: Mask,
    attendant: Attendant | None,
    told: socket.socket,
) -> NoReturn:
    """The helper's whole life: it must never return into its copy of the caller."""
    try:
        # What asks the NAT to stop is no business of the helper, which has to outlive it; nor is
        # the SIGABRT that systemd's watchdog sends to all of a service's processes.
        signal.set_wakeup_fd(-1)
        for stop in (*STOP_SIGNALS, signal.SIGABRT):
            signal.signal(stop, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setsid()
        attended = () if attendant is None else attendant.filenos()
        _let_go(orders.fileno(), told.fileno(), *attended)
        _outlast_memory()
        _confine()
        orders.send(READY)
        try:
            _serve(orders, tasks, _Attending(attendant, told))
        finally:  # whatever ends it: without it the NAT ends too
            _undo_the_rest(tasks)
    except Exception as error:
        log.error("the process that undoes changes to the host failed: %r", error)
    finally:
        os._exit(0)


def _undo_the_rest(tasks: Tasks) -> None:
    if tasks:
        log.warning("the NAT is gone: undoing its changes to the host")
    for number in reversed(tuple(tasks)):
        failures = _perform(tasks, number)
        for _ in range(UNDO_TRIES - 1):
            if number not in tasks:
                break
            time.sleep(UNDO_PAUSE)
            failures = _perform(tasks, number)
        for failure in failures:
            log.error("%s", failure)


def _perform(tasks: Tasks, number: int) -> Sequence[str]:
    """Do a task, if it is still to be done; what fails.

    One that breaks stays to be done, and is no end of the others.  Whoever has taken the NAT over
    may ask for what there is not: nor is that.
    """
    if number not in tasks:
        return (f"there is no task {number} to be done",)
    try:
        failures = tasks[number]()
    except Exception as error:
        return (f"a change to the host cannot be undone: {error!r}",)
    del tasks[number]
    return failures


class _Attending:
    """An attendant, if there is one, and what it tells; its failures are logged and survived."""

    def __init__(self, attendant: Attendant | None, told: socket.socket) -> None:
        self._attendant = attendant
        self._told = told
        self._untold = ""
        self._record = b""
        self._pause = FIRST_PAUSE
        self._retry = math.inf  # when, after a failure

    def wait_for(self) -> tuple[Sequence[int], float]:
        """Descriptors to wait for, and until when (time.monotonic())."""
        again = time.monotonic() + AGAIN_SECONDS if self._untold else math.inf
        descriptors, due = self._reasons()
        return descriptors, min(again, due)

    def attend(self, ready: set[int]) -> None:
        """Attend if there is a reason, such as a descriptor of `ready`, and tell the NAT."""
        descriptors, due = self._reasons()
        if self._attendant and (ready.intersection(descriptors) or time.monotonic() >= due):
            try:
                self._untold = self._attendant.attend() or self._untold
                self._tell_record()
                self._pause, self._retry = FIRST_PAUSE, math.inf
            except Exception as error:
                self._failed(error)
        if self._untold and self._tell(self._untold.encode()):
            self._untold = ""

    def _reasons(self) -> tuple[Sequence[int], float]:
        """Descriptors, and a moment, that are reasons to attend."""
        if self._attendant is None or self._retry != math.inf:
            return (), self._retry
        try:
            return self._attendant.filenos(), self._attendant.due()
        except Exception as error:
            self._failed(error)
            return (), self._retry

    def answer(self, question: str, until: float) -> str:
        if self._attendant is None:
            return ""
        try:
            answer = self._attendant.answer(question, until)
            self._tell_record()
        except Exception as error:  # the tasks are still to be done
            log.error("the process that sets up the host could not answer: %r", error)
            return ""
        return answer

    def _failed(self, error: Exception) -> None:
        log.error(
            "what follows changes of this host failed: %r; again in %.0f s", error, self._pause
        )
        self._retry = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _tell_record(self) -> None:
        assert self._attendant is not None
        record = self._attendant.record()
        if record == self._record:
            return
        descriptor = os.memfd_create(NAME)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(record)
            if self._tell(RECORD, descriptor):
                self._record = record
        finally:
            os.close(descriptor)

    def _tell(self, message: bytes, *descriptors: int) -> bool:
        """False: the NAT does not listen, which does not hold up the helper."""
        try:
            with suppress(ConnectionError):
                socket.send_fds(self._told, [message], descriptors, socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                return False
            log.error("news for the NAT are too long to be told: %d octets", len(message))
        return True


def _serve(orders: socket.socket, tasks: Tasks, attending: _Attending) -> None:
    """Take orders, and attend, until the NAT is gone."""
    while True:
        descriptors, until = attending.wait_for()
        poll = select.poll()
        for one in (orders.fileno(), *descriptors):
            poll.register(one, select.POLLIN)
        left = min(max(0.0, until - time.monotonic()), LONGEST_WAIT)
        ready = {one for one, _ in poll.poll(math.ceil(1000 * left))}
        if orders.fileno() in ready:
            order = b""
            with suppress(ConnectionError):  # it may leave without having read an answer
                order = orders.recv(LONGEST)
            if not order:
                return
            _obey(orders, order, tasks, attending)
        attending.attend(ready)


def _obey(orders: socket.socket, order: bytes, tasks: Tasks, attending: _Attending) -> None:
    """Of a NAT that whoever has taken it over may ask anything: that is no end of the rest."""
    if len(order) <= ORDER.size:
        return
    number, expires, until = ORDER.unpack_from(order)
    what = order[ORDER.size :]
    _reply(orders, number, b"")
    if what[:1] != QUESTION:
        _reply(orders, number, json.dumps(_perform(tasks, what[0])).encode())
    elif time.monotonic() <= expires:
        answer = attending.answer(what[1:].decode(errors="replace"), until)
        _reply(orders, number, answer.encode())
    else:
        _reply(orders, number, b"")


def _reply(orders: socket.socket, number: int, answer: bytes) -> None:
    """To a NAT that may have gone meanwhile: the end of its orders is then the next.

    Or that asks and does not listen, which is none of ours.
    """
    with suppress(OSError):
        orders.send(ANSWER.pack(number) + answer, socket.MSG_DONTWAIT)


def _let_go(*kept: int) -> None:
    """Close all that was the parent's, above all its device, but `kept` and the log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    bounds = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for before, after in zip(bounds, bounds[1:], strict=False):
        os.closerange(before + 1, after)


def _outlast_memory() -> None:
    """Be among the last that the kernel ends for want of memory, where this process may ask."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OUT_OF_MEMORY)


def _confine() -> None:
    from .process_privileges import Capability, keep_only, set_name

    set_name(NAME)
    # The control socket may lie in a folder of somebody else's.
    keep_only((Capability.NET_ADMIN, Capability.DAC_OVERRIDE))
