"""firewalld and ufw in a lab's router, with files and a D-Bus of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from end_to_end.harness import DEADLINE, until
from ratsnake.lab import Topology

_OWN = ("--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc")
_PREPARE = """
set -e
mount -t tmpfs tmpfs /run
for there in {places}; do
    mkdir -p "/run/own$there"
    cp -r "$there/." "/run/own$there"
    mount --bind "/run/own$there" "$there"
done
"""
_FIREWALLD = """
mkdir -p /run/dbus
dbus-daemon --system --nofork --nopidfile &
exec firewalld --nofork --nopid
"""
_UFW = """
ufw --force enable
exec sleep infinity
"""


class Firewall:
    """Commands beside a running one."""

    def __init__(self, process: int) -> None:
        self._enter = ["nsenter", f"--target={process}", "--mount", "--pid", "--net"]

    def tried(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, "sh", "-c", command], capture_output=True, text=True, timeout=DEADLINE
        )

    def run(self, command: str) -> str:
        done = self.tried(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def firewalld(topology: Topology) -> Iterator[Firewall]:
    with _running(topology, _FIREWALLD, "/etc/firewalld") as firewall:
        until(lambda: firewall.tried("firewall-cmd --state").returncode == 0, "firewalld runs")
        yield firewall


@contextmanager
def ufw(topology: Topology) -> Iterator[Firewall]:
    with _running(topology, _UFW, "/etc/ufw /etc/default") as firewall:
        until(lambda: "Status: active" in firewall.tried("ufw status").stdout, "ufw is active")
        yield firewall


@contextmanager
def _running(topology: Topology, script: str, places: str) -> Iterator[Firewall]:
    prepare = _PREPARE.format(places=places)
    with topology.router.popen(
        ["unshare", *_OWN, "sh", "-c", prepare + script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as outside:
        try:
            until(lambda: _child(outside.pid) != 0, "unshare has forked")
            yield Firewall(_child(outside.pid))
        finally:
            outside.kill()


def _child(process: int) -> int:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else 0
