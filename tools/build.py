"""Build the extensions, showing how far it is; the compiler's output only on failure.

They are built in place, unless other arguments for setup.py are given, such as `build --build-lib`.

Runs every time, because an editable install would hide an edited .py behind its old .so; where
nothing changed it takes a second or two.
"""

import os
import re
import signal
import subprocess
import sys
import time

IN_PLACE = ["build_ext", "--inplace"]
# What setup.py says: Cython's own progress, and that of its BuildExtensions.
TRANSLATING = re.compile(r"\[ *\d+/(\d+)\] Cythonizing .*/(\w+/\w+)\.py")
TO_COMPILE = re.compile(r"modules to compile: (\d+)")
COMPILED = re.compile(r"compiled ([\w.]+)")
HINT = (
    "The engine did not build. It needs a C compiler and Python's headers"
    " (Debian: apt install gcc python3-dev)."
)


def main() -> int:
    jobs = str(os.cpu_count() or 1)
    command = [sys.executable, "setup.py", *(sys.argv[1:] or IN_PLACE), "--parallel", jobs]
    lines = []
    progress = Progress()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as build:
        assert build.stdout is not None
        for line in build.stdout:
            lines.append(line)
            progress.take(line)
    progress.end()
    if build.returncode:
        print("".join(lines), file=sys.stderr)
        if build.returncode < 0:
            print(
                f"The build was ended by {signal.Signals(-build.returncode).name}.", file=sys.stderr
            )
        else:
            print(HINT, file=sys.stderr)
        return 1
    built = f"engine built ({progress.compiled} modules in {progress.seconds():.0f} s)"
    print(built if progress.compiled else "engine is up to date", flush=True)
    return 0


class Progress:
    """Modules translated and compiled so far, shown with the time that is left.

    In a terminal it is one line that the next overwrites, elsewhere a line every 10 seconds.
    """

    #: Compiling a module takes this many times as long as translating it.
    WEIGHT = 2

    def __init__(self) -> None:
        self.compiled = 0
        self._translated = self._to_translate = self._to_compile = 0
        self._is_terminal = sys.stdout.isatty()
        self._began = time.monotonic()
        self._next = 0.0

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def take(self, line: str) -> None:
        """A line of setup.py's output."""
        if found := TRANSLATING.match(line):
            self._to_translate = self._to_compile = int(found[1])
            self._translated += 1
            self._show(f"translating {found[2]} to C")
        elif found := TO_COMPILE.match(line):
            self._to_compile = int(found[1])
        elif found := COMPILED.match(line):
            self.compiled += 1
            self._show(f"compiled {found[1].removeprefix('ratsnake.').replace('.', '/')}")

    def _show(self, what: str) -> None:
        if not self._is_terminal and self.seconds() < self._next:
            return
        self._next = self.seconds() + 10.0
        done = self._translated + self.WEIGHT * self.compiled
        share = done / (self._to_translate + self.WEIGHT * self._to_compile)
        left = f", about {self.seconds() * (1 - share) / share:.0f} s left" if share > 0.03 else ""
        text = f"building the engine: {share:4.0%}{left}, {what}"
        if self._is_terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        else:
            print(text, flush=True)

    def end(self) -> None:
        if self._is_terminal:
            print("\r\x1b[K", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
