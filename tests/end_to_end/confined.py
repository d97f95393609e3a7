"""Run as a script: become another program, confined as a systemd unit says.

Usage: confined.py UNIT PROGRAM [ARGUMENT ...]

systemd itself enforces these three settings with libseccomp, in the way it is done here:
SystemCallFilter, MemoryDenyWriteExecute and RestrictAddressFamilies.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

_ALLOW = 0x7FFF0000  # seccomp.h: SCMP_ACT_…
_REFUSE = 0x00050000 | errno.EPERM
_MASKED_EQUAL, _EQUAL = 7, 4  # SCMP_CMP_…
_PROT_WRITE, _PROT_EXEC, _SHM_EXEC = 2, 4, 0o100000
_PR_SET_NO_NEW_PRIVS = 38


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


class _Filter:
    """One libseccomp filter, and what it does by default."""

    def __init__(self, default: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(default)))

    def rule(self, action: int, name: str, *comparisons: _Comparison) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:  # not one of this kernel's
            return
        array = (_Comparison * len(comparisons))(*comparisons)
        done = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(comparisons), array
        )
        if done not in (0, -errno.EDOM):  # EDOM: not one of this machine's
            raise OSError(-done, f"{name}: {os.strerror(-done)}")

    def load(self) -> None:
        done = self._library.seccomp_load(self._context)
        if done:
            raise OSError(-done, os.strerror(-done))


def settings(unit: Path) -> dict[str, list[str]]:
    """The values of every setting of the unit's [Service]."""
    found: dict[str, list[str]] = {}
    service = unit.read_text().partition("[Service]")[2].partition("\n[")[0]
    for line in service.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def _calls(name: str) -> set[str]:
    """The system calls of "@set" or "call"."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    members = [line.strip() for line in listed.splitlines()[1:]]
    return {call for member in members if member[:1] not in ("", "#") for call in _calls(member)}


def _allowed(filters: list[str]) -> set[str]:
    """What a list of SystemCallFilter settings leaves, each for or (~) against some."""
    allowed = _calls("@default")
    for setting in filters:
        calls = {call for name in setting.lstrip("~").split() for call in _calls(name)}
        allowed = allowed - calls if setting.startswith("~") else allowed | calls
    return allowed


def confine(unit: dict[str, list[str]]) -> None:
    allowed = _allowed(unit["SystemCallFilter"])
    families = {getattr(socket, name) for name in unit["RestrictAddressFamilies"][0].split()}
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    others = _Filter(_ALLOW)
    for family in set(range(socket.AF_UNSPEC, 64)) - families:
        others.rule(_REFUSE, "socket", _Comparison(0, _EQUAL, family, 0))
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        both = _PROT_WRITE | _PROT_EXEC
        others.rule(_REFUSE, "mmap", _Comparison(2, _MASKED_EQUAL, both, both))
        executable = _Comparison(2, _MASKED_EQUAL, _PROT_EXEC, _PROT_EXEC)
        others.rule(_REFUSE, "mprotect", executable)
        others.rule(_REFUSE, "pkey_mprotect", executable)
        others.rule(_REFUSE, "shmat", _Comparison(2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))
    others.load()

    calls = _Filter(_REFUSE)
    for name in sorted(allowed):
        calls.rule(_ALLOW, name)
    calls.load()


if __name__ == "__main__":
    confine(settings(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
