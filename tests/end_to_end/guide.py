"""The guides of docs/guides/, played: their own text is what runs.

A fenced block of sh is typed on the router, one of "sh host" on a host of the LAN, one of python is
a program.  A block that ends in `ratsnake run` stays in its terminal until the guide is over; the
next one begins when it says it is ready.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from end_to_end.harness import DEADLINE
from ratsnake.lab import Namespace, Topology
from ratsnake.lab.topology import LAN_INTERFACE, ROUTER_WAN

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
HOST, ROUTER = "192.168.1.10", "192.168.1.1"
_FENCE = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STAYS = re.compile(r"\bratsnake run\b")
#: What the commands see: /etc and /run as they are, but what they write there is theirs alone; and
#: nothing of what a NAT here may have left in /var/lib.
_OWN_FOLDERS = """\
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc
echo mounted
exec cat
"""
_ROUTER = f"""\
ip link set {LAN_INTERFACE} down
ip link set {LAN_INTERFACE} name br0
ip address flush dev br0
ip address add {ROUTER}/24 dev br0
ip link set br0 up
"""
_HOST = f"""\
ip address flush dev eth0
ip address add {HOST}/24 dev eth0
ip route replace default via {ROUTER}
"""


class Block(NamedTuple):
    """A fenced block: its language, where it is typed, and its text."""

    language: str
    place: str
    text: str


def blocks(guide: str) -> list[Block]:
    return [Block(*found.groups("")) for found in _FENCE.finditer((GUIDES / guide).read_text())]


class Player:
    """Whoever follows a guide, with a router, a host and terminals."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self.topology = topology
        self.running: list[subprocess.Popen[str]] = []
        self._folder = folder
        sudo = folder / "sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        self._path = os.pathsep.join(
            [str(folder), str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"]
        )
        self._view = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "sh", "-ec", _OWN_FOLDERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._view.stdout is not None
        assert self._view.stdout.readline() == "mounted\n"

    def close(self) -> None:
        try:
            for process in reversed(self.running):
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE) == 0
        finally:
            for process in (*self.running, self._view):
                process.kill()
                process.communicate()

    def follow(self, block: Block) -> str:
        """Do what the block says; what it prints."""
        if block.language == "python":
            return self._program(block.text)
        where = self.topology.hosts[0].namespace if block.place == "host" else self.topology.router
        last = block.text.rstrip("\n").rpartition("\n")[2]
        if _STAYS.search(last):
            return self._stay(where, block.text.replace(last, f"exec {last}"))
        return self.type(where, block.text)

    def type(self, where: Namespace, text: str) -> str:
        process = self._start(where, text)
        out: str = process.communicate(timeout=3 * DEADLINE)[0]
        assert process.returncode == 0, f"{text}{out}"
        return out

    def _stay(self, where: Namespace, text: str) -> str:
        process = self._start(where, text)
        self.running.append(process)
        assert process.stdout is not None
        out = ""
        while line := process.stdout.readline():
            out += line
            if line.startswith("ready"):
                return out
        raise AssertionError(f"it ended: {text}{out}")

    def _start(self, where: Namespace, text: str) -> subprocess.Popen[str]:
        enter = ["nsenter", f"--target={self._view.pid}", "--mount", f"--wd={self._folder}"]
        return where.popen(
            [*enter, "bash", "-euo", "pipefail", "-c", text],
            env={**os.environ, "PATH": self._path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _program(self, text: str) -> str:
        program = self._folder / "test_of_the_guide.py"
        program.write_text(text)
        how = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if "def test_" in text else []
        done = subprocess.run(
            [sys.executable, *how, str(program)],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3 * DEADLINE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@contextmanager
def player(folder: Path, external: str) -> Iterator[Player]:
    """A router with br0 and wan0, to which `external` is routed, and a host 192.168.1.10."""
    with Topology() as topology:
        made = Player(topology, folder)
        try:
            made.type(topology.router, _ROUTER)
            made.type(topology.hosts[0].namespace, _HOST)
            made.type(topology.internet, f"ip route replace {external} via {ROUTER_WAN}\n")
            yield made
        finally:
            made.close()
