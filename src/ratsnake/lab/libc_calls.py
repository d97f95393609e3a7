"""The few C library calls namespaces need; `os` has them only from Python 3.12 on."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces of the kinds in `flags`; raises OSError."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace held by `fd`, of that `kind`; raises OSError."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)))


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
