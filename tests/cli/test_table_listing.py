"""Which rows mappings and sessions ask for, their order, and CSV."""

import csv
import io
import json
import re
from typing import Any

import pytest

from ratsnake.cli import mappings, sessions
from ratsnake.cli.main import main
from ratsnake.cli.row_sorting import MOST_SORTED
from ratsnake.daemon.control.control_client import ROWS
from ratsnake.nat.views.row_tuples import MappingRow, SessionRow
from support.player import MAPPING, SESSION, Player, shown

HOSTS = ("192.168.1.23", "192.168.1.3", "10.0.0.1", "2001:db8::1", "192.168.1.3")


def listed(player: Player, capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, Any]]:
    rows = json.loads(shown(player, capsys, *argv, "--json"))
    assert isinstance(rows, list)
    return rows


def test_what_is_asked_for(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [SESSION]
    filters = ("--host", "192.168.1.0/24", "--protocol", "tcp", "--remote", "*:443")
    assert listed(player, capsys, "sessions", *filters, "--external", "203.0.113.1") == [SESSION]
    assert player.asked == [
        {
            "command": "sessions",
            "protocol": "tcp",
            "host": "192.168.1.0/24",
            "external": "203.0.113.1",
            "remote": "*:443",
            "start": 0,
            "limit": ROWS,
        }
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--host", "nobody"), "--host nobody: must be an IPv4 or IPv6 prefix"),
        (("--protocol", "upd"), "--protocol upd: must be one of tcp, udp"),
        (("--external", "203.0.113.1:x"), "--external 203.0.113.1:x: the port must be a number"),
        (("--sort", "byte"), "--sort byte: must be one of protocol, internal, .*; did you mean"),
        (("--limit", "0"), "--limit 0: must be at least 1"),
        (("--limit", "ten"), "--limit ten: must be a whole number"),
        (("--json", "--csv"), "not allowed with argument"),
    ],
)
def test_a_mistake_is_told_without_a_nat(
    argv: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sessions", "--control", "/nowhere", *argv]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("table", ["mappings", "sessions"])
def test_a_limit_asks_for_no_more_than_it_must(
    table: str, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"mappings": MAPPING, "sessions": SESSION}[table]
    player.rows = [{**row, "external_port": port} for port in range(3 * ROWS)]
    assert listed(player, capsys, table, "--limit", str(ROWS + 5)) == player.rows[: ROWS + 5]
    assert [request["start"] for request in player.asked] == [0, ROWS]
    assert listed(player, capsys, table) == player.rows


@pytest.mark.parametrize(
    ("argv", "order"),
    [
        (("--sort", "internal"), [2, 1, 4, 0, 3]),
        (("--sort", "internal", "--reverse"), [3, 0, 1, 4, 2]),
        (("--sort", "sessions"), [4, 3, 2, 1, 0]),
        (("--sort", "sessions", "--reverse"), [0, 1, 2, 3, 4]),
        (("--sort", "sessions", "--limit", "2"), [4, 3]),
        (("--sort", "remote"), [0, 1, 3, 2, 4]),
        (("--reverse",), [0, 1, 2, 3, 4]),
    ],
)
def test_the_order_of_mappings(
    argv: tuple[str, ...],
    order: list[int],
    player: Player,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remotes = ((None, None), (None, None), ("198.51.100.2", 5), ("198.51.100.2", None), ("::1", 1))
    player.rows = [
        {**MAPPING, "internal": host, "sessions": n, "remote": address, "remote_port": port}
        for n, (host, (address, port)) in enumerate(zip(HOSTS, remotes, strict=True))
    ]
    assert [row["sessions"] for row in listed(player, capsys, "mappings", *argv)] == order


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("protocol", [1, 2, 3, 0]),
        ("external", [0, 1, 3, 2]),
        ("state", [1, 0, 2, 3]),
        ("left", [3, 2, 1, 0]),
        ("out", [0, 3, 2, 1]),
        ("in", [1, 2, 3, 0]),
        ("bytes", [0, 1, 2, 3]),
        ("packets", [2, 0, 1, 3]),
    ],
)
def test_the_keys_of_sessions(
    key: str, order: list[int], player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {
        "protocol": ("udp", "icmp", "tcp", "tcp"),
        "external_port": (1, 2, 4, 3),
        "state": ("established", "closing", "transitory", "transitory"),
        "expires": (1, 2, 3, 4),
        "bytes_out": (100, 1, 2, 3),
        "bytes_in": (0, 30, 20, 10),
        "packets_out": (1, 1, 3, 0),
        "packets_in": (1, 0, 0, 0),
    }
    player.rows = [
        {**SESSION, "n": n, **{name: values[n] for name, values in columns.items()}}
        for n in range(4)
    ]
    assert [row["n"] for row in listed(player, capsys, "sessions", "--sort", key)] == order


def test_of_a_sorted_table_only_the_first_rows_are_shown_unless_asked_for(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    player.rows = [{**MAPPING, "age": age} for age in range(MOST_SORTED + 3)]
    argv = ["mappings", "--sort", "age", "--json", "--control", player.path]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert [row["age"] for row in json.loads(out)] == list(range(MOST_SORTED + 2, 2, -1))
    assert f"the first {MOST_SORTED} of {MOST_SORTED + 3} rows; --limit says how many" in err
    assert main([*argv, "--limit", str(MOST_SORTED + 3)]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == MOST_SORTED + 3
    assert err == ""


@pytest.mark.parametrize(("table", "row"), [("mappings", MAPPING), ("sessions", SESSION)])
def test_csv(
    table: str, row: dict[str, Any], player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    player.rows = [{**row, "external_port": port, "of a newer NAT": 1} for port in range(3)]
    text = shown(player, capsys, table, "--csv")
    heading, *lines = list(csv.reader(io.StringIO(text)))
    assert heading == list({"mappings": MappingRow, "sessions": SessionRow}[table]._fields)
    assert [line[heading.index("external_port")] for line in lines] == ["0", "1", "2"]
    assert lines[0][heading.index("remote")] == (row["remote"] or "")
    player.rows = []
    assert shown(player, capsys, table, "--csv").splitlines() == [",".join(heading)]


def test_sort_keys_are_of_fields_there_are() -> None:
    for table, row in ((mappings.TABLE, MAPPING), (sessions.TABLE, SESSION)):
        assert set(row) <= set(table.fields)
        for key in table.keys.values():
            key.value(row)
