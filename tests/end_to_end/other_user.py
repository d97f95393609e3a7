"""What a child does to run `ratsnake` as a user who is not root, wherever Python lies.

For `preexec_fn`: as root, in a view of the file system of the child's own.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from pathlib import Path

import ratsnake
from ratsnake.lab import libc_calls

NOBODY = 65534
TUN = "/dev/net/tun"
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


def own_view(*needed: str) -> None:
    """Give this process a view of the file system of its own, in which everybody gets at Python,
    ratsnake, and these folders.
    """
    libc_calls.unshare(_CLONE_NEWNS)
    mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    _open_to_all(sys.base_prefix, sys.prefix, str(Path(ratsnake.__file__).parents[1]), *needed)


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def tun_for_all() -> None:
    """/dev/net/tun as every distribution has it, whatever it is here."""
    node = "/dev/shm/tun-of-ratsnake-test"
    mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=755")
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 200))
    os.chmod(node, 0o666)
    mount(node, TUN, None, _MS_BIND, None)


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind, data)]
    if _libc.mount(*arguments[:3], ctypes.c_ulong(flags), arguments[3]):
        code = ctypes.get_errno()
        raise OSError(code, f"mount {target}: {os.strerror(code)}")


def _open_to_all(*needed: str) -> None:
    """Let everybody get at these folders.

    Python and ratsnake may lie below a folder only root may enter, such as /root: that folder is
    replaced by one that has nothing but what is needed.
    """
    for folder in needed:
        above = [*reversed(Path(folder).parents), Path(folder)]
        shut = next((p for p in above if not p.stat().st_mode & stat.S_IXOTH), None)
        if shut is None:
            continue
        kept = os.open(folder, os.O_PATH)
        mount("tmpfs", str(shut), "tmpfs", 0, "mode=755")
        Path(folder).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{kept}", folder, None, _MS_BIND | _MS_REC, None)
