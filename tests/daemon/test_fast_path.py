"""The fast path allocates nothing, touches no Python object, and makes no system calls but read,
write and poll, and sched_yield where nothing is there to read: shown, in three ways."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.flavours import load

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PATIENCE = 60.0
CALL = re.compile(r"^(\d+) +(\w+)\((.*)", re.MULTILINE)
# What moves packets, from the device to the tables.
MODULES = ("daemon/worker", "daemon/batch", "device/offload", "nat", "wire")
FUNCTION = re.compile(r"^    c(?:p)?def .*?(\w+)\(.*noexcept nogil$", re.MULTILINE)
PYTHON = re.compile(r"\bPy(?:GILState|Object|Long|Tuple|List|Dict|Err|Unicode|_INCREF|_DECREF)\w*")


@contextmanager
def program(**environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """fast_path.py, and the number of its worker's thread."""
    load("compiled")  # or the test is skipped
    paths = [str(ROOT / "src"), str(ROOT / "tests")]
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fast_path.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def finish(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_no_memory_is_allocated(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    assert compiler, "the engine was built, so there is a C compiler"
    library = tmp_path / "counting_malloc.so"
    source = HERE / "counting_malloc.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    with program(LD_PRELOAD=str(library)) as (process, _):
        meanwhile, before = map(int, finish(process).split())
    assert before > 0, "the thread's start allocates, and is counted"
    assert meanwhile == 0


def test_no_system_calls_but_those_that_move_packets(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "calls"
    with program() as (process, thread):
        command = [strace, "-o", str(log), "-p", str(thread)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        if "attached" not in tracer.stderr.readline():
            tracer.kill()
            pytest.skip("strace may not attach here")
        finish(process)
        tracer.wait(PATIENCE)
    calls = re.findall(r"^(\w+)\((.*)$", log.read_text(), re.MULTILINE)
    end = max(at for at, (name, _) in enumerate(calls) if name == "write")
    moved = calls[: end + 1]
    assert sum(name == "write" for name, _ in moved) >= 10_000
    assert {name for name, _ in moved} <= {
        "read",
        "write",
        "poll",
        "sched_yield",
        "restart_syscall",
    }
    for before, (name, _) in zip(moved, moved[1:], strict=False):
        if name in ("sched_yield", "poll"):
            empty = before[0] == "read" and "EAGAIN" in before[1]
            assert empty or before[0] in ("sched_yield", "poll"), before


def test_no_python_object_is_touched() -> None:
    """In the C that Cython made of every function that is declared to need no GIL."""
    generated = ROOT / "build" / "cython" / "src" / "ratsnake"
    load("compiled")
    seen = 0
    for part in MODULES:
        place = ROOT / "src" / "ratsnake" / part
        headers = [place.with_suffix(".pxd")] if not place.is_dir() else sorted(place.glob("*.pxd"))
        for header in headers:
            source = generated / header.relative_to(ROOT / "src" / "ratsnake").with_suffix(".c")
            if source.exists():
                text = source.read_text()
                for name in set(FUNCTION.findall(header.read_text())):
                    for body in bodies(text, name):
                        seen += 1
                        found = PYTHON.search(body)
                        assert not found, f"{header.stem}.{name}: {found}"
    assert seen > 300


def bodies(text: str, name: str) -> Iterator[str]:
    """The definitions of a method in generated C."""
    for match in re.finditer(rf"^static [^;\n]*__pyx_f_\w*_{name}\([^;]*?\) \{{$", text, re.M):
        yield text[match.start() : text.index("\n}", match.start())]
