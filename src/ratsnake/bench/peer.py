"""Another NAT in the lab's router: a shell command that makes a TUN device and forwards.

The command is told by its environment (VARIABLES) which device to make and which addresses to
translate.  The policy routing around the device is made here, the same as `ratsnake run --lan` has.
At the end it gets SIGTERM, with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

from ..host.installation.install_changes import install
from ..host.routing.routing_request import Request, RoutingError
from ..lab.router_nat import GatewayError
from ..lab.topology import (
    EXTERNAL,
    LAN_INTERFACE,
    LAN_PREFIX,
    WAN_INTERFACE,
    Topology,
)

DEVICE = "bench0"
DEADLINE = 20.0  # seconds for the device to appear; a program may compile itself first
STOP_DEADLINE = 5.0

#: The null forwarder as a peer.
NULL_COMMAND = f"exec {sys.executable} -m ratsnake.bench.null_program"

_PREFIX = "RATSNAKE_BENCH_"
_SHOWN = 300  # octets of what a failed command said last
_PAUSE = 0.01


def variables(topology: Topology) -> dict[str, str]:
    """What a peer is told, by name; docs/performance.md explains each."""
    return {
        f"{_PREFIX}DEVICE": DEVICE,
        f"{_PREFIX}EXTERNAL": EXTERNAL,
        f"{_PREFIX}INTERNAL": LAN_PREFIX,
        f"{_PREFIX}HOST": topology.hosts[0].address,
        f"{_PREFIX}LAN": LAN_INTERFACE,
        f"{_PREFIX}WAN": WAN_INTERFACE,
    }


@contextmanager
def peer(topology: Topology, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` by `sh -c` in the router, with routes to and from its device.

    The process is the leader of a session of its own, to which all belongs that it starts.
    Raises `GatewayError`, with the last words of the command, when it ends or makes no device.
    """
    environment = {**os.environ, **variables(topology)}
    with tempfile.TemporaryFile() as output:
        process = topology.router.popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
        try:
            _wait_for_device(topology, process, output.fileno())
            with _routing(topology):
                yield process
        finally:
            _stop(process)


def _wait_for_device(topology: Topology, process: subprocess.Popen[bytes], output: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while not _bring_up(topology):
        if process.poll() is not None:
            raise GatewayError(
                f"ended with status {process.returncode} without making the device {DEVICE}"
                f"{_last_words(output)}"
            )
        if time.monotonic() > deadline:
            raise GatewayError(
                f"made no device {DEVICE} in {DEADLINE:.0f} s (it is told this name by "
                f"{_PREFIX}DEVICE){_last_words(output)}"
            )
        time.sleep(_PAUSE)


def _bring_up(topology: Topology) -> bool:
    """Whether the device is there; it is then up."""
    with topology.router.netlink() as netlink:
        for index in netlink.link_lookup(ifname=DEVICE):
            netlink.link("set", index=index, state="up")
            return True
    return False


@contextmanager
def _routing(topology: Topology) -> Iterator[None]:
    request = Request(
        DEVICE, (LAN_INTERFACE,), (IPv4Address(EXTERNAL),), (IPv4Network(LAN_PREFIX),)
    )
    try:
        with topology.router.entered():
            installed = install(request)
    except RoutingError as error:
        raise GatewayError(str(error)) from None
    try:
        yield
    finally:
        with topology.router.entered():
            installed.undo()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the session's process group, SIGKILL to what is left of it."""
    for number, deadline in ((signal.SIGTERM, STOP_DEADLINE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(deadline)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _last_words(output: int) -> str:
    size = os.fstat(output).st_size
    said = os.pread(output, _SHOWN, max(0, size - _SHOWN)).decode(errors="replace").strip()
    return f": {said}" if said else "; it said nothing"
