"""Metrics: every number of the status under its name, and a server nobody can hold."""

import errno
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from socketserver import TCPServer
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ratsnake.daemon.configuration.listen_address import Listen, parse_listen
from ratsnake.daemon.metrics import metrics_server as module
from ratsnake.daemon.metrics.metrics_server import (
    CONNECTIONS,
    IDLE_SECONDS,
    LOOK_SECONDS,
    SECONDS,
    MetricsServer,
)
from ratsnake.daemon.metrics.prometheus_metrics import COUNTER, MEASURES, PROCESS, Picture, registry
from ratsnake.daemon.user_errors import RunError
from support.player import STATUS

PORTS = [
    {"external": "203.0.113.1", "protocol": "tcp", "used": 4, "total": 64512},
    {"external": "2001:db8:3::1", "protocol": "udp", "used": 0, "total": 16},
]
PATIENCE = 20.0  # seconds


def picture() -> Picture:
    return Picture(STATUS, PORTS)


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """By name and the values of the labels, those ordered by their names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_is_under_its_name() -> None:
    got = samples(generate_latest(registry(picture)).decode())
    expected: dict[tuple[str, tuple[str, ...]], Any] = {
        ("ratsnake_build_info", ("ratsnake", "compiled", "0.1.0")): 1,
        ("ratsnake_uptime_seconds", ()): 7300,
        ("ratsnake_packets_total", ("outbound",)): 123456,
        ("ratsnake_packets_total", ("inbound",)): 1,
        ("ratsnake_bytes_total", ("outbound",)): 987654321,
        ("ratsnake_bytes_total", ("inbound",)): 60,
        ("ratsnake_dropped_packets_total", ("filtered",)): 17,
        ("ratsnake_dropped_packets_total", ("not-syn",)): 1,
        ("ratsnake_dropped_packets_total", ("no-port",)): 0,
        ("ratsnake_icmp_errors_sent_total", ()): 3,
        ("ratsnake_fragments_held_total", ()): 0,
        ("ratsnake_mappings_made_total", ()): 100,
        ("ratsnake_sessions_opened_total", ()): 1000,
        ("ratsnake_flows_gave_way_total", ()): 0,
        ("ratsnake_mappings", ()): 12,
        ("ratsnake_mappings_limit", ()): 262144,
        ("ratsnake_sessions", ()): 131072,
        ("ratsnake_sessions_limit", ()): 262144,
        ("ratsnake_inbound_sessions", ()): 5,
        ("ratsnake_inbound_sessions_limit", ()): 65536,
        ("ratsnake_host_problems", ()): 1,
        ("ratsnake_host_changes_restored_total", ()): 4,
        ("ratsnake_guard_dropped_packets_total", ()): 6,
        ("ratsnake_own_socket_packets_total", ()): 2026,
        ("ratsnake_hosts", ()): 7,
        ("ratsnake_ports_used", ("203.0.113.1", "tcp")): 4,
        ("ratsnake_ports_used", ("2001:db8:3::1", "udp")): 0,
        ("ratsnake_ports_limit", ("203.0.113.1", "tcp")): 64512,
        ("ratsnake_ports_limit", ("2001:db8:3::1", "udp")): 16,
    }
    own = {key: value for key, value in got.items() if key[0].startswith("ratsnake_")}
    assert own == expected
    assert {name for name, _ in got if not name.startswith("ratsnake_")} == set(PROCESS)


def test_names_and_helps_are_as_prometheus_wants_them() -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(generate_latest(registry(picture)).decode())
    }
    for measure in MEASURES:
        family = families[measure.name]
        assert family.documentation == measure.help
        assert measure.help.endswith((".", "1."))
        assert family.type == ("counter" if measure.kind is COUNTER else "gauge")
        assert measure.written.endswith("_total") == (measure.kind is COUNTER)
        assert {label for sample in family.samples for label in sample.labels} == set(
            measure.labels
        )


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.clock = Clock()
        self.failing = False
        self.looking: threading.Event | None = None  # is waited for
        self.seen = threading.Semaphore(0)
        self.server = MetricsServer(Listen("127.0.0.1", 0), self.clock)
        stack.callback(self.server.close)
        self.server.start(registry(self.look))
        self.address = ("127.0.0.1", self.server.server_port)

    def look(self) -> Picture:
        if self.failing:
            raise ValueError("defect")
        self.seen.release()
        if self.looking is not None:
            assert self.looking.wait(PATIENCE)
        return picture()

    def connect(self) -> socket.socket:
        return self.stack.enter_context(socket.create_connection(self.address, PATIENCE))

    def scrape(self) -> str:
        url = f"http://{self.address[0]}:{self.address[1]}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            return str(answer.read().decode())


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack)


def test_a_scrape(site: Site) -> None:
    assert samples(site.scrape())["ratsnake_hosts", ()] == 7


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_connection_too_many_is_closed_and_slow_ones_are_cut_off(site: Site) -> None:
    slow = [site.connect() for _ in range(CONNECTIONS)]
    for connection in slow:
        connection.sendall(b"GET /metrics")
    assert ended(site.connect())
    site.clock.now = SECONDS + 0.1
    assert all(ended(connection) for connection in slow)
    assert samples(site.scrape())["ratsnake_hosts", ()] == 7


def test_it_answers_while_slow_clients_hang(site: Site) -> None:
    slow = [site.connect() for _ in range(12)]
    for connection in slow:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
    for _ in range(3):
        assert samples(site.scrape())["ratsnake_hosts", ()] == 7


def test_who_is_slow_with_a_request_makes_room_the_first_of_them_first(site: Site) -> None:
    slow = [site.connect() for _ in range(CONNECTIONS)]
    assert ended(site.connect())  # so all of them have been taken
    site.clock.now = IDLE_SECONDS
    for gone in slow:
        assert samples(site.scrape())["ratsnake_hosts", ()] == 7
        more = site.connect()
        assert ended(gone)
        more.sendall(b"G")


def test_an_answer_that_is_under_way_makes_no_room(site: Site) -> None:
    site.looking = threading.Event()
    seen = [site.connect() for _ in range(CONNECTIONS)]
    for connection in seen:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert site.seen.acquire(timeout=PATIENCE)
    site.clock.now = IDLE_SECONDS
    assert ended(site.connect())
    site.looking.set()
    assert all(connection.recv(100).startswith(b"HTTP/1.0 200") for connection in seen)


def test_where_no_descriptor_is_left_it_waits_and_tells_it_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, waits = iter(range(3)), []

    def accept(server: TCPServer) -> tuple[socket.socket, Any]:
        for _ in tries:
            raise OSError(errno.EMFILE, "none is left")
        return server.socket.accept()

    monkeypatch.setattr(TCPServer, "get_request", accept)
    monkeypatch.setattr(module.time, "sleep", waits.append)
    assert samples(site.scrape())["ratsnake_hosts", ()] == 7
    assert waits == [LOOK_SECONDS] * 3
    (message,) = caplog.messages
    assert message.startswith("metrics: no file descriptors are left")


def test_a_defect_in_a_look_ends_nothing(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.failing = True
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        site.scrape()
    site.failing = False
    assert site.scrape()


def test_an_address_that_cannot_be_had(site: Site) -> None:
    taken = Listen("127.0.0.1", site.server.server_port)
    with pytest.raises(RunError, match=f"--metrics {taken}: Address already in use"):
        MetricsServer(taken)


def test_a_server_that_never_answered_can_be_closed() -> None:
    MetricsServer(Listen("127.0.0.1", 0)).close()


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("9469", Listen("127.0.0.1", 9469)),
        ("192.168.1.1:9469", Listen("192.168.1.1", 9469)),
        ("0.0.0.0:1", Listen("0.0.0.0", 1)),
        ("[::1]:65535", Listen("::1", 65535)),
    ],
)
def test_where_to_listen(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen
    assert parse_listen(str(listen)) == listen


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "port", ":9469", "::1", "::1:9469", "[::1]", "[127.0.0.1]:1", "host:1", "٣"],
)
def test_where_not_to_listen(text: str) -> None:
    with pytest.raises(ValueError, match="must be a port of the loopback, such as 9469"):
        parse_listen(text)
