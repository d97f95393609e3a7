"""Requests at the control socket, by a client that sends what it likes: each is answered by rows,
by an error that says what is wrong, or by a stream, and the NAT is as sound as ever."""

import json
import os
import selectors
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from ratsnake.daemon.configuration.configuration_file import NOTHING, Asked, Sources, asked
from ratsnake.daemon.control import control_server
from ratsnake.daemon.control.control_protocol import REQUEST_LIMIT
from ratsnake.daemon.control.control_server import ControlServer
from ratsnake.daemon.control.peer_credentials import Allowed
from ratsnake.daemon.events.event_outputs import Events
from ratsnake.daemon.loop.live_nat import LiveNat
from ratsnake.daemon.loop.packet_loop import PacketLoop
from ratsnake.daemon.reconfiguration.live_forwards import LiveForwards
from ratsnake.daemon.views.busiest_hosts import Busiest
from ratsnake.daemon.views.capture_stream import Capturing
from ratsnake.daemon.views.explain_response import Explainer
from ratsnake.daemon.views.flush_response import Flusher
from ratsnake.daemon.views.row_pages import row_pages
from ratsnake.daemon.views.row_request import read_request
from ratsnake.nat.nat import Nat
from support.wire import packet

from ..configurations import CONFIGURATIONS, HOSTS, REMOTES
from ..data import Data
from ..invariants import check_tables

SEED = bytes(range(80))
NOW = 1000
TURNS = 400
TEXTS = {
    "external": ["203.0.113.1"],
    "internal": ["192.168.1.0/24"],
    "forward": ["tcp:8080=192.168.1.10:80"],
}


class ActiveSettings:
    """The part that live forwards use: what is asked for is taken without a host to change."""

    def __init__(self) -> None:
        self.asked: Asked = asked(NOTHING, TEXTS)
        self.configured = self.asked
        self.fitted = self.asked.options

    def change_for_now(self, wanted: Asked) -> Any:
        self.asked, self.fitted = wanted, wanted.options
        return SimpleNamespace(row=lambda: {"changed": []})


class Listener:
    """Hands out one connection; what the server registers is the other end's descriptor."""

    def __init__(self) -> None:
        self._socket, self._wake = socket.socketpair()
        self.client, self._server = socket.socketpair()
        self.client.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> tuple[socket.socket, None]:
        return self._server, None

    def close(self) -> None:
        for one in (self._socket, self._wake, self.client, self._server):
            one.close()


class Served:
    def __init__(self, number: int) -> None:
        self.nat = Nat(CONFIGURATIONS[number % len(CONFIGURATIONS)], SEED)
        for host, remote in zip(HOSTS, REMOTES, strict=False):
            for protocol in ("udp", "tcp", "icmp"):
                self.nat.translate(packet(protocol, (host, 4000), (remote, 53)), NOW)
        self.packet_loop = PacketLoop(self.nat, -1, False)
        live = LiveNat(self.nat, self.packet_loop)
        self.capturing = Capturing(self.packet_loop.capture, self.packet_loop.locked)
        forwards = LiveForwards(ActiveSettings(), Sources(TEXTS, None))  # type: ignore[arg-type]
        self.listener = Listener()
        self.selector = selectors.DefaultSelector()

        def now() -> int:
            return NOW

        self.events = Events(live, asked(NOTHING, TEXTS).options.events, None, now)

        def rows(read: Any, request: dict[str, Any]) -> Any:
            return row_pages(read, now, read_request(request), lambda: live.generation)

        self.server = ControlServer(
            SimpleNamespace(listener=self.listener),  # type: ignore[arg-type]
            {
                "mappings": lambda request: rows(live.mapping_rows, request),
                "sessions": lambda request: rows(live.session_rows, request),
                "ports": lambda request: rows(live.port_rows, request),
                "hosts": Busiest(live, now).answer,
                "watch": self.events.watch,
                "capture": self.capturing.start,
                "explain": Explainer(live, self.packet_loop.locked, now).answer,
                "flush": Flusher(live, now, lambda: live.generation).answer,
                "forward": lambda request: iter([[forwards.answer(request)]]),
                "forwards": forwards.rows,
            },
            self.selector,
            Allowed(frozenset((os.geteuid(),))),
        )

    def answer(self, request: bytes) -> bytes:
        """What the client gets for it until the end of the answer, or of its patience."""
        self.server._accept()
        client, got = self.listener.client, b""
        client.send(request)
        client.shutdown(socket.SHUT_WR)
        for _ in range(TURNS):
            for key, _ in self.selector.select(0):
                if key.data is not self.server._accept:
                    key.data()
            self.events.pump()
            self.capturing.pump()
            try:
                more = client.recv(1 << 20)
            except BlockingIOError:
                continue
            except ConnectionResetError:  # it did not read all that was sent
                break
            if not more:
                break
            got += more
        return got

    def close(self) -> None:
        self.server.close()
        self.selector.close()
        self.listener.close()
        self.packet_loop.close()


def _raise(error: Exception) -> bytes:
    raise error


def run(octets: bytes) -> None:
    data = Data(octets)
    served = Served(data.byte())
    original, control_server._failed = control_server._failed, _raise
    try:
        got = served.answer(data.rest())
        for line in got.splitlines():
            assert isinstance(json.loads(line), dict)
        assert got == b"" or got.endswith(b"\n")
        check_tables(served.nat, NOW)
    finally:
        control_server._failed = original
        served.close()


REQUESTS: tuple[dict[str, Any], ...] = (
    {"command": "mappings"},
    {"command": "sessions", "protocol": "udp", "host": "192.168.1.0/24", "limit": 2, "start": 7},
    {"command": "sessions", "remote": "[2001:db8::]:53", "external": "203.0.113.1"},
    {"command": "ports", "generation": 0},
    {"command": "hosts", "by": "sessions", "limit": 20},
    {"command": "watch", "kinds": ["mapping"], "protocol": "udp", "host": "192.168.1.10"},
    {"command": "watch", "destinations": True},
    {"command": "capture", "protocol": "udp", "host": "192.168.1.10", "remote": "198.51.100.1"},
    {"command": "explain", "protocol": "udp", "source": "192.168.1.10", "source_port": 4000}
    | {"destination": "198.51.100.1", "destination_port": 53, "inbound": True},
    {"command": "flush", "protocol": "udp", "host": "192.168.1.10:*"},
    {"command": "flush", "all": True},
    {"command": "flush", "remote": "198.51.100.1:53"},
    {"command": "forward", "add": "tcp+udp:5000-5010=192.168.1.11:6000-6010@198.51.100.0/24"},
    {"command": "forward", "remove": "tcp:8080=192.168.1.10:80"},
    {"command": "forwards"},
)


def seeds() -> Iterator[bytes]:
    for number, request in enumerate(REQUESTS):
        yield bytes([number]) + json.dumps(request).encode() + b"\n"
    yield b"\0" + b'{"command": "flush", "host": "\\ud800\\u0000"}\n'
    yield b"\0" + b"[" * 3000 + b"\n"
    yield b"\0" + b"x" * (REQUEST_LIMIT + 2)
