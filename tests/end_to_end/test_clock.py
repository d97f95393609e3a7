"""A NAT that was held for a while, as a virtual machine is; and a clock that stands elsewhere."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, greet, rows, status, udp_pair, until
from ratsnake.lab import Topology, gateway, nat, traffic

_HELD = 3.0  # seconds, longer than the timeout below
_FAR_AHEAD = 4_000_000_000  # seconds of CLOCK_MONOTONIC: 126 years of uptime


def test_after_a_pause_what_is_due_has_ended_and_the_rest_goes_on(topology: Topology) -> None:
    with (
        nat(topology, arguments=("--timeout", "udp=2")) as running,
        udp_pair(topology) as (near, far),
        traffic.connection(topology) as (caller, called),
    ):
        external = greet(near, far)
        os.kill(running.process.pid, signal.SIGSTOP)
        held = time.monotonic() + _HELD
        while time.monotonic() < held:
            time.sleep(held - time.monotonic())
        os.kill(running.process.pid, signal.SIGCONT)
        caller.sendall(b"still here")
        called.settimeout(DEADLINE)
        assert called.recv(100) == b"still here"
        until(
            lambda: [row["protocol"] for row in rows(running, "sessions")] == ["tcp"],
            "the UDP flow that is due has ended, and no other",
        )
        far.sendto(b"late", external)
        until(lambda: drops(running).get("no-mapping") == 1, "what comes late is for nobody")
        assert greet(near, far)[0] == external[0]
        assert status(running)["rates"] is not None


def test_a_clock_126_years_ahead_is_a_clock(
    topology: Topology, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a time namespace (time_namespaces(7)); a session's time of expiry has 45 bits."""
    unshare = shutil.which("unshare")
    assert unshare is not None
    program = (unshare, "-T", "--monotonic", str(_FAR_AHEAD), "--boottime", str(_FAR_AHEAD))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {" ".join(program)} {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(gateway.sys, "executable", str(python))
    with (
        nat(topology, arguments=("--timeout", "udp=2")) as running,
        udp_pair(topology) as (near, far),
        traffic.connection(topology) as (caller, called),
    ):
        greet(near, far)
        caller.sendall(b"now")
        called.settimeout(DEADLINE)
        assert called.recv(100) == b"now"
        (session,) = (row for row in rows(running, "sessions") if row["protocol"] == "tcp")
        assert 7300 < session["expires"] <= 7440
        until(
            lambda: [row["protocol"] for row in rows(running, "sessions")] == ["tcp"],
            "the UDP flow ends when it is due",
        )
