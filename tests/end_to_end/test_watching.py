"""Looking at a NAT at work: its commands, its control socket, its log, its memory."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from end_to_end.harness import greet, readable, rows, status, udp_pair, until
from ratsnake.daemon.control.control_client import ask
from ratsnake.daemon.user_errors import RunError
from ratsnake.host.processes.forked_call import in_child
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import ROUTER_WAN

_STATUS_ADDRESS = "192.0.2.2"
_NOBODY = 65534
_METRICS_PORT = 9469
_MEMORY_LIMIT = 40_000  # kB


def _command(running: RunningNat, *argv: str) -> str:
    command = [sys.executable, "-m", "ratsnake", *argv, "--control", str(running.control)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@contextmanager
def _downloading(topology: Topology) -> Iterator[None]:
    """A download goes on from before the `with` until after it."""
    stop = Event()
    with traffic_generator.connection(topology) as (near, far), ThreadPoolExecutor(2) as pool:

        def send() -> None:
            while not stop.is_set():
                far.sendall(bytes(1 << 20))
            far.shutdown(socket.SHUT_WR)

        def receive() -> int:
            return sum(iter(lambda: len(near.recv(1 << 20)), 0))

        sending, receiving = pool.submit(send), pool.submit(receive)
        try:
            yield
        finally:
            stop.set()
            sending.result()
        assert receiving.result() % (1 << 20) == 0


def test_status_mappings_and_sessions_while_traffic_flows(topology: Topology) -> None:
    with (
        nat(topology, "full-cone") as running,
        _downloading(topology),
        udp_pair(topology) as (near, far),
    ):
        _, port = greet(near, far)
        for _ in range(3):
            answer = json.loads(_command(running, "status", "--json"))
            assert answer["pid"] == running.process.pid
            mappings = json.loads(_command(running, "mappings", "--json"))
            assert {row["protocol"] for row in mappings} == {"tcp", "udp"}
            sessions = json.loads(_command(running, "sessions", "--json"))
            assert {row["state"] for row in sessions} == {"established", "open"}
        (mapping,) = (row for row in mappings if row["protocol"] == "udp")
        assert mapping["internal_port"] == near.getsockname()[1]
        assert (mapping["external"], mapping["external_port"]) == (EXTERNAL, port)
        text = _command(running, "status")
        assert f"external      {EXTERNAL} ports 1024-65535" in text
        assert re.search(r"^  sessions +2 +\d+ +0 %", text, re.MULTILINE)
        internal = f"{topology.hosts[0].address}:{near.getsockname()[1]}"
        assert re.search(
            rf"^udp +{internal} +{EXTERNAL}:{port}\b", _command(running, "mappings"), re.MULTILINE
        )
        remote = f"{far.getsockname()[0]}:{far.getsockname()[1]}"
        assert re.search(
            rf"^udp +{internal} +{port} +-> {remote} +open ",
            _command(running, "sessions"),
            re.MULTILINE,
        )


def test_some_rows_of_many_and_top(topology: Topology) -> None:
    inside = str(topology.hosts[0].address)
    with (
        nat(topology, "full-cone") as running,
        udp_pair(topology, port=1000) as (near, far),
        udp_pair(topology, port=1001) as (other, far_other),
    ):
        greet(near, far)
        _, port = greet(other, far_other)
        for wanted in (("--remote", "*:1001"), ("--external", f"{EXTERNAL}:{port}")):
            filters = ("--host", f"{inside}:{other.getsockname()[1]}", "--protocol", "udp", *wanted)
            (session,) = json.loads(_command(running, "sessions", "--json", *filters))
            assert (session["remote_port"], session["external_port"]) == (1001, port)
        assert json.loads(_command(running, "mappings", "--json", "--protocol", "tcp")) == []
        heading, first, _ = _command(running, "sessions", "--csv", "--sort", "remote").splitlines()
        assert dict(zip(heading.split(","), first.split(","), strict=True))["remote_port"] == "1000"
        text = _command(running, "top", "--once", "--interval", "0.5")
        assert re.search(rf"^{inside} +2 +\d", text, re.MULTILINE)
        assert re.search(rf"^{EXTERNAL} +udp +2 +64512 +0$", text, re.MULTILINE)


def test_counters_count_what_passed(topology: Topology) -> None:
    with nat(topology) as running, udp_pair(topology) as (near, far):
        for _ in range(5):
            greet(near, far)
        counters = status(running)["counters"]
        assert counters["outbound"] == {"packets": 5, "bytes": 5 * (28 + len(b"out"))}
        assert counters["inbound"] == {"packets": 5, "bytes": 5 * (28 + len(b"back"))}
        assert sum(counters["dropped"].values()) == 0
        (session,) = rows(running, "sessions")
        assert (session["packets_out"], session["packets_in"]) == (5, 5)
        assert (session["bytes_out"], session["bytes_in"]) == (5 * 31, 5 * 32)


def test_metrics_are_told_on_the_loopback_and_end_with_the_nat(topology: Topology) -> None:
    with nat(topology, arguments=("--metrics", str(_METRICS_PORT))) as running:
        with udp_pair(topology) as (near, far):
            greet(near, far)
        with topology.router.socket(kind=socket.SOCK_STREAM) as scraper:
            scraper.connect(("127.0.0.1", _METRICS_PORT))
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            with scraper.makefile("rb") as file:
                lines = file.read().decode().splitlines()
        assert lines[0] == "HTTP/1.0 200 OK"
        assert f'ratsnake_ports_used{{external="{EXTERNAL}",protocol="udp"}} 1.0' in lines
        assert 'ratsnake_packets_total{direction="inbound"} 1.0' in lines
        with (
            topology.router.socket(kind=socket.SOCK_STREAM) as stranger,
            pytest.raises(ConnectionRefusedError),
        ):
            stranger.connect((ROUTER_WAN, _METRICS_PORT))
    assert running.process.returncode == 0


def test_another_user_is_refused(topology: Topology) -> None:
    """Also one who gets at the socket in spite of its mode."""
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")

    def as_nobody(path: str) -> str:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        with pytest.raises(RunError) as refused:
            list(ask(path, "status"))
        return str(refused.value)

    with nat(topology) as running:
        assert "only root and the owner" in in_child(as_nobody, str(running.control))
        for path in (running.control, *running.control.parents):
            if path != Path("/") and path.stat().st_uid == os.geteuid() and path != Path("/tmp"):
                path.chmod(0o777)
        assert "only root and the owner" in in_child(as_nobody, str(running.control))
        assert status(running)["pid"] == running.process.pid


def _status_lines(running: RunningNat) -> list[str]:
    return [line for line in running.log().splitlines() if " INFO status: " in line]


def test_a_ping_to_the_status_address_writes_the_status_to_the_log(topology: Topology) -> None:
    with nat(topology) as running, udp_pair(topology) as (near, far):
        ping(topology.hosts[0], topology.remotes[0])
        greet(near, far)
        with topology.hosts[0].namespace.socket() as asking:
            asking.sendto(b"how are you?", (_STATUS_ADDRESS, 1))
        until(lambda: len(_status_lines(running)) == 1, "the status is in the log")
        (line,) = _status_lines(running)
        assert "2 mappings, 2 sessions;" in line
        assert "out 2 packets, in 2 packets, dropped 1;" in line


def test_a_flood_of_status_requests_is_answered_at_most_once_a_second(topology: Topology) -> None:
    """By the log's own count of seconds, which is that of the NAT."""
    with nat(topology) as running, topology.hosts[0].namespace.socket() as asking:

        def flood() -> bool:
            for _ in range(1000):
                asking.sendto(b"?", (_STATUS_ADDRESS, 1))
            return len(_status_lines(running)) >= 3

        until(flood, "three answers")
        seconds = [int(re.search(r" up (\d+) s;", line)[1]) for line in _status_lines(running)]  # type: ignore[index]
        assert seconds == sorted(set(seconds))
        assert not readable(asking, 0)


def test_memory_after_start_and_after_work(topology: Topology) -> None:
    with nat(topology) as running:
        answer = status(running)
        resident = _resident(running)
        assert answer["memory"] <= _MEMORY_LIMIT
        assert resident <= _MEMORY_LIMIT
        assert abs(resident - answer["memory"]) < 4000
        traffic_generator.download(topology, 16 << 20)
        assert _resident(running) <= _MEMORY_LIMIT


def _resident(running: RunningNat) -> int:
    """VmRSS of the process, in kB."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", lines, re.MULTILINE)
    assert found
    return int(found[1])
