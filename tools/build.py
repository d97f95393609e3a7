"""Build the extensions, showing how far it is; the compiler's output only on failure.

They are built in place, unless other arguments for setup.py are given, such as `build --build-lib`.

Runs every time, because an editable install would hide an edited .py behind its old .so; where
nothing changed it takes a second.
"""

import re
import signal
import subprocess
import sys

IN_PLACE = ["build_ext", "--inplace"]
STEP = re.compile(
    r"^(?:\[ *\d+/\d+\] (Cythonizing) .*/(\w+/\w+)\.py|building '([\w.]+)' extension)"
)
HINT = (
    "The engine did not build. It needs a C compiler and Python's headers"
    " (Debian: apt install gcc python3-dev)."
)


def main() -> int:
    command = [sys.executable, "setup.py", *(sys.argv[1:] or IN_PLACE), "--parallel", "2"]
    lines = []
    step = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as build:
        assert build.stdout is not None
        for line in build.stdout:
            lines.append(line)
            found = STEP.match(line)
            if found:
                step += 1
                what = f"translating {found[2]}" if found[1] else f"compiling {found[3]}"
                show(f"building the engine: {what}")
    show("")
    if build.returncode:
        print("".join(lines), file=sys.stderr)
        if build.returncode < 0:
            print(
                f"The build was ended by {signal.Signals(-build.returncode).name}.", file=sys.stderr
            )
        else:
            print(HINT, file=sys.stderr)
        return 1
    print(f"engine built ({step} steps)" if step else "engine is up to date", flush=True)
    return 0


def show(text: str) -> None:
    """One line that the next overwrites; nothing where the output is no terminal."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
