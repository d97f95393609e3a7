"""The programs that make load and are not ours: iperf3 and sockperf, in the boxes of a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..daemon.user_errors import RunError
from ..lab.namespace import Namespace

_PATIENCE = 15.0  # seconds that a program may take longer than it was told
_START_DEADLINE = 10.0
_PAUSE = 0.005
_STATES = {"tcp": "0A", "udp": "07"}  # how /proc/net/* writes "listens"


class LoadError(RuntimeError):
    """Load could not be made, or did not come through."""


def find(program: str) -> str:
    """Where a program is; raises RunError saying how to get it."""
    path = shutil.which(program)
    if path is None:
        raise RunError(
            f"{program} is not installed: `make bench` installs it on Debian and Ubuntu"
            f" (apt-get install {program})"
        )
    return path


def version(program: str, *arguments: str) -> str:
    """What a program says of its version: the first number in what it prints."""
    told = subprocess.run(
        [find(program), *arguments], capture_output=True, text=True, check=False
    ).stdout
    number = re.search(r"\d+\.\d[\w.+-]*", told)
    return number[0] if number else "unknown"


@contextmanager
def server(namespace: Namespace, protocol: str, port: int, argv: Sequence[str]) -> Iterator[None]:
    """A program that serves at a port of "tcp" or "udp", from when it does; raises `LoadError`."""
    process = namespace.popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_DEADLINE
        while not namespace.run(lambda: _serves(protocol, port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LoadError(f"{argv[0]} does not serve at {protocol} port {port}")
            time.sleep(_PAUSE)
        yield
    finally:
        process.kill()
        process.wait()


def output(namespace: Namespace, argv: Sequence[str], seconds: float) -> str:
    """What a program prints that takes `seconds`; raises `LoadError` when it fails or hangs."""
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "text": True}
    process = namespace.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        printed, complaints = process.communicate(timeout=seconds + _PATIENCE)
    except subprocess.TimeoutExpired:
        raise LoadError(f"{argv[0]} did not end in {seconds + _PATIENCE:.0f} s") from None
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        said = " ".join((complaints or printed).split())[-200:]
        raise LoadError(f"{argv[0]} ended with status {process.returncode}: {said}")
    return str(printed)


def _serves(protocol: str, port: int) -> bool:
    """Whether a socket of the calling thread's namespace does."""
    served = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} \S+ {_STATES[protocol]} ", re.MULTILINE)
    tables = (Path("/proc/thread-self/net", protocol + suffix) for suffix in ("", "6"))
    return any(served.search(table.read_text()) for table in tables if table.exists())
