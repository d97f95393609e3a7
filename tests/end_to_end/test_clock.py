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
from end_to_end.shifted_clock import ShiftedClock
from ratsnake.lab import RunningNat, Topology, nat, router_nat, traffic_generator

_HOUR = 3600
_HELD = 3.0  # seconds, longer than the timeout below
_FAR_AHEAD = 4_000_000_000  # seconds of CLOCK_MONOTONIC: 126 years of uptime


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ShiftedClock:
    """That of every NAT of the test."""
    clock = ShiftedClock(tmp_path)
    monkeypatch.setattr(router_nat.sys, "executable", str(clock.python))
    return clock


def rates_of(running: RunningNat) -> list[float]:
    """All rates, once there are any."""
    until(lambda: status(running)["rates"] is not None, "the counters were looked at twice")
    rates = status(running)["rates"]
    return [
        number
        for value in rates.values()
        for number in (value.values() if isinstance(value, dict) else [value])
    ]


def protocols(running: RunningNat) -> list[str]:
    return [row["protocol"] for row in rows(running, "sessions")]


def is_written_again(state: Path) -> None:
    before = state.stat().st_mtime_ns if state.exists() else 0
    until(
        lambda: state.exists() and state.stat().st_mtime_ns != before,
        "the state file is written again",
    )


def test_a_jump_of_an_hour_ends_what_is_due_and_nothing_more(
    topology: Topology, clock: ShiftedClock, tmp_path: Path
) -> None:
    state = tmp_path / "flows"
    with (
        nat(topology, arguments=("--state", str(state), "--state-period", "1")) as running,
        udp_pair(topology) as (near, far),
        traffic_generator.connection(topology) as (caller, called),
    ):
        external = greet(near, far)
        called.settimeout(DEADLINE)
        is_written_again(state)
        rates_of(running)
        clock.shift(_HOUR)
        until(lambda: protocols(running) == ["tcp"], "the UDP flow that is due has ended")
        (session,) = rows(running, "sessions")
        assert 0 < session["expires"] <= 7440 - _HOUR
        assert min(rates_of(running)) >= 0
        far.sendto(b"late", external)
        until(lambda: drops(running).get("no-mapping") == 1, "what comes late is for nobody")
        caller.sendall(b"still here")
        assert called.recv(100) == b"still here"
        assert rows(running, "sessions")[0]["expires"] > 7300
        greet(near, far)
        is_written_again(state)


def test_a_clock_that_went_back_ends_nothing_early(
    topology: Topology, clock: ShiftedClock, tmp_path: Path
) -> None:
    """The kernel's never does; a virtual machine's may that was put back to a snapshot."""
    state = tmp_path / "flows"
    clock.shift(2 * _HOUR)
    with (
        nat(topology, arguments=("--state", str(state), "--state-period", "1")) as running,
        udp_pair(topology) as (near, far),
        udp_pair(topology, host=1) as (later, far_of_later),
    ):
        external = greet(near, far)
        rates_of(running)
        clock.shift(_HOUR)
        assert greet(near, far) == external
        greet(later, far_of_later)
        assert protocols(running) == ["udp", "udp"]
        rates = status(running)["rates"]
        assert (
            rates is None
            or min(number for number in rates.values() if not isinstance(number, dict)) >= 0
        )
        is_written_again(state)
        clock.shift(2 * _HOUR + 310)
        until(lambda: protocols(running) == [], "when it has caught up, what is due ends")


def test_while_the_clock_stands_still_packets_pass_and_questions_are_answered(
    topology: Topology, clock: ShiftedClock
) -> None:
    """As that of a virtual machine may for a moment; a packet loop that only looked at it would
    never sleep again, nor do what it is asked for."""
    with (
        nat(topology, arguments=("--timeout", "udp=2")) as running,
        udp_pair(topology) as (near, far),
        udp_pair(topology, host=1) as (later, far_of_later),
    ):
        external = greet(near, far)
        clock.stand_still()
        assert greet(near, far) == external
        greet(later, far_of_later)
        assert protocols(running) == ["udp", "udp"]
        assert status(running)["usage"]["sessions"] == 2
        clock.shift(10)
        until(lambda: protocols(running) == [], "once it goes on, what is due ends")


def test_after_a_pause_what_is_due_has_ended_and_the_rest_goes_on(topology: Topology) -> None:
    with (
        nat(topology, arguments=("--timeout", "udp=2")) as running,
        udp_pair(topology) as (near, far),
        traffic_generator.connection(topology) as (caller, called),
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
        assert rates_of(running)


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
    monkeypatch.setattr(router_nat.sys, "executable", str(python))
    with (
        nat(topology, arguments=("--timeout", "udp=2")) as running,
        udp_pair(topology) as (near, far),
        traffic_generator.connection(topology) as (caller, called),
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
