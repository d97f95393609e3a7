"""`ratsnake run` as a process, with a real TUN in a network namespace of its own."""

import ctypes
import json
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ratsnake.daemon.control.control_client import ask, ask_rows
from ratsnake.daemon.user_errors import UsageError
from ratsnake.lab.namespace import Namespace

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
DEADLINE = 20.0
libc = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/dev/net/tun"),
    reason="needs root and /dev/net/tun",
)

BASE = ["--external", "203.0.113.1", "--internal", "192.0.2.128/25"]


class Running:
    """A `ratsnake run` that has said it is ready."""

    def __init__(self, process: subprocess.Popen[str], ready: str, control: str) -> None:
        self.process = process
        self.ready = ready
        self.control = control
        self.namespace = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY)

    def inside(self, function: Callable[[], T]) -> T:
        """Call a function in the NAT's network namespace."""

        def enter() -> T:
            assert libc.setns(self.namespace, CLONE_NEWNET) == 0
            return function()

        with ThreadPoolExecutor(1) as thread:  # it ends, and its namespace is forgotten
            return thread.submit(enter).result()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit status, the rest of stdout, stderr."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err

    def send(self, source: str, destination: str, payload: bytes = b"x") -> None:
        """Send a UDP packet to the device as a router would forward it."""
        self.inside(lambda: send_raw(self.status()["device"], source, destination, payload))

    def status(self) -> dict[str, Any]:
        return next(iter(ask(self.control, "status")))


def send_raw(device: str, source: str, destination: str, payload: bytes) -> None:
    udp = struct.pack("!4H", 5000, 53, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 17, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        raw.sendto(head + addresses + udp, (destination, 0))


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(DEADLINE), "not ready in time"
    return process.stdout.readline()


def start(control: str, *argv: str, namespace: int | None = None) -> subprocess.Popen[str]:
    def enter() -> None:
        failed = libc.unshare(CLONE_NEWNET) if namespace is None else libc.setns(namespace, 0)
        if failed:
            os._exit(99)

    return subprocess.Popen(
        [sys.executable, "-m", "ratsnake", "run", *BASE, "--control", control, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=enter,
    )


@contextmanager
def running(folder: Path, *argv: str) -> Iterator[Running]:
    control = str(folder / "control.sock")
    process = start(control, *argv)
    with ExitStack() as cleanup:
        cleanup.callback(process.wait)
        cleanup.callback(process.kill)
        line = first_line(process)
        if not line.startswith("ready"):
            pytest.fail(f"not ready: {line!r} {process.communicate(timeout=DEADLINE)}")
        nat = Running(process, line, control)
        cleanup.callback(os.close, nat.namespace)
        yield nat


@contextmanager
def service_manager(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What a NAT that is started meanwhile tells a service manager that watches it."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(DEADLINE)
        yield manager


def interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def setting(name: str) -> str:
    return Path("/proc/sys/net/ipv4", name).read_text().strip()


def delete(interface: str) -> None:
    """RTM_DELLINK of rtnetlink(7)."""
    index = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        body = struct.pack("=BBHiII", 0, 0, 0, index, 0, 0)
        netlink.send(struct.pack("=IHHII", 16 + len(body), 17, 1 | 4, 1, 0) + body)
        answer = netlink.recv(4096)
    assert struct.unpack_from("=i", answer, 16) == (0,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_ready_line_and_nothing_left_behind(number: int, tmp_path: Path) -> None:
    with running(tmp_path, "--device", "rat5", "--nat", "full-cone") as nat:
        assert nat.ready.startswith("ready: rat5 external=203.0.113.1 ports=1024-65535 ")
        assert "tcp=full-cone udp=full-cone icmp=full-cone" in nat.ready
        assert nat.inside(interfaces) == ["lo", "rat5"]
        status, out, err = nat.stop(number)
        assert (status, out) == (0, "")
        assert "Traceback" not in err
        assert nat.inside(interfaces) == ["lo"]
    assert not list(tmp_path.iterdir())


def test_status_says_what_was_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "--tcp", "symmetric", "--ports", "5000-5009,7000") as nat:
        status = nat.status()
        assert status["pid"] == nat.process.pid
        assert status["device"] == "ratsnake"
        (external,) = status["external"]
        assert (external["address"], external["ports"]) == ("203.0.113.1", "5000-5009,7000")
        assert external["follows"] is external["lost"] is None
        assert status["types"]["tcp"] == "symmetric"
        assert status["types"]["udp"] == "port-restricted-cone"
        assert status["usage"]["ports"]["udp"]["total"] == 11
        assert status["memory"] <= 40_000
        nat.stop()


def test_a_packet_makes_a_mapping_and_a_session(tmp_path: Path) -> None:
    with running(tmp_path, "--ports", "7000") as nat:
        nat.send("192.0.2.130", "198.51.100.1")
        wait_for(lambda: nat.status()["counters"]["outbound"]["packets"] == 1)
        (mapping,) = ask(nat.control, "mappings")
        (session,) = ask(nat.control, "sessions")
        assert (mapping["internal"], mapping["internal_port"]) == ("192.0.2.130", 5000)
        assert (mapping["external"], mapping["external_port"]) == ("203.0.113.1", 7000)
        assert (session["remote"], session["remote_port"]) == ("198.51.100.1", 53)
        assert session["packets_out"] == 1
        for command in ("status", "mappings", "sessions"):
            done = subprocess.run(
                [sys.executable, "-m", "ratsnake", command, "--json", "--control", nat.control],
                capture_output=True,
                check=True,
            )
            assert json.loads(done.stdout)
        nat.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask until it is so; every question takes the control socket's time, not the processor's."""
    stop = threading.Event()
    timer = threading.Timer(DEADLINE, stop.set)
    timer.start()
    try:
        while not condition():
            assert not stop.is_set(), "did not come about in time"
    finally:
        timer.cancel()


def test_a_status_request_is_answered_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path) as nat:
        nat.send("192.0.2.130", "192.0.2.2")
        assert nat.process.stderr is not None
        line = ""
        while " INFO status: up " not in line:
            line = nat.process.stderr.readline()
            assert line
        nat.stop()


def test_a_second_one_on_the_same_socket_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as nat:
        second = start(nat.control, "--device", "other")
        out, err = second.communicate(timeout=DEADLINE)
        assert (second.returncode, out) == (1, "")
        assert err.startswith("ratsnake: error: a ratsnake is already running at ")
        assert nat.status()["pid"] == nat.process.pid
        nat.stop()


def test_a_device_in_use_is_refused_and_the_socket_removed(tmp_path: Path) -> None:
    with running(tmp_path) as nat:
        second = start(str(tmp_path / "second.sock"), namespace=nat.namespace)
        out, err = second.communicate(timeout=DEADLINE)
        assert (second.returncode, out) == (1, "")
        assert "ratsnake: error: device ratsnake" in err
        assert not (tmp_path / "second.sock").exists()
        nat.stop()


def test_a_device_that_disappears_is_an_error_with_everything_undone(tmp_path: Path) -> None:
    with running(tmp_path, "--lan", "lo") as nat:
        assert nat.inside(lambda: setting("ip_forward")) == "1"
        nat.inside(lambda: delete("ratsnake"))
        status, out, err = nat.end()
        assert (status, out) == (1, "")
        last = err.splitlines()[-1]
        assert last.startswith("ratsnake: error: device ratsnake: ")
        assert "Traceback" not in err
        assert nat.inside(lambda: setting("ip_forward")) == "0"
    assert not list(tmp_path.iterdir())


def test_lan_is_routed_and_given_back(tmp_path: Path) -> None:
    with running(tmp_path, "--lan", "lo") as nat:
        assert nat.inside(lambda: setting("conf/ratsnake/rp_filter")) == "2"
        assert nat.inside(lambda: setting("ip_forward")) == "1"
        status, _, err = nat.stop()
        assert status == 0
        assert "WARNING interface lo is down" in err
        assert nat.inside(lambda: setting("ip_forward")) == "0"


def test_a_service_manager_hears_ready_then_signs_of_life_then_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nat").mkdir()
    with (
        service_manager(tmp_path / "notify", monkeypatch) as manager,
        running(tmp_path / "nat") as nat,
    ):
        first = manager.recv(4096).decode().split("\n")
        assert first == ["READY=1", f"STATUS={nat.ready.strip()}"]
        for _ in range(3):
            sign, state = manager.recv(4096).decode().split("\n")
            assert sign == "WATCHDOG=1"
            assert re.match(r"STATUS=status: up \d+ s; 0 mappings, 0 sessions;", state)
        assert nat.stop()[0] == 0
        last = ""
        while not last.startswith("STOPPING"):
            last = manager.recv(4096).decode()
        assert last == "STOPPING=1\nSTATUS=stopping"


CONFIGURATION = '[types]\nnat = "full-cone"\n[timeouts]\nudp = 60\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "nat.toml"
    file.write_text(CONFIGURATION)
    return file


def next_log(nat: Running, text: str) -> str:
    """The next line of the log with this text."""
    assert nat.process.stderr is not None
    line = ""
    while text not in line:
        line = nat.process.stderr.readline()
        assert line, "the log is over"
    return line.strip()


def test_a_hang_up_reloads_the_file_or_says_why_not(tmp_path: Path, file: Path) -> None:
    with running(tmp_path, "--config", str(file), "--tcp", "symmetric") as nat:
        file.write_text('[types]\nnat = "restricted-cone"\ntcp = "full-cone"\n')
        nat.process.send_signal(signal.SIGHUP)
        next_log(nat, 'INFO types.nat: "full-cone" -> "restricted-cone"')
        next_log(nat, "INFO timeouts.udp: 60 -> 300")
        next_log(nat, "INFO settings changed: 2; sessions kept: 0, ended: 0")
        types = nat.status()["types"]
        assert (types["udp"], types["tcp"]) == ("restricted-cone", "symmetric")
        file.write_text('[types]\nnat = "cone"\n')
        nat.process.send_signal(signal.SIGHUP)
        line = next_log(nat, "ERROR nothing is reloaded:")
        assert f"{file}: types.nat cone: no such NAT type" in line
        assert nat.status()["types"] == types
        nat.process.send_signal(signal.SIGHUP)
        assert nat.stop()[0] == 0


def test_a_reload_by_command_prints_what_changed_or_the_error_of_check(
    tmp_path: Path, file: Path
) -> None:
    def typed(*command: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "ratsnake", *command], capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    with running(tmp_path, "--config", str(file)) as nat:
        file.write_text("[timeouts]\nudp = 30\n")
        status, out, err = typed("reload", "--control", nat.control)
        assert (status, err) == (0, "")
        assert out.splitlines() == [
            f"{file}: 2 changed",
            '  types.nat: "full-cone" -> "port-restricted-cone"',
            "  timeouts.udp: 60 -> 30",
            "flows: 0 kept, 0 ended",
        ]
        file.write_text('[nat]\nexternal = ["203.0.113.1"]\n[types]\nnat = "cone"\n')
        checked = typed("check", str(file))
        assert typed("reload", "--control", nat.control) == checked
        assert checked[0] == 2
        file.write_text('[host]\nuser = "nobody"\n')
        status, _, err = typed("reload", "--control", nat.control)
        assert status == 1
        assert f'{file}: host.user: not set -> "nobody": cannot change while the NAT runs' in err
        assert nat.status()["types"]["udp"] == "port-restricted-cone"
        nat.stop()


def test_without_a_file_there_is_nothing_to_reload_and_a_hang_up_is_the_end(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as nat:
        with pytest.raises(UsageError, match="nothing to reload"):
            next(ask(nat.control, "reload"))
        assert nat.stop(signal.SIGHUP)[0] == 0


def test_a_stop_that_comes_with_a_hang_up_is_a_stop(tmp_path: Path, file: Path) -> None:
    with running(tmp_path, "--config", str(file)) as nat:
        os.kill(nat.process.pid, signal.SIGSTOP)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
            os.kill(nat.process.pid, number)
        status, _, err = nat.end()
        assert status == 0
        assert "Traceback" not in err


def test_a_service_manager_hears_of_a_reload(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nat").mkdir()
    with (
        service_manager(tmp_path / "notify", monkeypatch) as manager,
        running(tmp_path / "nat", "--config", str(file)) as nat,
    ):
        assert manager.recv(4096).startswith(b"READY=1\n")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        file.write_text('[types]\nnat = "symmetric"\n')
        nat.process.send_signal(signal.SIGHUP)
        told = heard(manager, "RELOADING=1")
        moment = int(told[1].removeprefix("MONOTONIC_USEC="))
        assert before <= moment <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert re.match("STATUS=ready: ratsnake .* udp=symmetric ", heard(manager, "READY=1")[1])
        nat.stop()


def heard(manager: socket.socket, first: str) -> list[str]:
    """The next datagram that begins so."""
    while True:
        fields = manager.recv(4096).decode().split("\n")
        if fields[0] == first:
            return fields


def test_reloads_and_listings_at_once_come_one_after_the_other(tmp_path: Path, file: Path) -> None:
    with running(tmp_path, "--config", str(file)) as nat:

        def reload(number: int) -> None:
            other = file.with_name(f"{number}.toml")
            other.write_text(f"[timeouts]\nudp = {60 + number}\n")
            other.replace(file)
            assert next(ask(nat.control, "reload"))["ended"] == 0
            nat.process.send_signal(signal.SIGHUP)
            assert list(ask_rows(nat.control, "sessions", {})) == []
            assert nat.status()["pid"] == nat.process.pid

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(reload, range(12)))
        file.write_text(CONFIGURATION)
        assert next(ask(nat.control, "reload"))["kept"] == 0
        assert nat.status()["types"]["udp"] == "full-cone"
        status, _, err = nat.stop()
        assert (status, "Traceback" in err) == (0, False)


def test_many_reloads_leave_no_memory_behind(tmp_path: Path, file: Path) -> None:
    with running(tmp_path, "--config", str(file)) as nat:
        used = []
        for round in range(12):
            file.write_text(f"[timeouts]\nudp = {60 + round}\n")
            assert list(ask(nat.control, "reload"))[0]["changed"]
            used.append(nat.status()["memory"])
        assert used[-1] - used[3] < 2000, used  # kB; a NAT alone takes more
        nat.stop()


def test_what_the_host_refuses_is_told_with_everything_undone(tmp_path: Path) -> None:
    with Namespace("machine") as machine:
        with machine.netlink() as netlink:
            netlink.addr("add", index=1, address="203.0.113.1", prefixlen=32)
        control = str(tmp_path / "control.sock")
        process = start(control, "--lan", "lan7", namespace=machine.fileno())
        out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (1, "")
    assert "ratsnake: error: --external 203.0.113.1: is assigned to lo of this host" in err
    assert not list(tmp_path.iterdir())
