"""A thread that writes the flows to their file periodically, and at the end.

A disk may be as slow as it likes: packets, the control socket and the watchdog do not notice.  The
packet loop copies the flows, a page between two batches, while new ones come and others end; who
reads the file copes with a flow that is in it twice or not at all.
"""

import logging
import os
import pwd
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ...host.processes.user_accounts import Account
from ..user_errors import RunError
from .state_file import Moment, write

PAGE = 256  # rows that the packet loop copies at a time
FAREWELL_SECONDS = 20.0  # for the last time it is written
PATIENCE_SECONDS = 1.0  # without a word at the end
FOLDER_MODE = 0o700


class Flows(Protocol):
    """The part of LiveNat that is used here."""

    generation: int

    def flow_page(self, start: int, count: int, now: int) -> tuple[bytes, int]: ...


class SupersededError(Exception):
    """Another NAT took over: its rows are not those of the one before."""


log = logging.getLogger(__name__)


def make_folder(path: Path, user: Account | None) -> None:
    """Make the folder of a state file where it is missing, for this user (None: who one is).

    Raises RunError.
    """
    folder = path.parent
    try:
        folder.mkdir(FOLDER_MODE)
        if user is not None and user.user != os.geteuid():
            os.chown(folder, user.user, user.group)
    except FileExistsError:
        pass
    except OSError as error:
        raise RunError(f"--state {path}: {folder} cannot be made: {error.strerror}") from None


def check_folder(path: Path) -> None:
    """Raise RunError unless this process may write a file of that name."""
    if os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        return
    user = os.geteuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    raise RunError(
        f"--state {path}: user {name} may not write to {path.parent}; chown {name} {path.parent},"
        " or name a file elsewhere"
    )


class StateWriter:
    """Writes to `path` every `period` seconds from `start` to `close`."""

    def __init__(self, path: Path, period: float, flows: Flows, now: Callable[[], int]) -> None:
        """`now` is the packet loop's clock in milliseconds."""
        self._path = path
        self._period = period
        self._flows = flows
        self._now = now
        self._ending = threading.Event()
        self._failing = False
        # A daemon, for a disk that stalls must not keep the NAT from stopping.
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)

    def start(self) -> None:
        """To be called when privileges are given up: a thread keeps those it begins with."""
        self._thread.start()

    def close(self) -> None:
        """Write once more, if that does not take long; does nothing unless it was started."""
        if self._thread.ident is None:
            return
        self._ending.set()
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            log.info("state: writing %s", self._path)
            self._thread.join(FAREWELL_SECONDS - PATIENCE_SECONDS)
        if self._thread.is_alive():
            log.warning("state: %s takes too long; it is as it was the last time", self._path)

    def _run(self) -> None:
        while not self._ending.wait(self._period):
            self._write()
        self._write()

    def _write(self) -> None:
        try:
            count = self._written()
        except OSError as error:
            if not self._failing:
                log.warning(
                    "state: %s: %s; flows would not outlive a restart", self._path, error.strerror
                )
            self._failing = True
        else:
            if self._failing:
                log.info("state: %s is written again", self._path)
            self._failing = False
            log.debug("state: %d flows in %s", count, self._path)

    def _written(self) -> int:
        while True:
            with suppress(SupersededError):
                return write(self._path, self._pages(), Moment.now())

    def _pages(self) -> Iterator[bytes]:
        generation, start = self._flows.generation, 0
        while True:
            page, start = self._flows.flow_page(start, PAGE, self._now())
            if self._flows.generation != generation:
                raise SupersededError
            yield page
            if not start:
                return
