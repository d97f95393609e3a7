"""The unit under systemd itself: it starts when ready, is watched, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import greet, router_state, udp_pair, until, without_left
from end_to_end.machine import NEEDED, Machine, machine
from ratsnake.daemon.state.state_file import FLOWS_AT
from ratsnake.lab import EXTERNAL, LAN_PREFIX, Topology
from ratsnake.lab.topology import LAN_INTERFACE, WAN_INTERFACE

_FOLDER = Path(__file__).parents[2] / "contrib" / "systemd"
_CONFIGURATION = f"""
[nat]
external = ["{EXTERNAL}"]
internal = ["{LAN_PREFIX}"]

[host]
lan = "{LAN_INTERFACE}"
"""
# Where the program is here, which the unit's view of the files would not show.
_HERE = f"""
[Service]
ExecStart=
ExecStart={sys.executable} -m ratsnake run --config /etc/ratsnake.toml
ExecReload=
ExecReload={sys.executable} -m ratsnake reload
ExecStopPost=
ExecStopPost=+{sys.executable} -m ratsnake host repair
ProtectHome=tmpfs
BindReadOnlyPaths={" ".join(NEEDED)}
Environment=PYTHONDONTWRITEBYTECODE=1
RestartSec=0
"""
_IMPATIENT = "[Service]\nWatchdogSec=2\n"
_ONCE = "[Service]\nRestart=no\n"
_STATE = '[state]\nfile = "/var/lib/ratsnake/state"\nperiod = 1\n'


@pytest.fixture
def router(topology: Topology, program: Callable[[str], str]) -> Iterator[Machine]:
    """A machine with the unit, installed as it says."""
    for needed in ("systemctl", "unshare", "nsenter"):
        program(needed)
    if os.geteuid() != 0:
        pytest.skip("not root: cannot start a machine")
    with machine(topology) as booted:
        for name, installed in (
            ("ratsnake.service", "/etc/systemd/system/ratsnake.service"),
            ("ratsnake.sysusers", "/etc/sysusers.d/ratsnake.conf"),
        ):
            booted.write(installed, (_FOLDER / name).read_text())
        booted.write("/etc/systemd/system/ratsnake.service.d/here.conf", _HERE)
        booted.write("/etc/ratsnake.toml", _CONFIGURATION)
        booted.done("systemd-sysusers", "ratsnake.conf")
        booted.done("systemctl", "daemon-reload")
        yield booted


def _main_process(router: Machine) -> int:
    return int(router.shown("ratsnake", "MainPID"))


def test_its_life(topology: Topology, router: Machine) -> None:
    before = router_state(topology)
    router.write("/etc/systemd/system/ratsnake.service.d/impatient.conf", _IMPATIENT)
    router.done("systemctl", "daemon-reload")
    router.done("systemctl", "start", "ratsnake")
    with udp_pair(topology) as (near, far):
        greet(near, far)
    assert f"external={EXTERNAL}" in router.shown("ratsnake", "StatusText")
    first = _main_process(router)

    # A packet loop that stands still is replaced.
    router.done("kill", f"-{signal.SIGSTOP}", str(first))
    until(lambda: _main_process(router) not in (0, first), "the watchdog has bitten")
    until(lambda: router.shown("ratsnake", "ActiveState") == "active", "it is there again")
    with udp_pair(topology) as (near, far):
        greet(near, far)

    router.done("systemctl", "stop", "ratsnake")
    assert router.shown("ratsnake", "Result") == "success"
    assert router_state(topology) == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_whatever_kills_all_of_it_the_unit_repairs(
    topology: Topology, router: Machine, number: signal.Signals
) -> None:
    """The NAT and the process that would undo for it, at once; no other start comes after."""
    before = router_state(topology)
    router.write("/etc/systemd/system/ratsnake.service.d/once.conf", _ONCE)
    router.done("systemctl", "daemon-reload")
    router.done("systemctl", "start", "ratsnake")
    assert router_state(topology)["rules"] != before["rules"]
    router.done("systemctl", "kill", f"--signal={number}", "ratsnake")
    until(lambda: router.shown("ratsnake", "ActiveState") == "failed", "it has ended")
    assert without_left(router_state(topology)) == without_left(before)


def test_flows_outlive_a_kill_9(topology: Topology, router: Machine) -> None:
    router.write("/etc/ratsnake.toml", _CONFIGURATION + _STATE)
    router.done("systemctl", "start", "ratsnake")
    first = _main_process(router)
    with udp_pair(topology) as (near, far):
        external = greet(near, far)

        def is_kept() -> bool:
            sizes = router.run("stat", "--format=%s", "/var/lib/ratsnake/state").stdout.split()
            return sizes != [] and int(sizes[0]) > FLOWS_AT

        until(is_kept, "the flow is in the file")
        router.done("kill", f"-{signal.SIGKILL}", str(first))
        until(lambda: _main_process(router) not in (0, first), "it starts again")
        until(lambda: router.shown("ratsnake", "ActiveState") == "active", "it is there again")
        far.sendto(b"later", external)
        assert near.recv(100) == b"later"


def test_a_reload_waits_for_the_new_settings_and_fails_where_they_are_refused(
    topology: Topology, router: Machine
) -> None:
    """The file names the way out, so the host is looked at again, by the service's user."""
    configuration = f'{_CONFIGURATION}wan = "{WAN_INTERFACE}"\n'
    router.write("/etc/ratsnake.toml", configuration)
    router.done("systemctl", "start", "ratsnake")
    first = _main_process(router)
    with udp_pair(topology) as (near, far):
        external = greet(near, far)
        router.write("/etc/ratsnake.toml", configuration + '[types]\nnat = "full-cone"\n')
        router.done("systemctl", "reload", "ratsnake")
        assert " udp=full-cone " in router.shown("ratsnake", "StatusText")
        assert greet(near, far) == external

        router.write("/etc/ratsnake.toml", configuration + '[typs]\nnat = "symmetric"\n')
        assert router.run("systemctl", "reload", "ratsnake").returncode != 0
        journal = router.done("journalctl", "--no-pager", "--unit=ratsnake")
        assert "/etc/ratsnake.toml: [typs]: no such section; did you mean types?" in journal
        assert router.shown("ratsnake", "ActiveState") == "active"
        assert greet(near, far) == external
    assert _main_process(router) == first


@pytest.mark.parametrize("sink", ["journald", "syslog"])
def test_events_are_in_the_journal(topology: Topology, router: Machine, sink: str) -> None:
    router.write("/etc/ratsnake.toml", f'{_CONFIGURATION}\n[events]\nsink = "{sink}"\n')
    router.done("systemctl", "start", "ratsnake")
    with udp_pair(topology) as (near, far):
        external = greet(near, far)
    transport = {"journald": "journal", "syslog": "syslog"}[sink]

    def mappings() -> list[dict[str, Any]]:
        lines = router.done(
            "journalctl", "--no-pager", "--output=cat", "-t", "ratsnake", f"_TRANSPORT={transport}"
        ).splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "mapping-made"]

    until(lambda: mappings() != [], "the mapping is in the journal")
    (made,) = mappings()
    assert (made["external"], made["external_port"]) == external


def test_a_mistake_in_its_file_is_told_once(router: Machine) -> None:
    router.write("/etc/ratsnake.toml", _CONFIGURATION + "\n[nat2]\n")
    assert router.run("systemctl", "start", "ratsnake").returncode != 0
    assert router.shown("ratsnake", "ActiveState") == "failed"
    assert (router.shown("ratsnake", "NRestarts"), router.shown("ratsnake", "ExecMainStatus")) == (
        "0",
        "2",
    )
    journal = router.done("journalctl", "--no-pager", "--unit=ratsnake")
    assert "/etc/ratsnake.toml" in journal and "nat2" in journal
