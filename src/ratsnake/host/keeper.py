"""What is to be undone at the end, and the process that stays behind to do it.

The process that reads packets from the internet shall hold no privilege; undoing the routing takes
some.  So before it gives them up it divides: the keeper, a forked child, holds what undoing needs
and waits.  It takes no order but "do number N", of tasks that were fixed before the first packet
came, each of them once.  When its parent is gone, also by kill -9, it does all that is left.

An attendant lives there too, if there is one: what it does it does of its own accord, and it judges
by itself what it is asked for.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol, TypeAlias

from .child import STOP_SIGNALS, ChildError

#: Undoes something; returns a message for everything that failed.
Task: TypeAlias = Callable[[], Sequence[str]]

Mask: TypeAlias = set[int | signal.Signals]

#: The keeper's name in pstree and `ps -o comm`.
NAME = "ratsnake-keeper"
_READY = b"!"
#: An order is a message: the number of a task, or this one and a question to the attendant.
_QUESTION = 255
_NO_TASK = 254  # is answered too
_LONGEST = 1 << 18  # octets of a message

log = logging.getLogger(__name__)


class Attendant(Protocol):
    """Something that goes on while the NAT runs, and takes the keeper's privileges."""

    def fileno(self) -> int:
        """Readable when there is a reason to attend."""

    def attend(self) -> str:
        """Do what there is to do; returns what the NAT is to know, "" for nothing."""

    def answer(self, question: str) -> str:
        """Of a process that may be anybody's."""


class Undoing:
    """The tasks of the end, each to be asked for by the number it was given.

    They are done by this process, or by a keeper once there is one.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._keeper: socket.socket | None = None
        self._news: socket.socket | None = None
        self._process = 0

    def add(self, task: Task) -> int:
        """Note a task; returns its number.  Only while there is no keeper."""
        self._tasks[len(self._tasks)] = task
        return len(self._tasks) - 1

    def leave_to_keeper(self, attendant: Attendant | None = None) -> None:
        """Start the keeper; to be called while there is one thread, with the privileges needed.

        Raises ChildError if it does not get ready.
        """
        ours, keepers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        news, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A signal to the keeper must not be taken by the handlers it has from here.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self._process = os.fork()
            if self._process == 0:
                _keep(keepers, self._tasks, mask, attendant, told)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        keepers.close()
        told.close()
        news.setblocking(False)
        if ours.recv(1) != _READY:
            ours.close()
            news.close()
            os.waitpid(self._process, 0)
            raise ChildError("the process that is to undo the changes to the host did not start")
        self._keeper, self._news = ours, news

    def perform(self, number: int) -> None:
        """Do the task; what fails is logged."""
        keeper = self._keeper
        for failure in _perform(self._tasks, number) if keeper is None else _ask(keeper, number):
            log.error("%s", failure)

    def fileno(self) -> int:
        """Of a keeper with an attendant: readable when there is news."""
        assert self._news is not None
        return self._news.fileno()

    def news(self) -> list[str]:
        """What the attendant has told since; raises ChildError if it is no more."""
        assert self._news is not None
        found: list[str] = []
        while True:
            try:
                message = self._news.recv(_LONGEST)
            except BlockingIOError:
                return found
            if not message:
                raise ChildError(self._why_unattended())
            found.append(message.decode())

    def ask(self, question: str) -> str:
        """The attendant's answer; raises ChildError if it is no more."""
        answer = b""
        if self._keeper is not None:
            answer = _exchange(self._keeper, bytes([_QUESTION]) + question.encode())
        if not answer:
            raise ChildError(self._why_unattended())
        return answer.decode()

    def _why_unattended(self) -> str:
        """A keeper that lives has logged it; a dead one has not, and it ends more than that."""
        if self._keeper is not None and not _exchange(self._keeper, bytes([_NO_TASK])):
            return _GONE
        return _UNATTENDED

    def close(self) -> None:
        """Let the keeper go, and wait for its end; it does what it has not been asked for yet."""
        if self._keeper is not None and self._news is not None:
            self._keeper.close()
            self._news.close()
            os.waitpid(self._process, 0)
            self._keeper = None


_DIED = "the process that was to undo this run's changes to the host has died"
_GONE = (
    f"{_DIED}: nobody follows its addresses any more, and only another start can change or undo"
    " anything there"
)
_UNATTENDED = "nobody follows this host's addresses any more; the log says why"


def _ask(keeper: socket.socket, number: int) -> Sequence[str]:
    answer = _exchange(keeper, bytes([number]))
    if not answer:
        return (_DIED,)
    failures: list[str] = json.loads(answer)
    return failures


def _exchange(keeper: socket.socket, order: bytes) -> bytes:
    """The answer, nothing if there is nobody."""
    try:
        keeper.send(order)
        return keeper.recv(_LONGEST)
    except OSError:
        return b""


def _keep(
    orders: socket.socket,
    tasks: dict[int, Task],
    mask: Mask,
    attendant: Attendant | None,
    told: socket.socket,
) -> NoReturn:
    """The keeper's whole life: it must never return into its copy of the caller."""
    try:
        # What asks the NAT to stop is no business of the keeper, which has to outlive it; nor is
        # the SIGABRT that systemd's watchdog sends to all of a service's processes.
        signal.set_wakeup_fd(-1)
        for stop in (*STOP_SIGNALS, signal.SIGABRT):
            signal.signal(stop, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        attended = () if attendant is None else (told.fileno(), attendant.fileno())
        _let_go(orders.fileno(), *attended)
        _confine()
        orders.send(_READY)
        _serve(orders, tasks, attendant, told)
        if tasks:
            log.warning("the NAT is gone: undoing its changes to the host")
        for number in reversed(tasks):
            for failure in tasks[number]():
                log.error("%s", failure)
    except Exception as error:
        log.error("the process that undoes changes to the host failed: %r", error)
    finally:
        os._exit(0)


def _serve(
    orders: socket.socket,
    tasks: dict[int, Task],
    attendant: Attendant | None,
    told: socket.socket,
) -> None:
    """Take orders, and attend, until the NAT is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        if attendant is not None:
            selector.register(attendant, selectors.EVENT_READ, attendant)
        while True:
            ready = {key.data for key, _ in selector.select()}
            order = orders.recv(_LONGEST) if None in ready else None
            if order == b"":
                return
            if order and order[0] != _QUESTION:
                _reply(orders, json.dumps(_perform(tasks, order[0])).encode())
                continue
            answer = ""
            try:
                if attendant is not None and attendant in ready:
                    _tell(told, attendant.attend())
                if attendant is not None and order:
                    answer = attendant.answer(order[1:].decode(errors="replace"))
            except Exception as error:  # the tasks are still to be done
                log.error("what follows this host's addresses failed: %r", error)
                if attendant is not None:
                    selector.unregister(attendant)
                attendant = None
                told.close()
            if order:
                _reply(orders, answer.encode())


def _perform(tasks: dict[int, Task], number: int) -> Sequence[str]:
    """Whoever has taken the NAT over may ask for what there is not: that is no end of the rest."""
    return tasks.pop(number)() if number in tasks else (f"there is no task {number} to be done",)


def _reply(orders: socket.socket, answer: bytes) -> None:
    """To a NAT that may have gone meanwhile: the end of its orders is then the next."""
    with suppress(OSError):
        orders.send(answer)


def _tell(told: socket.socket, news: str) -> None:
    """A NAT that does not listen does not hold up the keeper; one that has gone needs no news."""
    if not news:
        return
    try:
        with suppress(ConnectionError):
            told.send(news.encode(), socket.MSG_DONTWAIT)
    except BlockingIOError:
        log.error("the NAT does not listen to what has changed on this host")


def _let_go(*kept: int) -> None:
    """Close all that was the parent's, above all its device, but `kept` and the log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    bounds = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for before, after in zip(bounds, bounds[1:], strict=False):
        os.closerange(before + 1, after)


def _confine() -> None:
    from .privileges import Capability, keep_only, set_name

    set_name(NAME)
    # The control socket may lie in a folder of somebody else's.
    keep_only((Capability.NET_ADMIN, Capability.DAC_OVERRIDE))
