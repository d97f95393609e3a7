"""The NAT under test, kept running as a service manager would: started anew whenever it ends.

Its flows are in a state file, so that they outlive a kill; a reload alternates between two
configurations that keep every flow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ratsnake.lab import EXTERNAL, LAN_PREFIX, Topology
from ratsnake.lab.topology import LAN_INTERFACE, WAN_INTERFACE
from soak.disturbances import helper_of
from soak.floods import FORWARDED

RESTART_SECONDS = 0.2  # as RestartSec= would pause
STOP_SECONDS = 30.0
STATE_SECONDS = 10  # between two writes of the state file: younger flows die with a kill
_FILE = """\
[nat]
external = ["{external}"]
internal = ["{internal}"]
[rules]
forward = ["{protocols}:{port}=192.0.2.130:{port}"]
[host]
lan = "{lan}"
wan = "{wan}"
[timeouts]
udp = {udp}
"""
#: What a reload changes: a timeout, and whether TCP is forwarded too.
_VERSIONS = (("tcp+udp", 300), ("udp", 180))


@dataclass(frozen=True)
class End:
    """One end of the NAT that nobody had asked for: when, its exit status, and the log's last
    line."""

    at: float
    status: int
    last: str


class Service:
    """Runs from construction until `close`; to be used by one thread, with which it would die."""

    def __init__(self, topology: Topology, folder: Path, clock: Callable[[], float]) -> None:
        self.ends: list[End] = []
        self.reloads = 0
        self.log = folder / "log"
        self.control = folder / "control.sock"
        self._file = folder / "ratsnake.toml"
        self._state = folder / "flows"
        self.topology = topology
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._write()
        self._start()

    def _write(self) -> None:
        protocols, udp = _VERSIONS[self.reloads % len(_VERSIONS)]
        words = {"external": EXTERNAL, "internal": LAN_PREFIX, "protocols": protocols}
        interfaces = {"lan": LAN_INTERFACE, "wan": WAN_INTERFACE}
        self._file.write_text(_FILE.format(port=FORWARDED, udp=udp, **words, **interfaces))

    def is_ready(self) -> bool:
        """Whether it has said so, since the first start."""
        if self._process is not None and self._process.poll() is not None:
            raise SystemExit(f"the NAT did not start: {self._last_line()}")
        return b"ready" in self.log.read_bytes()

    def process(self) -> int:
        assert self._process is not None
        return self._process.pid

    def helper(self) -> int:
        return helper_of(self.process())

    def reload(self) -> None:
        self.reloads += 1
        self._write()
        with suppress(ProcessLookupError):
            os.kill(self.process(), signal.SIGHUP)

    def keep_running(self, expected: bool = False) -> None:
        """Start it anew if it has ended; `expected`: it was killed on purpose."""
        assert self._process is not None
        status = self._process.poll()
        if status is None:
            return
        if not expected:
            self.ends.append(End(self._clock(), status, self._last_line()))
        time.sleep(RESTART_SECONDS)
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "ratsnake", "run", "--config", str(self._file)]
        command += ["--control", str(self.control), "--state", str(self._state)]
        command += ["--state-period", str(STATE_SECONDS)]
        with open(self.log, "ab") as log:
            self._process = self.topology.router.popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def close(self) -> int | None:
        """Stop it; its exit status, None where it did not stop in time."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
