"""Programs in the boxes of a lab network."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from end_to_end.harness import DEADLINE, until
from ratsnake.lab import Namespace


def run(namespace: Namespace, *argv: str) -> str:
    """What a program prints; its failure is the test's."""
    process = namespace.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        out: str = process.communicate(timeout=2 * DEADLINE)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"{argv}: {out}"
    return out


@contextmanager
def server(namespace: Namespace, port: int, *argv: str, **options: Any) -> Iterator[None]:
    """A program that serves at a TCP port, from when it listens."""
    process = namespace.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    listening = re.compile(rf"^ *\d+: [0-9A-F]{{8,32}}:{port:04X} \S+ 0A ", re.MULTILINE)

    def is_there() -> bool:
        assert process.poll() is None, f"{argv} ended"
        tables = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")
        return namespace.run(
            lambda: any(
                listening.search(Path(table).read_text())
                for table in tables
                if os.path.exists(table)
            )
        )

    try:
        until(is_there, f"{argv[0]} listens")
        yield
    finally:
        process.kill()
        process.wait()
