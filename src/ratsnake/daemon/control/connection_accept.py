"""Taking connections, also where no descriptor is left for another.

A connection that cannot be taken stays where it is, and with it the reason to try: a loop that goes
on trying does nothing else.  So a spare descriptor is kept, which makes room for one connection at
a time, to see whose it is; without even that the listener rests.
"""

import errno
import logging
import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress

SILENT_SECONDS = 60.0  # between two lines in the log
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)

log = logging.getLogger(__name__)


class NoDescriptorsError(Exception):
    """None is left, and the spare one is in use."""


def tell_exhausted(who: str) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    log.error(
        "%s: no file descriptors are left (%d at most; LimitNOFILE= of a unit, ulimit -n)",
        who,
        most,
    )


class Accepting:
    """Connections of a listener, which does not block."""

    def __init__(self, listener: socket.socket, clock: Callable[[], float]) -> None:
        self._listener = listener
        self._clock = clock
        self._told = -SILENT_SECONDS
        self._spare: int | None = None
        self.restore()

    def close(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def restore(self) -> None:
        """Have a spare descriptor again, if one can be had."""
        if self._spare is None:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def accept(self) -> tuple[socket.socket | None, bool]:
        """A connection, None if its client has left; and whether it took the spare descriptor.

        Raises NoDescriptorsError.
        """
        try:
            return self._listener.accept()[0], False
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS:
                return None, False
        if self._clock() - self._told >= SILENT_SECONDS:
            self._told = self._clock()
            tell_exhausted("control socket")
        if self._spare is None:
            raise NoDescriptorsError
        self.close()
        try:
            return self._listener.accept()[0], True
        except OSError as error:
            self.restore()
            if error.errno in _NO_DESCRIPTORS:
                raise NoDescriptorsError from None
            return None, False
