"""What this process may do, and giving that up: user, groups, capabilities (capabilities(7)).

All of it is to be done while there is one thread: the kernel has capabilities by the thread, and a
new thread has those of the one that starts it.  Imports ctypes, which costs a megabyte, so it is
imported only where it is needed.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Collection
from enum import IntEnum

from .user_accounts import Account

_VERSION_3 = 0x20080522  # linux/capability.h: 64 capabilities, as two halves
_HEADER = struct.pack("=Ii", _VERSION_3, 0)  # 0: this thread
_SETS = "=6I"  # effective, permitted, inheritable: the lower half of each, then the upper of each
_PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 15, 38  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


class Capability(IntEnum):
    """Those there is a use for here; the numbers are linux/capability.h's."""

    DAC_OVERRIDE = 1
    NET_ADMIN = 12


def give_up(become: Account | None) -> None:
    """Hold no capability from now on, and get none by executing a program either.

    `become` is who to be from now on; None is who one is.  Raises PermissionError where
    one may not be that.
    """
    if become is not None and become.user != os.geteuid():
        os.initgroups(become.name, become.group)
        os.setresgid(become.group, become.group, become.group)
        os.setresuid(become.user, become.user, become.user)
    keep_only(())


def keep_only(capabilities: Collection[Capability]) -> None:
    """Hold these capabilities, as far as they are held, and get no other by executing a program."""
    held = ctypes.create_string_buffer(struct.calcsize(_SETS))
    _checked(_libc.capget(_HEADER, held))
    permitted = struct.unpack(_SETS, held.raw)[1]
    kept = permitted & sum(1 << capability for capability in capabilities)
    _checked(_libc.capset(_HEADER, struct.pack(_SETS, kept, kept, 0, 0, 0, 0)))
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def set_name(name: str) -> None:
    """Be called so by pstree and `ps -o comm`: up to 15 bytes."""
    _checked(_libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
