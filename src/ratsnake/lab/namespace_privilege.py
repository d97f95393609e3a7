"""Get what namespaces and a TUN need: root, or else a user namespace of one's own.

Every attempt is first made in a child process, because a process cannot leave a user namespace
again: a refusal leaves the caller as it was.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

from ..device.tun_constants import IFF_NO_PI, IFF_TUN, IFREQ_FLAGS, TUNSETIFF
from ..device.tun_constants import TUN_PATH as _TUN
from ..host.processes.forked_call import ChildError, in_child
from . import libc_calls

#: Settings that forbid user namespaces: path, the forbidding value, what to do.
_FORBIDDING = (
    ("/proc/sys/user/max_user_namespaces", "0", "set user.max_user_namespaces to 10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "set kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "set kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)

_TUN_HELP = {
    errno.ENOENT: f"{_TUN} does not exist: load the module (modprobe tun), or give the "
    "container the device (docker run --device /dev/net/tun)",
    errno.ENODEV: f"{_TUN}: the kernel has no tun module (modprobe tun)",
    errno.ENXIO: f"{_TUN}: the kernel has no tun module (modprobe tun)",
    errno.EACCES: f"no permission on {_TUN}: run as root, or let users open it (chmod 666 {_TUN})",
    errno.EPERM: f"opening {_TUN} is not permitted: run as root outside a container",
}


class PrivilegeError(RuntimeError):
    """Namespaces are out of reach here; the message says what is missing."""


def enter_privileged() -> str:
    """Make sure this process may create namespaces and TUN devices; returns how, for the user.

    As root nothing changes.  Otherwise the whole process moves into a user namespace of its own (as
    root there, without any power outside) with a network namespace, which only a process with a
    single thread can do.
    Raises `PrivilegeError`.
    """
    refused = in_child(_refusal, _try_namespaces)
    if refused is None:
        return "root"
    if os.geteuid() == 0:
        raise PrivilegeError(
            f"root may not create network namespaces here ({refused}): "
            "the container needs CAP_SYS_ADMIN and CAP_NET_ADMIN"
        )
    try:
        refused = in_child(_refusal, _try_user_namespace)
    except ChildError as error:
        refused = str(error)
    if refused is not None:
        raise PrivilegeError(f"not root, and no user namespace: {refused}")
    _enter_user_namespace()
    return "a user namespace"


def _refusal(attempt: Callable[[], None]) -> str | None:
    """Why the attempt failed; PrivilegeError passes: another way would fail likewise."""
    try:
        attempt()
    except OSError as error:
        return str(error)
    return None


def _try_namespaces() -> None:
    libc_calls.unshare(libc_calls.CLONE_NEWNET)
    _try_tun()


def _try_tun() -> None:
    try:
        tun = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack(IFREQ_FLAGS, b"probe", IFF_TUN | IFF_NO_PI))
    except OSError as error:
        help_text = _TUN_HELP.get(error.errno or 0, f"{_TUN}: {error.strerror}")
        raise PrivilegeError(help_text) from None


def _try_user_namespace() -> None:
    try:
        _enter_user_namespace()
    except OSError as error:
        raise PrivilegeError(_why_forbidden(error)) from None
    _try_namespaces()


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    # The network namespace comes with it: one could not come back to that of somebody else.
    libc_calls.unshare(libc_calls.CLONE_NEWUSER | libc_calls.CLONE_NEWNET)
    # user_namespaces(7): without setgroups=deny an unprivileged gid_map is refused.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _why_forbidden(error: OSError) -> str:
    for path, forbidding, remedy in _FORBIDDING:
        setting = Path(path)
        if setting.exists() and setting.read_text().strip() == forbidding:
            return f"{error} ({remedy}, or run as root)"
    return f"{error} (run as root, or with user namespaces allowed)"
