"""One NAT only for a state file: two would write over each other's flows.

The lock is on a file beside it, for the state file itself is another one each time it is written.
It is POSIX's (fcntl(2), F_SETLK): the kernel ends it with the process, however that ends, and no
child process has a share in it.  The file stays: without a lock on it, it means nothing.
"""

import fcntl
import os
import stat
from pathlib import Path

from ...host.processes.user_accounts import Account
from ..user_errors import RunError

MODE = 0o600  # who may open it could hold it
_LONGEST = 200  # octets of who holds it


class StateLock:
    """Held until `close`, or the end of the process."""

    def __init__(self, path: Path, device: str, user: Account | None) -> None:
        """Of the state file `path`, for the NAT of `device` that is to run as `user` (None: as who
        this process is).  To be made with the privileges of the start, and when no child process
        is to be forked that outlives this one.

        Raises RunError where another NAT holds it.
        """
        self.path = path.with_name(f"{path.name}.lock")
        try:
            self._descriptor = _opened(self.path, user)
        except PermissionError:
            raise RunError(
                f"--state {path}: {self.path} is another user's; if no NAT of that user runs,"
                " remove it"
            ) from None
        except OSError as error:
            raise RunError(f"--state {path}: {self.path}: {error.strerror}") from None
        try:
            _check(self.path, os.fstat(self._descriptor))
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"device {device}, process {os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._descriptor, _LONGEST, 0).decode(errors="replace").strip()
            self.close()
            raise RunError(
                f"--state {path}: is another NAT's ({holder}), which still runs; stop that, or give"
                " each a file of its own"
            ) from None
        except OSError as error:
            self.close()
            raise RunError(
                f"--state {path}: {self.path} cannot be locked: {error.strerror}"
            ) from None
        except RunError:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._descriptor)


def _opened(path: Path, user: Account | None) -> int:
    """A file that is there, or a new one of that user's."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, MODE)
        except FileExistsError:  # another NAT starts too
            continue
        if user is not None and user.user != os.geteuid():
            os.fchown(descriptor, user.user, user.group)
        return descriptor


def _check(path: Path, found: os.stat_result) -> None:
    """The folder may be another user's, who could have given any file a second name there."""
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise RunError(f"--state: {path} is no lock file but something else; remove it")
