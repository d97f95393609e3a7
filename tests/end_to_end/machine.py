"""A router on which systemd runs: process 1 of name spaces of its own, in a lab's router."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ratsnake
from end_to_end.harness import DEADLINE, until
from ratsnake.lab import Topology

_BOOT = Path(__file__).with_name("boot.sh")
_OWN = ("--pid", "--mount", "--ipc", "--uts", "--cgroup", "--fork", "--mount-proc")
#: What of this machine's files a program needs to run ratsnake.
NEEDED = tuple(
    dict.fromkeys((sys.base_prefix, sys.prefix, str(Path(ratsnake.__file__).parents[1])))
)


class Machine:
    """Commands and files of a running machine."""

    def __init__(self, process: int) -> None:
        """`process`: systemd's number outside."""
        self._enter = ["nsenter", f"--target={process}", "--all"]

    def run(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *command], input=given, capture_output=True, text=True, timeout=DEADLINE
        )

    def done(self, *command: str, given: str = "") -> str:
        """What the command printed; it must succeed."""
        ran = self.run(*command, given=given)
        if ran.returncode:
            journal = self.run("journalctl", "--no-pager", "--lines=30").stdout
            raise AssertionError(f"{command}: {ran.stdout}{ran.stderr}\n{journal}")
        return ran.stdout

    def write(self, path: str, text: str) -> None:
        self.done("sh", "-c", f'mkdir -p "{os.path.dirname(path)}" && cat > "{path}"', given=text)

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.done("systemctl", "show", "--value", f"--property={name}", unit).strip()


@contextmanager
def machine(topology: Topology) -> Iterator[Machine]:
    """The lab's router as a machine that has booted."""
    with topology.router.popen(
        ["unshare", *_OWN, "--kill-child", "sh", str(_BOOT), *NEEDED],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as outside:
        try:
            until(lambda: _child(outside.pid) != 0, "unshare has forked")
            booted = Machine(_child(outside.pid))

            def is_running() -> bool:
                if outside.poll() is not None:
                    assert outside.stdout is not None
                    raise AssertionError(outside.stdout.read())
                asked = booted.run("systemctl", "is-system-running")
                return asked.stdout.strip() in ("running", "degraded")

            until(is_running, "systemd has started")
            yield booted
        finally:
            outside.kill()


def _child(process: int) -> int:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else 0
