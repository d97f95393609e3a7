"""Root goes on; anybody else gets a user namespace or is told what is missing."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from ratsnake.host.processes.forked_call import in_child
from ratsnake.lab import (
    Namespace,
    PrivilegeError,
    enter_privileged,
    libc_calls,
    namespace_privilege,
)

_NOBODY = 65534
_PR_SET_DUMPABLE = 4


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: another user's attempts cannot be tried out")


def _as_nobody() -> None:
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # A process that changed its user may not write its own uid_map unless told to be dumpable.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1)


def test_root_stays_where_it_is() -> None:
    before = os.stat("/proc/self/ns/user").st_ino
    assert enter_privileged() == "root"
    assert os.stat("/proc/self/ns/user").st_ino == before


def test_nobody_in_a_user_namespace_has_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_privilege, "_try_tun", lambda: None)

    def enter() -> tuple[str, int]:
        _as_nobody()
        how = enter_privileged()
        with Namespace("one") as one, one.entered():
            one.sysctl("net.ipv4.ip_forward", 1)
            return how, os.geteuid()

    assert in_child(enter) == ("a user namespace", 0)


def test_a_tun_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_privilege, "_TUN", "/no/such/tun")
    with pytest.raises(PrivilegeError, match="does not exist: load the module"):
        enter_privileged()


@pytest.mark.parametrize(
    ("forbidding", "remedy"),
    [
        ((("/proc/self/comm", "no match", "not this"),), "run as root, or with user namespaces"),
        ((("/no/such/setting", "0", "not this"),), "run as root, or with user namespaces"),
        ((("/proc/sys/net/ipv4/ip_default_ttl", "64", "set it"),), "set it, or run as root"),
    ],
)
def test_forbidden_user_namespaces_are_explained(
    monkeypatch: pytest.MonkeyPatch, forbidding: tuple[tuple[str, str, str], ...], remedy: str
) -> None:
    monkeypatch.setattr(namespace_privilege, "_FORBIDDING", forbidding)

    def enter() -> str:
        _as_nobody()
        namespace_privilege._enter_user_namespace = _refuse
        return enter_privileged()

    with pytest.raises(PrivilegeError, match=f"not permitted.*{remedy}"):
        in_child(enter)


def _refuse() -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_refusal_leaves_the_caller_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_privilege, "_TUN", "/no/such/tun")
    before = os.stat("/proc/self/ns/net").st_ino
    with pytest.raises(PrivilegeError):
        enter_privileged()
    assert os.stat("/proc/self/ns/net").st_ino == before


def test_root_that_may_not_unshare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc_calls, "unshare", lambda _: _refuse())
    with pytest.raises(PrivilegeError, match="root may not create network namespaces"):
        enter_privileged()
