"""Where other threads ask something of the packet loop, which answers between two batches.

So nothing is ever held that the loop must wait for: a thread that holds a lock may be put to sleep
by the system, for milliseconds.  One thread asks at a time; nobody answers while the mailbox is
closed.  request_mailbox.pxd is the same in C.
"""

import os
import threading
from typing import TypeAlias


class RequestMailbox:
    def __init__(self) -> None:
        self.change = threading.Lock()
        self.answered = threading.Semaphore(0)
        self.open = self.asked = False


Mailbox: TypeAlias = RequestMailbox


def new_mailbox() -> Mailbox:
    return RequestMailbox()


def open_mailbox(mailbox: Mailbox) -> None:
    mailbox.open = True


def close_mailbox(mailbox: Mailbox) -> None:
    """What was asked before is still to be answered."""
    with mailbox.change:
        mailbox.open = False


def ask(mailbox: Mailbox) -> bool:
    """Whether the loop will answer; then `await_answer`."""
    with mailbox.change:
        mailbox.asked = mailbox.open
        return mailbox.open


def is_asked(mailbox: Mailbox) -> bool:
    """Whether there may be a question; costs next to nothing."""
    return mailbox.asked


def claim(mailbox: Mailbox) -> bool:
    """Whether there is a question, which is the caller's to answer."""
    with mailbox.change:
        asked, mailbox.asked = mailbox.asked, False
        return asked


def answer(mailbox: Mailbox) -> None:
    mailbox.answered.release()


def await_answer(mailbox: Mailbox) -> None:
    mailbox.answered.acquire()


def read_one_byte(fd: int) -> None:
    """Read one byte, which is there."""
    os.read(fd, 1)


def release_mailbox(mailbox: Mailbox) -> None:
    """Give the memory back; the garbage collector does it here."""
