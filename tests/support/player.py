"""A server that plays the NAT for the commands that ask it, and rows for it to answer with."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from ratsnake.cli.main import main

STATUS = {
    "version": "0.1.0",
    "device": "ratsnake",
    "pid": 4321,
    "uptime": 7300,
    "since": "2026-01-31T12:00:00Z",
    "compiled": True,
    "offload": ["csum", "tso4", "tso6", "uso4", "uso6"],
    "external": [
        {"address": "203.0.113.1", "ports": "1024-65535", "follows": None, "lost": None},
        {"address": "2001:db8:3::1", "ports": None, "follows": None, "lost": None},
    ],
    "types": dict.fromkeys(("tcp", "udp", "icmp"), "quasi-restricted-cone"),
    "host_types": [],
    "host": {
        "problems": [{"what": "interface br0 is down", "command": "ip link set br0 up"}],
        "restored": 4,
        "guard_dropped": 6,
        "own_sockets": 2026,
    },
    "counters": {
        "outbound": {"packets": 123456, "bytes": 987654321},
        "inbound": {"packets": 1, "bytes": 60},
        "icmp_errors_sent": 3,
        "fragments_held": 0,
        "mappings_made": 100,
        "sessions_opened": 1000,
        "gave_way": 0,
        "dropped": {"filtered": 17, "not-syn": 1, "no-port": 0},
    },
    "rates": {
        "outbound": {"packets": 1234.4, "bytes": 1_200_000.0},
        "inbound": {"packets": 0.2, "bytes": 12.0},
        "mappings_made": 3.2,
        "sessions_opened": 41.0,
        "dropped": 2.4,
    },
    "usage": {
        "mappings": 12,
        "sessions": 131072,
        "inbound_sessions": 5,
        "hosts": 7,
        "limits": {
            **{"mappings": 262144, "sessions": 262144, "inbound_sessions": 65536},
            "host_mappings": {
                **dict.fromkeys(("tcp", "udp", "icmp", "udplite", "dccp", "sctp"), 32256),
                "other": 131072,
            },
            "host_sessions": 131072,
            "host_rate": 0,
        },
        "ports": {
            **{name: {"used": 4, "total": 64512} for name in ("tcp", "udp", "icmp")},
            "dccp": {"used": 0, "total": 64512},
            "sctp": {"used": 1, "total": 64512},
        },
    },
    "memory": 21504,
}
MAPPING = {
    "protocol": "udp",
    "internal": "192.168.100.23",
    "internal_port": 51234,
    "external": "203.0.113.100",
    "external_port": 40001,
    "remote": None,
    "remote_port": None,
    "sessions": 3,
    "age": 4000,
}
SESSION = {
    "protocol": "tcp",
    "internal": "192.168.1.23",
    "internal_port": 51234,
    "external": "203.0.113.1",
    "external_port": 40001,
    "remote": "203.0.113.77",
    "remote_port": 443,
    "state": "established",
    "expires": 7400,
    "packets_out": 10,
    "bytes_out": 1234,
    "packets_in": 20,
    "bytes_in": 5_600_000,
    "opened": "inside",
}


def answer(rows: list[dict[str, Any]], start: int, limit: int | None) -> list[dict[str, Any]]:
    end = len(rows) if limit is None else start + limit
    more = {"next": end} if end < len(rows) else {}
    return [*rows[start:end], {"done": True, **more}]


class Player:
    """Answers each request with the rows it was given, or with those of its `start` and `limit`.

    `answers` has rows by command, for a test that needs several; `rows` are those of the others.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.rows: list[dict[str, Any]] = []
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[Any] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def play(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as file:
                line = file.readline()
                if not line:
                    return
                request = json.loads(line)
                self.asked.append(request)
                rows = self.answers.get(request["command"], self.rows)
                for row in answer(rows, request.get("start", 0), request.get("limit")):
                    file.write(json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
        self.thread.join(10)
        self.listener.close()


def shown(player: Player, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main([*argv, "--control", player.path]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out
