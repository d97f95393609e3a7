"""Where other threads ask something of the packet loop, which answers between two batches.

So nothing is ever held that the loop must wait for: a thread that holds a lock may be put to sleep
by the system, for milliseconds.  One thread asks at a time; nobody answers while the desk is
closed.  desk.pxd is the same in C.
"""

import os
import threading
from typing import TypeAlias


class QuestionDesk:
    def __init__(self) -> None:
        self.change = threading.Lock()
        self.answered = threading.Semaphore(0)
        self.open = self.asked = False


Desk: TypeAlias = QuestionDesk


def new_desk() -> Desk:
    return QuestionDesk()


def open_desk(desk: Desk) -> None:
    desk.open = True


def close_desk(desk: Desk) -> None:
    """What was asked before is still to be answered."""
    with desk.change:
        desk.open = False


def ask(desk: Desk) -> bool:
    """Whether the loop will answer; then `await_answer`."""
    with desk.change:
        desk.asked = desk.open
        return desk.open


def is_asked(desk: Desk) -> bool:
    """Whether there may be a question; costs next to nothing."""
    return desk.asked


def claim(desk: Desk) -> bool:
    """Whether there is a question, which is the caller's to answer."""
    with desk.change:
        asked, desk.asked = desk.asked, False
        return asked


def answer(desk: Desk) -> None:
    desk.answered.release()


def await_answer(desk: Desk) -> None:
    desk.answered.acquire()


def swallow(fd: int) -> None:
    """Read one byte, which is there."""
    os.read(fd, 1)


def release_desk(desk: Desk) -> None:
    """Give the memory back; the garbage collector does it here."""
