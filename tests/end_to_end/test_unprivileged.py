"""`ratsnake` for a user who is not root: it works in a user namespace, or says what is missing."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ratsnake
from ratsnake.lab import libc

_NOBODY = 65534
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h
_DEADLINE = 120.0
_TUN = "/dev/net/tun"

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind, data)]
    if _libc.mount(*arguments[:3], ctypes.c_ulong(flags), arguments[3]):
        code = ctypes.get_errno()
        raise OSError(code, f"mount {target}: {os.strerror(code)}")


def _open_to_all(*needed: str) -> None:
    """In this process's own view of the file system, let everybody get at these folders.

    Python and ratsnake may lie below a folder only root may enter, such as /root: that folder is
    replaced by one that has nothing but what is needed.
    """
    for folder in needed:
        above = [*reversed(Path(folder).parents), Path(folder)]
        shut = next((p for p in above if not p.stat().st_mode & stat.S_IXOTH), None)
        if shut is None:
            continue
        kept = os.open(folder, os.O_PATH)
        _mount("tmpfs", str(shut), "tmpfs", 0, "mode=755")
        Path(folder).mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{kept}", folder, None, _MS_BIND | _MS_REC, None)


def _as_nobody(prepare: Callable[[], None]) -> Callable[[], None]:
    """What the child does before it becomes `ratsnake`, as root and then as nobody."""

    def become() -> None:
        libc.unshare(_CLONE_NEWNS)
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
        _open_to_all(sys.base_prefix, sys.prefix, str(Path(ratsnake.__file__).parents[1]))
        prepare()
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)

    return become


def _ratsnake(*argv: str, prepare: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ratsnake", *argv],
        cwd="/",
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        preexec_fn=_as_nobody(prepare),
    )


def _tun_for_all() -> None:
    """/dev/net/tun as every distribution has it, whatever it is here."""
    node = "/dev/shm/tun-of-ratsnake-test"
    _mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=755")
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 200))
    os.chmod(node, 0o666)
    _mount(node, _TUN, None, _MS_BIND, None)


def _no_tun_for_others() -> None:
    _tun_for_all()
    os.chmod(_TUN, 0o600)


def _no_tun() -> None:
    _mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=755")


def test_the_demo_works_in_a_user_namespace() -> None:
    done = _ratsnake("demo", prepare=_tun_for_all)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ratsnake demo as a user namespace" in done.stdout
    assert "8 of 8 types as expected" in done.stdout


@pytest.mark.parametrize(
    ("prepare", "missing"),
    [
        (_no_tun_for_others, f"no permission on {_TUN}: run as root, or let users open it"),
        (_no_tun, f"{_TUN} does not exist: load the module"),
    ],
)
def test_without_a_tun_the_demo_says_what_is_missing(
    prepare: Callable[[], None], missing: str
) -> None:
    done = _ratsnake("demo", prepare=prepare)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ratsnake: error: the demo cannot run here: ")
    assert missing in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("prepare", "missing"),
    [
        (_tun_for_all, "may not be made by this user; run as root or with CAP_NET_ADMIN"),
        (_no_tun_for_others, "is not open to this user; run as root or with CAP_NET_ADMIN"),
        (_no_tun, "is not there; load the driver with `modprobe tun`"),
    ],
)
def test_run_without_privilege_says_what_is_missing(
    prepare: Callable[[], None], missing: str
) -> None:
    argv = ("--external", "203.0.113.1", "--control", "/tmp/ratsnake-test-nobody.sock")
    done = _ratsnake("run", *argv, prepare=prepare)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ratsnake: error: ")
    assert missing in done.stderr.splitlines()[-1]
    assert not Path(argv[-1]).exists()
