"""The service's parts by themselves: signals and the packet loop's end, status, rows, log."""

import logging
import os
import selectors
import signal
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ratsnake.daemon import logging_setup
from ratsnake.daemon.control import control_protocol
from ratsnake.daemon.control.control_protocol import default_path, path_of_running
from ratsnake.daemon.loop.packet_loop_thread import NICE, PacketLoopThread, going_first
from ratsnake.daemon.run_description import ready
from ratsnake.daemon.signal_wakeup import PACKET_LOOP_ENDED, STOP_SIGNALS, Wakeup
from ratsnake.daemon.user_errors import UsageError
from ratsnake.daemon.views.status_object import Facts, Outside, resident_memory, status, summary
from ratsnake.portset import read_ports

ADDRESSES = (
    Outside("203.0.113.1", "1024-65535"),
    Outside("198.51.100.7", "7000", "interface:ppp0", "there is no interface ppp0"),
    Outside("2001:db8::1", None),
)
FACTS = Facts("0.1", "ratsnake", True, ("csum",), ADDRESSES, {"tcp": "full-cone"})


def test_the_ready_line_sums_up_many_ranges_of_ports() -> None:
    def line(ports: str) -> str:
        return ready(replace(FACTS, external=(Outside("203.0.113.1", ports),)))

    few = "1024-8021,8023-32767,61000-65534"
    assert f" external=203.0.113.1 ports={few} tcp=" in line(few)
    many = str(read_ports("v6plus:86"))
    summed = "(240 ports in 15 ranges, 5472-5487 to 62816-62831)"
    assert f" external=203.0.113.1 ports={summed} tcp=" in line(many)


class FakeTotals:
    def counters(self) -> dict[str, Any]:
        traffic = {"packets": 3, "bytes": 300}
        return {"outbound": traffic, "inbound": traffic, "dropped": {"filtered": 2, "no-port": 1}}

    def usage(self) -> dict[str, Any]:
        ports = {"tcp": {"used": 1, "total": 240}}
        return {"mappings": 1, "sessions": 2, "limits": {"mappings": 10}, "ports": ports}


class FakePacketLoop:
    """Runs until stopped, unless it has something else to end with."""

    def __init__(self, error: int = 0, failure: Exception | None = None) -> None:
        self.ends_by_itself = bool(error or failure)
        self.error, self.failure = error, failure
        self.stopped = threading.Event()

    def run(self) -> int:
        if not self.ends_by_itself:
            assert self.stopped.wait(10)
        if self.failure:
            raise self.failure
        return self.error

    def stop(self) -> None:
        self.stopped.set()


def readable(wakeup: Wakeup) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(wakeup, selectors.EVENT_READ)
        return bool(selector.select(10))


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signals_are_noted_and_handlers_put_back(number: int) -> None:
    before = signal.getsignal(number)
    with Wakeup() as wakeup:
        assert wakeup.noted() == []
        os.kill(os.getpid(), number)
        assert readable(wakeup)
        assert wakeup.noted() == [number]
        assert wakeup.noted() == []
    assert signal.getsignal(number) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Wakeup() as wakeup:
            os.kill(os.getpid(), signal.SIGHUP)
            assert wakeup.noted() == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_storm_of_signals_hides_no_other_and_not_the_packet_loops_end() -> None:
    with Wakeup() as wakeup:
        for _ in range(2000):
            os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        wakeup.packet_loop_ended()
        assert readable(wakeup)
        assert wakeup.noted() == [signal.SIGHUP, signal.SIGTERM, PACKET_LOOP_ENDED]
        assert wakeup.noted() == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert readable(wakeup)
        assert wakeup.noted() == [signal.SIGTERM]
        wakeup.put_back(signal.SIGHUP)
        assert wakeup.noted() == [signal.SIGHUP]


@pytest.mark.parametrize(
    "packet_loop", [FakePacketLoop(77), FakePacketLoop(failure=ValueError("defect"))]
)
def test_the_packet_loops_end_wakes_and_is_kept(packet_loop: FakePacketLoop) -> None:
    with Wakeup() as wakeup:
        with PacketLoopThread(packet_loop, wakeup.packet_loop_ended) as thread:
            assert readable(wakeup)
            assert wakeup.noted() == [PACKET_LOOP_ENDED]
        assert (thread.error, thread.failure) == (packet_loop.error, packet_loop.failure)


def test_leaving_stops_the_packet_loop() -> None:
    ended = threading.Event()
    with PacketLoopThread(FakePacketLoop(), ended.set) as thread:
        assert not ended.is_set()
    assert ended.is_set()
    assert (thread.error, thread.failure) == (0, None)


class Polite(FakePacketLoop):
    """Notes the priority it runs with."""

    def run(self) -> int:
        self.nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return super().run()


def test_the_packet_loop_goes_before_other_threads_where_that_is_allowed() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    packet_loop = Polite()
    thread = PacketLoopThread(packet_loop, lambda: None)
    with ExitStack() as running:
        with going_first():
            running.enter_context(thread)
        assert os.getpriority(os.PRIO_PROCESS, 0) == before
    try:
        os.setpriority(os.PRIO_PROCESS, 0, before - 1)
        os.setpriority(os.PRIO_PROCESS, 0, before)
    except PermissionError:
        assert packet_loop.nice == before
    else:
        assert packet_loop.nice == min(before, NICE)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_the_packet_loop_runs_where_it_may_not_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    with going_first(), PacketLoopThread(FakePacketLoop(), lambda: None) as thread:
        pass
    assert (thread.error, thread.failure) == (0, None)


def test_status_object() -> None:
    got = status(FACTS, FakeTotals(), 12.9, {"dropped": 1.0}, lambda: 86412.9)
    assert got["uptime"] == 12
    assert got["since"] == "1970-01-02T00:00:00Z"
    assert got["rates"] == {"dropped": 1.0}
    assert got["pid"] == os.getpid()
    assert got["offload"] == ["csum"]
    fixed = {"follows": None, "lost": None}
    assert got["external"] == [
        {"address": "203.0.113.1", "ports": "1024-65535", **fixed},
        {
            "address": "198.51.100.7",
            "ports": "7000",
            "follows": "interface:ppp0",
            "lost": "there is no interface ppp0",
        },
        {"address": "2001:db8::1", "ports": None, **fixed},
    ]
    assert got["types"] == {"tcp": "full-cone"}
    assert got["usage"]["sessions"] == 2
    assert got["memory"] > 1000
    line = summary(got)
    assert "\n" not in line
    assert "1 mappings, 2 sessions; ports tcp 1/240; out 3 packets" in line
    assert "dropped 3" in line


def test_resident_memory_is_what_the_kernel_says() -> None:
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    assert resident_memory() == pytest.approx(int(fields["VmRSS"].split()[0]), rel=0.1)


def test_a_log_record_is_one_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "first\n%s", ("second",), None)
    text = logging_setup.OneLine(logging_setup.FORMAT).format(record)
    assert text.endswith("WARNING first | second")


def test_default_socket_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert default_path("tun5") == "/run/user/1000/ratsnake/tun5.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(UsageError, match="--control"):
        default_path("tun5")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_path("tun5") == "/run/ratsnake/tun5.sock"


def test_the_socket_to_ask_is_the_users_own_or_the_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, service = tmp_path / "user" / "ratsnake", tmp_path / "service"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own.parent))
    monkeypatch.setattr(control_protocol, "ROOT_FOLDER", str(service))
    own.mkdir(parents=True)
    service.mkdir()
    assert path_of_running("tun5") == str(own / "tun5.sock")
    (service / "tun5.sock").touch()
    assert path_of_running("tun5") == str(service / "tun5.sock")
    (own / "tun5.sock").touch()
    assert path_of_running("tun5") == str(own / "tun5.sock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert path_of_running("tun5") == str(service / "tun5.sock")
    with pytest.raises(UsageError, match="--control"):
        path_of_running("tun6")
