"""What the router of a `Topology` does: ratsnake, the kernel's own NAT, or plain forwarding.

Each is a context manager; after it the router is as before, apart from the kernel's memory of
connections (conntrack).  So kernel NAT and ratsnake are best measured in a topology each.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .topology import (
    EXTERNAL,
    LAN_INTERFACE,
    LAN_PREFIX,
    ROUTER_WAN,
    WAN_INTERFACE,
    Topology,
)

_START_DEADLINE = 30.0  # seconds; an interpreted engine on a busy machine is slow to start
_STOP_DEADLINE = 15.0

_PROGRAM = ("-m", "ratsnake")

#: Arguments `nat()` always gives; a caller may repeat them to say otherwise.
_COMMON = ("--external", EXTERNAL, "--internal", LAN_PREFIX, "--lan", LAN_INTERFACE)

_NFT_RULES = """\
table ip ratsnake_lab {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname "{wan}" ip saddr {lan} snat to {external} {flags}
  }}
}}
"""


class GatewayError(RuntimeError):
    """The gateway did not start, died, or did not stop as it should."""


@dataclass(frozen=True)
class RunningNat:
    """A `ratsnake run` in the router."""

    process: subprocess.Popen[bytes]
    ready_line: str
    control: Path
    _log: Path

    def log(self) -> str:
        """What it has written to its standard error so far; to be asked inside the `with`."""
        return self._log.read_text(errors="replace")


@contextmanager
def nat(
    topology: Topology,
    nat_type: str | None = None,
    *,
    ports: str | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[RunningNat]:
    """Run `ratsnake run` in the router; `arguments` are added to its command line as they are.

    The process may end by itself inside the `with` (a test of failure): its exit status is checked
    only if it had to be stopped.  Raises `GatewayError` with its standard error when it does not
    get ready, does not stop at SIGTERM, or then exits with another status than 0.
    """
    options = ["--nat", nat_type] if nat_type else []
    options += ["--ports", ports] if ports else []
    with tempfile.TemporaryDirectory(prefix="ratsnake-lab-") as folder:
        control, log_file = Path(folder, "control.sock"), Path(folder, "log")
        command = [sys.executable, *_PROGRAM, "run", *_COMMON, *options]
        command += ["--control", str(control), *arguments]
        with open(log_file, "wb") as log:
            process = topology.router.popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        try:
            ready_line = _wait_until_ready(process, log_file)
            yield RunningNat(process, ready_line, control, log_file)
            _stop(process, log_file)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            _pipe(process).close()


@contextmanager
def masquerade(topology: Topology, *, random: str | None = None) -> Iterator[None]:
    """The kernel's NAT, for comparison; `random` is None, "random" or "fully-random".

    It is written as source NAT to the external address, which differs from the masquerade statement
    only in where the address comes from.  Raises `GatewayError` when nft is missing or refuses.
    """
    rules = _NFT_RULES.format(
        wan=WAN_INTERFACE, lan=LAN_PREFIX, external=EXTERNAL, flags=random or ""
    )
    with _forwarding(topology):
        _nft(topology, rules)
        try:
            yield
        finally:
            _nft(topology, "delete table ip ratsnake_lab")


@contextmanager
def forward(topology: Topology) -> Iterator[None]:
    """No NAT: the router forwards, and the internet knows the way to the LAN."""
    route = {"dst": LAN_PREFIX, "gateway": ROUTER_WAN}
    with _forwarding(topology):
        with topology.internet.netlink() as netlink:
            netlink.route("add", **route)
        try:
            yield
        finally:
            with topology.internet.netlink() as netlink:
                netlink.route("del", **route)


def nft_program() -> str | None:
    """The path of nft, or None; it often lies where only root looks."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which("nft", path=path)


@contextmanager
def _forwarding(topology: Topology) -> Iterator[None]:
    before = topology.router.sysctl("net.ipv4.ip_forward", 1)
    try:
        yield
    finally:
        topology.router.sysctl("net.ipv4.ip_forward", before)


def _nft(topology: Topology, script: str) -> None:
    program = nft_program()
    if program is None:
        raise GatewayError("nft: not installed (package nftables)")
    process = topology.router.popen(
        [program, "-f", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    message = process.communicate(script)[1]
    if process.returncode != 0:
        raise GatewayError(f"nft: {message.strip()}")


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    stdout = _pipe(process)
    deadline = time.monotonic() + _START_DEADLINE
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stdout], [], [], left)[0]:
            raise GatewayError(_with_log(f"ratsnake was not ready in {_START_DEADLINE:.0f} s", log))
        octet = os.read(stdout.fileno(), 1)
        if not octet:
            raise GatewayError(
                _with_log(f"ratsnake ended with status {process.wait()} before it was ready", log)
            )
        line += octet
    text = line.decode(errors="replace").strip()
    if not text.startswith("ready"):
        raise GatewayError(_with_log(f"ratsnake said {text!r} where 'ready …' was expected", log))
    return text


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(_STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        raise GatewayError(
            _with_log(f"ratsnake did not stop in {_STOP_DEADLINE:.0f} s after SIGTERM", log)
        ) from None
    if status != 0:
        raise GatewayError(_with_log(f"ratsnake exited with status {status} after SIGTERM", log))


def _with_log(message: str, log: Path) -> str:
    return f"{message}\n{log.read_text(errors='replace').strip()}".rstrip()


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # asked for by nat()
    return process.stdout
