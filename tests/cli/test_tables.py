"""What status, mappings and sessions print, from a server that plays the NAT."""

import json
import time
from collections.abc import Iterator

import pytest

from ratsnake.cli.main import main
from support.player import MAPPING, SESSION, STATUS, Player, shown


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_status(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [STATUS]
    text = shown(player, capsys, "status")
    assert player.asked == [{"command": "status"}]
    assert max(map(len, text.splitlines())) <= 80
    words = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "external 203.0.113.1 ports 1024-65535",
        "external 2001:db8:3::1 forwards only",
        "engine compiled, 21.5 MB of memory, offload csum tso4 tso6 uso4 uso6",
        "outbound 123456 988M 1234 9.6M",
        "inbound 1 60 0 96",
        "own errors 3",
        "mappings 12 262144 0 % 3.2",
        "sessions 131072 262144 50 % 41.0",
        "from outside 5 65536 0 %",
        "sctp ports 1 64512 0 %",
        "dropped 18 packets 2.4 a second",
        "17 filtered inbound from a remote the filter refuses",
        "1 not-syn a TCP, DCCP or SCTP packet of no session that does",
        "not open one",
    ):
        assert line in words
    assert words[0].startswith(
        "ratsnake 0.1.0 on ratsnake, up 2h since 2026-01-31 12:00:00, process"
    )
    assert "no-port" not in text
    assert "dccp" not in text
    assert json.loads(shown(player, capsys, "status", "--json")) == STATUS


def test_status_before_there_are_rates_or_for_a_reason_that_is_new(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    counters = {**STATUS["counters"], "dropped": {"new-reason": 5, "no-port": 1000}}
    player.rows = [{**STATUS, "rates": None, "counters": counters}]
    words = [" ".join(line.split()) for line in shown(player, capsys, "status").splitlines()]
    assert "outbound 123456 988M - -" in words
    assert words[-2:] == ["1000 no-port no external port is free for this flow", "5 new-reason"]


@pytest.mark.parametrize(
    ("external", "line"),
    [
        (
            {"address": "198.51.100.7", "ports": "7000", "follows": "interface:ppp0", "lost": None},
            "external 198.51.100.7 of interface:ppp0 ports 7000",
        ),
        (
            {
                "address": "198.51.100.7",
                "ports": "7000",
                "follows": "interface:ppp0",
                "lost": "there is no interface ppp0",
            },
            "external 198.51.100.7 of interface:ppp0 ports 7000; there is no interface ppp0",
        ),
        (
            {
                "address": None,
                "ports": None,
                "follows": "interface:ppp0",
                "lost": "ppp0 has no IPv4 address",
            },
            "external none yet of interface:ppp0; ppp0 has no IPv4 address",
        ),
    ],
)
def test_status_of_an_address_that_is_followed(
    player: Player, capsys: pytest.CaptureFixture[str], external: dict[str, str], line: str
) -> None:
    player.rows = [{**STATUS, "external": [external]}]
    text = shown(player, capsys, "status")
    assert max(map(len, text.splitlines())) <= 80
    assert line in " ".join(text.split())


def test_status_of_many_port_ranges_and_types(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = ",".join(f"{start}-{start + 15}" for start in range(1040, 65536, 1024))
    types = {"tcp": "quasi-port-restricted-cone", "udp": "full-cone", "icmp": "symmetric-address"}
    external = [{"address": "203.0.113.1", "ports": ports, "follows": None, "lost": None}]
    player.rows = [{**STATUS, "external": external, "types": types}]
    text = shown(player, capsys, "status")
    assert max(map(len, text.splitlines())) <= 80
    assert "203.0.113.1 1008 ports in 63 ranges, 1040-1055 to 64528-64543" in text
    assert "udp full-cone" in text


def test_status_of_hosts_with_types_of_their_own(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    every = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp")
    console = {"prefix": "192.168.1.50/32", "types": dict.fromkeys(every, "full-cone")}
    others = {"prefix": "192.168.1.0/28", "types": {"udp": "full-cone"}}
    player.rows = [{**STATUS, "host_types": [console, others]}]
    lines = shown(player, capsys, "status").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("NAT type"))
    assert [line.split(None, 1) for line in lines[at + 1 : at + 3]] == [
        ["192.168.1.50/32:", "full-cone"],
        ["192.168.1.0/28:", "udp full-cone"],
    ]


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
