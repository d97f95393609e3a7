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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .topology import (
    EXTERNAL,
    EXTERNAL_6,
    LAN_INTERFACE,
    LAN_PREFIX,
    LAN_PREFIX_6,
    ROUTER_WAN,
    ROUTER_WAN_6,
    WAN_INTERFACE,
    Topology,
)

_START_DEADLINE = 30.0  # seconds; an interpreted engine on a busy machine is slow to start
_STOP_DEADLINE = 15.0

_PROGRAM = ("-m", "ratsnake")

_NFT_TABLE = """\
table {family} ratsnake_lab {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname "{wan}" {family} saddr {lan} snat to {external} {flags}
  }}
}}
"""
#: The kernel's NAT and forwarding, by the version of IP: nft's family, the LAN's prefix, the
#: external address, the way to the LAN, and the switch.
_KERNEL = {
    4: ("ip", LAN_PREFIX, EXTERNAL, ROUTER_WAN, "net.ipv4.ip_forward"),
    6: ("ip6", LAN_PREFIX_6, EXTERNAL_6, ROUTER_WAN_6, "net.ipv6.conf.all.forwarding"),
}


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
    external: Sequence[str] = (EXTERNAL,),
    internal: Sequence[str] = (LAN_PREFIX,),
    lans: Sequence[str] = (LAN_INTERFACE,),
    arguments: Sequence[str] = (),
) -> Iterator[RunningNat]:
    """Run `ratsnake run` in the router; `arguments` are added to its command line as they are.

    It serves `lans`, unless `--lan` among the arguments or a configuration file says otherwise.
    The process may end by itself inside the `with` (a test of failure): its exit status is checked
    only if it had to be stopped.  Raises `GatewayError` with its standard error when it does not
    get ready, does not stop at SIGTERM, or then exits with another status than 0.
    """
    options = ["--nat", nat_type] if nat_type else []
    options += ["--ports", ports] if ports else []
    options += [word for address in external for word in ("--external", address)]
    options += [word for prefix in internal for word in ("--internal", prefix)]
    with tempfile.TemporaryDirectory(prefix="ratsnake-lab-") as folder:
        control, log_file = Path(folder, "control.sock"), Path(folder, "log")
        command = [sys.executable, *_PROGRAM, "run", *options]
        if "--lan" not in arguments:
            command += [word for lan in lans for word in ("--lan", lan)]
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
    only in where the address comes from.  In a network with IPv6 that is translated as well.
    Raises `GatewayError` when nft is missing or refuses.
    """
    families = [_KERNEL[version][:3] for version in _versions(topology)]
    with _forwarding(topology), ExitStack() as undo:
        for family, lan, external in families:
            table = _NFT_TABLE.format(
                family=family, wan=WAN_INTERFACE, lan=lan, external=external, flags=random or ""
            )
            _nft(topology, table)
            undo.callback(_nft, topology, f"delete table {family} ratsnake_lab")
        yield


@contextmanager
def forward(topology: Topology) -> Iterator[None]:
    """No NAT: the router forwards, and the internet knows the way to the LAN."""
    routes = [
        {"dst": lan, "gateway": router}
        for _, lan, _, router, _ in (_KERNEL[version] for version in _versions(topology))
    ]
    with _forwarding(topology):
        with topology.internet.netlink() as netlink:
            for route in routes:
                netlink.route("add", **route)
        try:
            yield
        finally:
            with topology.internet.netlink() as netlink:
                for route in routes:
                    netlink.route("del", **route)


def nft_program() -> str | None:
    """The path of nft, or None; it often lies where only root looks."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which("nft", path=path)


def _versions(topology: Topology) -> tuple[int, ...]:
    return (4, 6) if topology.ipv6 else (4,)


@contextmanager
def _forwarding(topology: Topology) -> Iterator[None]:
    with ExitStack() as undo:
        for version in _versions(topology):
            switch = _KERNEL[version][4]
            undo.callback(topology.router.sysctl, switch, topology.router.sysctl(switch, 1))
        yield


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
