"""A lock whose waiter gets its turn although the holder takes it again at once.

The packet loop gives the lock back between batches and takes it again within nanoseconds; a plain
mutex would let it win every time.  Who waits here holds `turn`, at which the loop then stops.
"""

import threading
from typing import TypeAlias


class FairLock:
    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.hold = threading.Lock()


Lock: TypeAlias = FairLock


def new_lock() -> Lock:
    return FairLock()


def take(lock: Lock) -> None:
    with lock.turn:
        lock.hold.acquire()


def give(lock: Lock) -> None:
    lock.hold.release()


def release_lock(lock: Lock) -> None:
    """Give the memory back; the garbage collector does it here."""
