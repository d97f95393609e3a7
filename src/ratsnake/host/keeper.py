"""What is to be undone at the end, and the process that stays behind to do it.

The process that reads packets from the internet shall hold no privilege; undoing the routing takes
some.  So before it gives them up it divides: the keeper, a forked child, holds what undoing needs
and waits.  It takes no order but "do number N", of tasks that were fixed before the first packet
came, each of them once.  When its parent is gone, also by kill -9, it does all that is left.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from .child import STOP_SIGNALS, ChildError

#: Undoes something; returns a message for everything that failed.
Task: TypeAlias = Callable[[], Sequence[str]]

Mask: TypeAlias = set[int | signal.Signals]

#: The keeper's name in pstree and `ps -o comm`.
NAME = "ratsnake-keeper"
_READY = b"!"

log = logging.getLogger(__name__)


class Undoing:
    """The tasks of the end, each to be asked for by the number it was given.

    They are done by this process, or by a keeper once there is one.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._keeper: socket.socket | None = None
        self._process = 0

    def add(self, task: Task) -> int:
        """Note a task; returns its number.  Only while there is no keeper."""
        self._tasks[len(self._tasks)] = task
        return len(self._tasks) - 1

    def leave_to_keeper(self) -> None:
        """Start the keeper; to be called while there is one thread, with the privileges needed.

        Raises ChildError if it does not get ready.
        """
        ours, keepers = socket.socketpair()
        # A signal to the keeper must not be taken by the handlers it has from here.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self._process = os.fork()
            if self._process == 0:
                _keep(keepers, self._tasks, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        keepers.close()
        if ours.recv(1) != _READY:
            ours.close()
            os.waitpid(self._process, 0)
            raise ChildError("the process that is to undo the changes to the host did not start")
        self._keeper = ours

    def perform(self, number: int) -> None:
        """Do the task; what fails is logged."""
        keeper = self._keeper
        for failure in self._tasks.pop(number)() if keeper is None else _ask(keeper, number):
            log.error("%s", failure)

    def close(self) -> None:
        """Let the keeper go, and wait for its end; it does what it has not been asked for yet."""
        if self._keeper is not None:
            self._keeper.close()
            os.waitpid(self._process, 0)
            self._keeper = None


def _ask(keeper: socket.socket, number: int) -> Sequence[str]:
    try:
        keeper.send(bytes([number]))
        with keeper.makefile("rb") as answers:
            line = answers.readline()
    except OSError:
        line = b""
    if not line:
        return ("the process that was to undo this run's changes to the host has died",)
    failures: list[str] = json.loads(line)
    return failures


def _keep(
    orders: socket.socket, tasks: dict[int, Task], mask: set[int | signal.Signals]
) -> NoReturn:
    """The keeper's whole life: it must never return into its copy of the caller."""
    try:
        # What asks the NAT to stop is no business of the keeper, which has to outlive it; nor is
        # the SIGABRT that systemd's watchdog sends to all of a service's processes.
        signal.set_wakeup_fd(-1)
        for stop in (*STOP_SIGNALS, signal.SIGABRT):
            signal.signal(stop, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _let_go(orders.fileno())
        _confine()
        orders.send(_READY)
        while order := orders.recv(1):
            failures = tasks.pop(order[0])()
            orders.sendall(json.dumps(failures).encode() + b"\n")
        if tasks:
            log.warning("the NAT is gone: undoing its changes to the host")
        for number in reversed(tasks):
            for failure in tasks[number]():
                log.error("%s", failure)
    except Exception as error:
        log.error("the process that undoes changes to the host failed: %r", error)
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Close all that was the parent's, above all its device, but `kept` and the log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _confine() -> None:
    from .privileges import Capability, keep_only, set_name

    set_name(NAME)
    # The control socket may lie in a folder of somebody else's.
    keep_only((Capability.NET_ADMIN, Capability.DAC_OVERRIDE))
