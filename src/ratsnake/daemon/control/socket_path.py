"""Claiming the control socket's path: one live server per path, a dead one's socket replaced."""

import errno
import fcntl
import os
import socket
import stat
import time
from contextlib import suppress

from ..user_errors import RunError, UsageError
from .control_protocol import BACKLOG, PATH_LIMIT, is_default
from .peer_credentials import Access

OWNER_ONLY = Access()
LOCK_SECONDS = 2.0  # another start holds the folder's lock for microseconds


class Claim:
    """A listening control socket at `path`, guarded by `access` before anybody can connect.

    Raises UsageError for a path that cannot be one, RunError when a server lives there already or
    the file system refuses.
    """

    def __init__(self, path: str, access: Access = OWNER_ONLY) -> None:
        if not 0 < len(os.fsencode(path)) <= PATH_LIMIT or "\0" in path:
            raise UsageError(f"--control {path}: a socket's path has 1 to {PATH_LIMIT} bytes")
        self.path = path
        folder = os.path.dirname(path) or "."
        try:
            if is_default(path):
                os.makedirs(folder, mode=0o755, exist_ok=True)
            lock = _lock(folder)
            try:
                _clear(path)
                self.listener = _listen(path, access)
            finally:
                os.close(lock)
            self._identity = _identity(path)
        except OSError as error:
            raise RunError(f"control socket {path}: {error.strerror}") from None

    def give_to(self, user: int) -> None:
        """Let the user of that number own the socket; raises OSError."""
        os.chown(self.path, user, -1)

    def remove(self) -> tuple[str, ...]:
        """Remove the path if it is still this claim's; returns what there is to complain about.

        Before `close`: as long as the listener is open nobody takes the path for a dead server's.
        """
        try:
            if _identity(self.path) == self._identity:
                os.unlink(self.path)
        except FileNotFoundError:
            return (f"control socket {self.path} was removed by somebody else",)
        except OSError as error:
            return (f"control socket {self.path} cannot be removed: {error.strerror}",)
        return ()

    def close(self) -> None:
        """Listen no more."""
        self.listener.close()


def _lock(folder: str) -> int:
    """A descriptor that holds the folder's lock until closed.

    Two starts that both find a dead socket would otherwise remove each other's new one. The
    folder itself is locked, so that no lock file stays behind.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise RunError(f"{folder} is locked by another process; try again") from None
            time.sleep(0.01)
        except OSError:
            os.close(descriptor)
            raise


def _clear(path: str) -> None:
    """Remove a dead server's socket; raise RunError for a live one or anything else there."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise RunError(f"control socket {path}: there is a file of that name, not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        refused = probe.connect_ex(path)
    if refused == errno.ENOENT:  # its server has just left
        return
    if refused != errno.ECONNREFUSED:
        raise RunError(
            f"a ratsnake is already running at {path}; stop it, or choose another --device"
        )
    with suppress(FileNotFoundError):  # the privileged helper of a killed run was faster
        os.unlink(path)


def _listen(path: str, access: Access) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
        if access.group is not None:
            os.chown(path, -1, access.group)
        os.chmod(path, access.mode)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _identity(path: str) -> tuple[int, int, int]:
    """With the time it was made: a successor's socket may have the inode number of a dead one's.

    (A helper that went on late would remove that.  Neither owner nor mode change the time.)
    """
    found = os.lstat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns
