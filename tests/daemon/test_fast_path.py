"""No allocation, no Python object, no system call but read, write and poll: shown on flows that
exist, few of them and so many that batches are announced."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support import generated, twin
from support.fast_path import BEGIN, END
from support.flavours import Engine, load
from support.packets import udp
from support.rig import HOST, PATIENCE, R1, running

TESTS = Path(__file__).parents[1]
FLOWS = pytest.mark.parametrize("flows", [16, 5000])
PACKETS = 2048
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")


@pytest.fixture(autouse=True)
def compiled() -> Engine:
    return load("compiled")


def run(*command: str, **environment: str) -> dict[str, Any]:
    """What the program fast_path.py says, run by a command."""
    path = os.pathsep.join([str(TESTS), str(twin.PACKAGE.parent)])
    answer = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **environment},
        timeout=120,
    )
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


class PollFd(ctypes.Structure):
    """struct pollfd of poll(2)."""

    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


def program(flows: int) -> list[str]:
    return [sys.executable, "-m", "support.fast_path", str(flows), str(PACKETS)]


@FLOWS
def test_the_packet_loop_takes_no_memory(flows: int, tmp_path: Path) -> None:
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path / "allocations.so"
    source = TESTS / "support" / "allocations.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    # Python's objects come from malloc too, so that none is made without being counted.
    told = run(*program(flows), LD_PRELOAD=str(library), PYTHONMALLOC="malloc")
    assert told["at all"] > 0
    assert told["allocations"] == 0


def calls_of(thread: int, log: Path) -> list[str]:
    """The thread's system calls between the marks, each with its arguments and its result.

    Where another thread called in between, strace tells of the result later.
    """
    calls: list[str] = []
    begun = ended = False
    for line in log.read_text().splitlines():
        begun = begun or BEGIN in line
        ended = ended or END in line
        number, _, call = line.partition(" ")
        if not begun or int(number) != thread:
            continue
        resumed = RESUMED.match(call.strip())
        if resumed and calls:
            calls[-1] += resumed[1]
        elif not resumed and not ended:
            calls.append(call.strip())
    return calls


@FLOWS
def test_the_packet_loop_reads_writes_and_polls(flows: int, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "calls"
    told = run(strace, "-f", "-qq", "-o", str(log), *program(flows))
    calls = calls_of(told["thread"], log)
    assert sum(call.startswith("write(") for call in calls) == PACKETS
    names = {call.partition("(")[0] for call in calls}
    assert names - {"sched_yield"} <= {"read", "write", "poll"}
    # Who looks again gives the processor away in between: only where there was nothing to read.
    for before, call in pairwise(calls):
        assert not call.startswith("sched_yield") or "EAGAIN" in before


def test_packets_pass_while_python_stands_still(compiled: Engine) -> None:
    """This thread holds the GIL and does not let go: PyDLL's calls keep it, and it is never asked
    to switch."""
    c = ctypes.PyDLL(None)
    buffer = ctypes.create_string_buffer(2048)
    packet = bytes(udp(HOST, (R1, 53)))
    with running(compiled) as rig:
        external = rig.exchange(packet)
        before = sys.getswitchinterval()
        sys.setswitchinterval(PATIENCE * 10)
        try:
            for _ in range(1000):
                assert c.send(rig.peer.fileno(), packet, len(packet), 0) == len(packet)
                assert (
                    c.poll(ctypes.byref(PollFd(rig.peer.fileno(), 1)), 1, int(PATIENCE * 1000)) == 1
                )
                size = c.recv(rig.peer.fileno(), buffer, len(buffer), 0)
        finally:
            sys.setswitchinterval(before)
        assert buffer.raw[:size][20:] == external[20:]
        assert rig.live.totals().counters()["outbound"]["packets"] == 1001


def test_what_needs_no_gil_calls_nothing_of_python() -> None:
    """Cython refuses most of it; here is what it made."""
    if not generated.GENERATED.exists():
        pytest.skip("the C of this build is not here")
    wanted = {name for header in twin.PACKAGE.rglob("*.pxd") for name in generated.declared(header)}
    found: dict[str, set[str]] = {}
    for name, body in generated.bodies():
        if name in wanted:
            found.setdefault(name, set()).update(generated.PYTHON.findall(body))
    assert set(found) == wanted and len(wanted) > 400
    assert {name: calls for name, calls in found.items() if calls} == {}
