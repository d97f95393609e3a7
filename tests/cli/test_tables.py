"""What status, mappings and sessions print, from a server that plays the NAT."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ratsnake.cli.main import main

STATUS = {
    "version": "0.1.0",
    "device": "ratsnake",
    "pid": 4321,
    "uptime": 7300,
    "compiled": True,
    "offload": ["csum", "tso4", "tso6", "uso4", "uso6"],
    "external": [
        {"address": "203.0.113.1", "ports": "1024-65535"},
        {"address": "2001:db8:3::1", "ports": None},
    ],
    "types": dict.fromkeys(("tcp", "udp", "icmp"), "quasi-restricted-cone"),
    "counters": {
        "outbound": {"packets": 123456, "bytes": 987654321},
        "inbound": {"packets": 1, "bytes": 60},
        "icmp_errors_sent": 3,
        "fragments_held": 0,
        "dropped": {"filtered": 17, "no-port": 0},
    },
    "usage": {
        "mappings": 12,
        "sessions": 34,
        "inbound_sessions": 5,
        "hosts": 7,
        "limits": {"mappings": 262144, "sessions": 262144, "inbound_sessions": 65536},
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


class Player:
    """Answers each request with the rows it was given."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.rows: list[dict[str, Any]] = []
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
                self.asked.append(json.loads(line))
                for row in [*self.rows, {"done": True}]:
                    file.write(json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
        self.thread.join(10)
        self.listener.close()


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    player = Player(tmp_path / "control.sock")
    yield player
    player.close()


def shown(player: Player, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main([*argv, "--control", player.path]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_status(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [STATUS]
    text = shown(player, capsys, "status")
    assert player.asked == [{"command": "status"}]
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "203.0.113.1 ports 1024-65535",
        "2001:db8:3::1 forwards only",
        "12 of 262144",
        "1 of 64512",
        "988M bytes",
        "3 packets",
        "17 filtered",
    ):
        assert part in text
    assert "no-port" not in text
    assert "dccp" not in text
    assert json.loads(shown(player, capsys, "status", "--json")) == STATUS


def test_status_of_many_port_ranges_and_types(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = ",".join(f"{start}-{start + 15}" for start in range(1040, 65536, 1024))
    types = {"tcp": "quasi-port-restricted-cone", "udp": "full-cone", "icmp": "symmetric-address"}
    external = [{"address": "203.0.113.1", "ports": ports}]
    player.rows = [{**STATUS, "external": external, "types": types}]
    text = shown(player, capsys, "status")
    assert max(map(len, text.splitlines())) <= 80
    assert ports in "".join(text.split())
    assert "udp full-cone" in text


def test_mappings(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [MAPPING, {**MAPPING, "remote": "198.51.100.1", "remote_port": 3478}]
    lines = shown(player, capsys, "mappings").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["PROTO", "INTERNAL", "EXTERNAL", "REMOTE", "SESSIONS", "AGE"]
    assert lines[1].split() == [
        "udp", "192.168.100.23:51234", "203.0.113.100:40001", "*:*", "3", "66m",
    ]  # fmt: skip
    assert "198.51.100.1:3478" in lines[2]


def test_sessions(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [SESSION, {**SESSION, "opened": "outside"}]
    lines = shown(player, capsys, "sessions").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == [
        "tcp", "192.168.1.23:51234", "40001", "->", "203.0.113.77:443",
        "established", "2h", "1.2k", "5.6M",
    ]  # fmt: skip
    assert "<-" in lines[2]


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_json_is_a_list_of_rows(
    count: int, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    player.rows = [{**MAPPING, "external_port": port} for port in range(count)]
    assert json.loads(shown(player, capsys, "mappings", "--json")) == player.rows


def test_an_error_of_the_nat_is_told(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [{"error": "too busy"}]
    assert main(["sessions", "--control", player.path]) == 1
    assert capsys.readouterr().err.endswith("too busy\n")
