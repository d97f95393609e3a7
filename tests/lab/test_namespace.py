"""lab/namespace.py: what is made inside is inside, and nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ratsnake.lab import Namespace


def _inode(path: str = "/proc/thread-self/ns/net") -> int:
    return os.stat(path).st_ino


def test_run_is_inside_and_the_caller_is_not() -> None:
    outside = _inode()
    with Namespace("one") as one:
        assert one.run(_inode) == os.fstat(one.fileno()).st_ino != outside
        assert _inode() == outside


def test_run_raises_what_the_function_raises() -> None:
    with Namespace("one") as one, pytest.raises(ZeroDivisionError):
        one.run(lambda: 1 // 0)


def test_entered_nests_and_comes_back_after_an_error() -> None:
    outside = _inode()
    with Namespace("one") as one, Namespace("two") as two:
        with pytest.raises(ZeroDivisionError), one.entered(), two.entered():
            assert _inode() == os.fstat(two.fileno()).st_ino
            raise ZeroDivisionError
        assert _inode() == outside


def test_two_namespaces_may_use_one_address() -> None:
    with Namespace("one") as one, Namespace("two") as two:
        for namespace in (one, two):
            with namespace.netlink() as netlink:
                netlink.link("set", index=1, state="up")
        with one.socket() as first, two.socket() as second:
            first.bind(("127.0.0.1", 7))
            second.bind(("127.0.0.1", 7))


def test_a_process_is_inside() -> None:
    with Namespace("one") as one:
        program = "import os; print(os.stat('/proc/self/ns/net').st_ino)"
        process = one.popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert int(process.communicate()[0]) == os.fstat(one.fileno()).st_ino
        assert process.returncode == 0


def test_a_program_that_does_not_exist() -> None:
    with Namespace("one") as one:
        process = one.popen(["/no/such/program"], stderr=subprocess.PIPE, text=True)
        assert "/no/such/program: No such file" in process.communicate()[1]
        assert process.returncode == 1


def test_sysctl_is_the_namespaces_own() -> None:
    with Namespace("one") as one, Namespace("two") as two:
        before = one.sysctl("net.ipv4.ip_forward", 1)
        assert one.sysctl("net/ipv4/ip_forward", before) == "1"
        assert two.sysctl("net.ipv4.ip_forward", before) == before


def test_closing_leaves_no_descriptor_and_no_thread() -> None:
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    with Namespace("one") as one:
        one.run(_inode)
        one.socket().close()
        with one.netlink() as netlink:
            netlink.get_links()
    one.close()  # a second time does nothing
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads


def test_nothing_survives_kill_9_of_its_maker() -> None:
    """The process in the namespace is killed with the one that made it."""
    program = (
        "import sys, time; from ratsnake.lab import Namespace; n = Namespace('x')\n"
        "p = n.popen(['sleep', '600'])\n"
        "print(p.pid, flush=True); p.wait()"
    )
    maker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None
    with maker.stdout:
        inside = int(maker.stdout.readline())
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    deadline = time.monotonic() + 10
    while _runs(inside):
        assert time.monotonic() < deadline, "the process inside outlived its maker"


def _runs(pid: int) -> bool:
    """Whether a process is there and not a zombie nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
