"""`ratsnake` for a user who is not root: it works in a user namespace, or says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.other_user import TUN, become_nobody, mount, own_view, tun_for_all

_DEADLINE = 120.0


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")


def _as_nobody(prepare: Callable[[], None]) -> Callable[[], None]:
    """What the child does before it becomes `ratsnake`, as root and then as nobody."""

    def become() -> None:
        own_view()
        prepare()
        become_nobody()

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


def _no_tun_for_others() -> None:
    tun_for_all()
    os.chmod(TUN, 0o600)


def _no_tun() -> None:
    mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=755")


def test_the_demo_works_in_a_user_namespace() -> None:
    done = _ratsnake("demo", prepare=tun_for_all)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ratsnake demo as a user namespace" in done.stdout
    assert "8 of 8 types as expected" in done.stdout


@pytest.mark.parametrize(
    ("prepare", "missing"),
    [
        (_no_tun_for_others, f"no permission on {TUN}: run as root, or let users open it"),
        (_no_tun, f"{TUN} does not exist: load the module"),
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
        (tun_for_all, "may not be made by this user; run as root or with CAP_NET_ADMIN"),
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
