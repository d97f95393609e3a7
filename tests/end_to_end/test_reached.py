"""It can always be looked at and stopped, whatever its clients, its files and its helper do."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from end_to_end.harness import DEADLINE, greet, helper_of, router_state, status, udp_pair, until
from ratsnake.daemon.control.control_client import ask_for_change
from ratsnake.daemon.user_errors import RunError
from ratsnake.lab import EXTERNAL, LAN_PREFIX, RunningNat, Topology, nat
from ratsnake.lab.router_nat import GatewayError

GUEST = 12345
METRICS = 9469

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root")


@contextmanager
def _hanging(running: RunningNat, count: int, user: int) -> Iterator[None]:
    """So many clients of that user, who ask nothing."""
    running.control.parent.chmod(0o755)
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        os.setresuid(user, user, user)
        clients = []
        for _ in range(count):
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].connect(str(running.control))
        there.send(b"!")
        signal.pause()
    with here, there:
        assert here.recv(1) == b"!"
        try:
            yield
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_idle_clients_lock_out_neither_root_nor_the_end(topology: Topology) -> None:
    with (
        nat(topology, arguments=["--control-mode", "0666"]) as running,
        _hanging(running, 24, GUEST),
    ):
        for _ in range(10):
            assert status(running)["pid"] == running.process.pid
        running.process.terminate()
        assert running.process.wait(DEADLINE) == 0


def test_idle_clients_of_roots_make_room(topology: Topology) -> None:
    with nat(topology) as running, _hanging(running, 24, 0):

        def is_served() -> bool:
            try:
                return bool(status(running)["pid"] == running.process.pid)
            except RunError as error:
                assert "are being served already; try again" in str(error)
                return False

        until(is_served, "there is room")


def test_without_descriptors_root_is_still_served_and_it_is_told_once(topology: Topology) -> None:
    with nat(topology, arguments=["--control-mode", "0666"]) as running:
        process = running.process.pid
        opened = [int(one) for one in os.listdir(f"/proc/{process}/fd")]
        most = resource.prlimit(process, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(process, resource.RLIMIT_NOFILE, (max(opened) + 1, most))
        holes = max(opened) + 1 - len(opened)
        with _hanging(running, holes, 0):
            assert status(running)["pid"] == process
            assert status(running)["pid"] == process
            assert running.log().count("no file descriptors are left") == 1
        resource.prlimit(process, resource.RLIMIT_NOFILE, (most, most))
        assert status(running)["pid"] == process


def _reload(running: RunningNat) -> dict[str, Any]:
    return ask_for_change(str(running.control), "reload", {}, lambda seconds: None)


def test_a_helper_that_stands_still_fails_a_reload_which_then_works(
    topology: Topology, tmp_path: Path
) -> None:
    file = tmp_path / "nat.toml"
    text = f'[nat]\nexternal = ["{EXTERNAL}"]\ninternal = ["{LAN_PREFIX}"]\n'
    file.write_text(text)
    before = router_state(topology)
    arguments = ["--config", str(file)]
    with nat(topology, external=(), internal=(), arguments=arguments) as running:
        file.write_text(text + "[types]\nnat = 'full-cone'\n")
        helper = helper_of(running)
        os.kill(helper, signal.SIGSTOP)
        for _ in range(3):
            with pytest.raises(RunError, match=r"does not answer \(is it stopped\?\)"):
                _reload(running)
            assert status(running)["types"]["udp"] != "full-cone"
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in running.log(), "the signal is heard")
        assert status(running)["types"]["udp"] != "full-cone"
        with udp_pair(topology) as (near, far):
            greet(near, far)
        os.kill(helper, signal.SIGCONT)

        def is_reloaded() -> bool:
            try:
                return bool(_reload(running))
            except RunError as error:
                assert "does not answer" in str(error)
                return False

        until(is_reloaded, "it answers again")
        assert status(running)["types"]["udp"] == "full-cone"
    assert router_state(topology) == before


def test_a_log_of_events_that_nobody_reads_holds_up_nothing(
    topology: Topology, tmp_path: Path
) -> None:
    """A pipe that is full."""
    pipe = tmp_path / "events"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        arguments = ["--events", str(pipe), "--event-kinds", "session"]
        with nat(topology, "full-cone", arguments=arguments) as running, ExitStack() as stack:
            lan = topology.hosts[0].namespace
            near = stack.enter_context(lan.socket(socket.AF_INET))
            for port in range(1, 2000):
                near.sendto(b"x", (topology.remotes[0], port))
            until(
                lambda: status(running)["counters"]["outbound"]["packets"] > 1000, "flows are open"
            )
            running.process.terminate()
            assert running.process.wait(DEADLINE) == 0
    finally:
        os.close(reader)


def test_slow_scrapers_hold_up_neither_a_scrape_nor_the_end(topology: Topology) -> None:
    def scrape() -> str:
        url = f"http://127.0.0.1:{METRICS}/metrics"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            return str(answer.read().decode())

    arguments = ["--metrics", f"127.0.0.1:{METRICS}"]
    with nat(topology, arguments=arguments) as running, ExitStack() as stack:
        for _ in range(12):
            slow = stack.enter_context(topology.router.socket(socket.AF_INET))
            slow.connect(("127.0.0.1", METRICS))
            slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert "ratsnake_packets_total" in topology.router.run(scrape)
        running.process.terminate()
        assert running.process.wait(DEADLINE) == 0


_TEXTS = ["a\0b", "\0", "\ud800", "\udcff", "\N{SNOWMAN}", "é" * 300, "\x1b[31m", "a\nb", "", " "]
_REQUESTS: list[dict[str, Any]] = [
    {"command": "TEXT"},
    *({"command": table, "host": "TEXT"} for table in ("mappings", "sessions", "ports", "flush")),
    {"command": "sessions", "protocol": "TEXT"},
    {"command": "sessions", "remote": "TEXT"},
    {"command": "sessions", "external": "TEXT"},
    {"command": "hosts", "host": "TEXT"},
    {"command": "watch", "kinds": ["TEXT"]},
    {"command": "watch", "host": "TEXT"},
    {"command": "capture", "remote": "TEXT"},
    {"command": "explain", "protocol": "TEXT"},
    {"command": "explain", "protocol": "udp", "source": "TEXT", "destination": "198.51.100.1"},
    {"command": "forward", "add": "TEXT"},
    {"command": "forward", "add": "tcp:80=TEXT"},
    {"command": "forward", "remove": "TEXT"},
]


def _answer(running: RunningNat, line: bytes) -> bytes:
    """All of it, or of one without an end what comes first."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(running.control))
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as answer:
            return answer.readline()


def test_odd_texts_in_requests_are_told_and_end_nothing(topology: Topology) -> None:
    with nat(topology) as running:
        for request in _REQUESTS:
            for text in _TEXTS:
                filled = json.dumps(request).replace("TEXT", json.dumps(text)[1:-1])
                answer = json.loads(_answer(running, filled.encode()))
                if "error" in answer:
                    assert "failed to answer" not in answer["error"], filled
        for line in (b"\xff\xfe", b"\0" * 100, b'{"command": "\xff"}', b'{"command": "status"}\0'):
            assert b"the request is not JSON" in _answer(running, line)
        assert status(running)["pid"] == running.process.pid
        assert "Traceback" not in running.log() and "failed" not in running.log()


@pytest.mark.parametrize("user", [(), ("--user", "nobody")], ids=["root", "nobody"])
def test_of_two_nats_on_one_state_file_the_second_is_refused(
    topology: Topology, open_folder: Path, user: tuple[str, ...]
) -> None:
    path = open_folder / "flows" / "state"
    arguments = ["--state", str(path), "--state-period", "1", *user]
    with nat(topology, arguments=arguments) as running:
        until(path.exists, "it has been written")
        before = path.stat().st_mtime_ns
        until(lambda: path.stat().st_mtime_ns != before, "it has been replaced")
        both = (
            rf"another NAT's \(device ratsnake, process {running.process.pid}\), which still runs"
        )
        others = ["--device", "other", "--control", str(open_folder / "other"), *arguments]
        with (
            pytest.raises(GatewayError, match=both),
            nat(topology, external=["203.0.113.77"], arguments=others),
        ):
            pass
        running.process.kill()
        running.process.wait()
    with nat(topology, arguments=arguments) as running:
        assert status(running)["pid"] == running.process.pid
