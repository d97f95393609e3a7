"""What others do to the host while a NAT runs: it is put right where it is the NAT's, else told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from end_to_end.harness import DEVICE, greet, router_state, status, udp_pair, until
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat
from ratsnake.lab.topology import LAN_INTERFACE, ROUTER_WAN, WAN_INTERFACE

_IN_SUBNET = "198.51.100.200"
_SHARED = ("--share-address", "--wan", WAN_INTERFACE)
_MAIN_RULE = "ip rule add priority 32766 protocol kernel lookup main"


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot change a router")


@contextmanager
def _nat(topology: Topology, *arguments: str, external: str = EXTERNAL) -> Iterator[RunningNat]:
    more = [*arguments] if "--wan" in arguments else ["--wan", WAN_INTERFACE, *arguments]
    with nat(topology, "full-cone", external=[external], arguments=more) as running:
        yield running


def _router(topology: Topology, *commands: str) -> str:
    """Typed on the router; returns what the last one says."""

    def run() -> str:
        said = ""
        for command in commands:
            done = subprocess.run(command.split(), check=True, capture_output=True, text=True)
            said = done.stdout
        return said

    return topology.router.run(run)


def _problems(running: RunningNat) -> list[str]:
    return [one["what"] for one in status(running)["host"]["problems"]]


def _restored(running: RunningNat) -> int:
    count: int = status(running)["host"]["restored"]
    return count


def _lan_works(topology: Topology) -> None:
    with udp_pair(topology) as (near, far):
        greet(near, far)


def _now(topology: Topology) -> dict[str, object]:
    """All but the settings, which end as they are if others have changed them."""
    return {**router_state(topology), "settings": None}


_BREAKING = {
    "flush rules": (
        "ip rule flush",
        _MAIN_RULE,
        "ip rule add priority 32767 protocol kernel lookup default",
    ),
    "flush our rules": ("ip rule flush protocol 82",),
    "flush our routes": ("ip route flush table all proto 82",),
    "flush the table": ("ip route flush table 1000",),
    "device down": (f"ip link set {DEVICE} down",),
    "device down and up": (f"ip link set {DEVICE} down", f"ip link set {DEVICE} up"),
    "route replaced": (f"ip route replace {EXTERNAL} dev {WAN_INTERFACE}",),
    "no forwarding": ("sysctl -q net.ipv4.ip_forward=0",),
    "no ICMP address": ("sysctl -q net.ipv4.icmp_errors_use_inbound_ifaddr=0",),
}


@pytest.mark.parametrize("breaking", list(_BREAKING))
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_what_others_undo_is_made_again(topology: Topology, breaking: str, shared: bool) -> None:
    if shared and breaking == "route replaced":
        breaking = "flush our routes"  # there is none of this address
    before = _now(topology)
    with _nat(
        topology,
        *(_SHARED if shared else ()),
        external=ROUTER_WAN if shared else EXTERNAL,
    ) as running:
        there = _now(topology)
        with udp_pair(topology) as (near, far):
            external = greet(near, far)
            _router(topology, *_BREAKING[breaking])
            until(lambda: _restored(running) > 0, "it is made again")
            until(lambda: _now(topology) == there, "all is as it was")
            assert greet(near, far) == external
        assert "others have undone what this NAT needs, and it is made again: `" in running.log()
        until(lambda: _problems(running) == [], "nothing is wrong")
    assert _now(topology) == before


def _doctor(running: RunningNat, *arguments: str) -> tuple[int, str]:
    """The exit status and what is said."""
    import contextlib
    import io

    from ratsnake.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["doctor", "--control", str(running.control), *arguments])
    return code, said.getvalue()


def test_the_doctor(topology: Topology) -> None:
    with _nat(topology) as running:
        assert _doctor(running) == (0, "nothing is wrong\n")
        _router(topology, f"ip link set {LAN_INTERFACE} down")
        told = f"interface {LAN_INTERFACE} is down"
        command = f"ip link set {LAN_INTERFACE} up"
        assert _doctor(running) == (1, f"{told}\n    {command}\n")
        code, said = _doctor(running, "--json")
        assert code == 1
        assert json.loads(said)["problems"] == [{"what": told, "command": command}]
        _router(topology, command)
        assert _doctor(running) == (0, "nothing is wrong\n")
