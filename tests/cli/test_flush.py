"""`ratsnake flush`: what is asked for, what is told, and that nothing ends by accident."""

import json

import pytest

from ratsnake.cli import progress
from ratsnake.cli.main import main
from support.player import Player, shown

ENDED = {"mappings": 3, "sessions": 5}


def test_what_is_asked_for_and_told(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [{"mappings": 1, "sessions": 2}, ENDED]
    filters = ("--host", "192.168.1.0/24", "--protocol", "udp", "--remote", "*:443")
    text = shown(player, capsys, "flush", *filters, "--external", "203.0.113.1:5000")
    assert text == "ended 3 mappings and 5 sessions\n"
    assert player.asked == [
        {
            "command": "flush",
            "protocol": "udp",
            "host": "192.168.1.0/24",
            "external": "203.0.113.1:5000",
            "remote": "*:443",
        }
    ]
    assert json.loads(shown(player, capsys, "flush", "--all", "--json")) == ENDED
    assert player.asked[1:] == [{"command": "flush", "all": True}]


def test_one_of_each(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    player.rows = [{"mappings": 1, "sessions": 1}]
    assert shown(player, capsys, "flush", "--all") == "ended 1 mapping and 1 session\n"
    player.rows = [{"mappings": 0, "sessions": 0}]
    assert shown(player, capsys, "flush", "--all") == "ended 0 mappings and 0 sessions\n"


def test_work_of_more_than_a_second_shows_how_far_it_has_come(
    player: Player, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    player.rows = [{"mappings": 1000, "sessions": 2000}, ENDED]
    assert main(["flush", "--all", "--control", player.path]) == 0
    assert capsys.readouterr().err == "flush: 2000 sessions ended\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "say which flows are to end: --protocol, --host, --external, --remote, or --all for"),
        (
            ("--all", "--host", "192.168.1.1", "--protocol", "udp"),
            "--all ends every flow: leave it out, or --protocol and --host",
        ),
        (("--host", "nobody"), "--host nobody: must be an IPv4 or IPv6 prefix"),
        (("--host",), "--host: expected one argument"),
        (("--al",), "unrecognized arguments: --al"),
    ],
)
def test_a_mistake_ends_nothing(
    argv: tuple[str, ...],
    message: str,
    player: Player,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["flush", "--control", player.path, *argv]) == 2
    assert message in capsys.readouterr().err
    assert player.asked == []


def test_without_a_nat_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flush", "--all", "--control", "/nowhere"]) == 1
    assert "no ratsnake is running at /nowhere" in capsys.readouterr().err
