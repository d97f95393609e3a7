"""A program that sees another CLOCK_MONOTONIC than we do, changed while it runs."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

_SOURCE = Path(__file__).with_name("shifted_clock.c")
_FORM = struct.Struct("=qq")


class ShiftedClock:
    """`python` is a program that starts Python with this clock."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("gcc") or shutil.which("cc")
        assert compiler is not None, "a C compiler builds the engine and this"
        library = folder / "shifted_clock.so"
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True
        )
        said = folder / "clock"
        said.write_bytes(bytes(_FORM.size))
        with open(said, "r+b") as file:
            self._said = mmap.mmap(file.fileno(), _FORM.size)
        self.python = folder / "python"
        self.python.write_text(
            f'#!/bin/sh\nLD_PRELOAD={library} SHIFTED_CLOCK={said} exec {sys.executable} "$@"\n'
        )
        self.python.chmod(0o755)

    def shift(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the true one, and goes on."""
        self._said[: _FORM.size] = _FORM.pack(seconds * 1_000_000_000, 0)

    def stand_still(self) -> None:
        """From now on it does not go on, until it is shifted."""
        self._said[: _FORM.size] = _FORM.pack(0, time.monotonic_ns())
