"""What reload and forward print, and ask of a server that plays the NAT."""

import json
from pathlib import Path
from typing import Any

import pytest

from ratsnake.cli.main import main
from support.player import Player, shown

OUTCOME = {"changed": [], "kept": 12, "ended": 0, "notes": [], "warnings": []}
FORWARD = {
    "forward": "tcp:8080=192.168.1.10:80",
    "protocols": ["tcp"],
    "external": "203.0.113.1",
    "external_ports": [8080, 8080],
    "internal": "192.168.1.10",
    "internal_ports": [80, 80],
    "remotes": [],
    "origin": "configured",
}


def test_reload_tells_what_changed(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    changed = [
        {"key": "types.nat", "old": "symmetric", "new": "full-cone"},
        {"key": "timeouts.udp", "old": 300, "new": 60},
        {"key": "rules.forward", "old": [], "new": ["tcp:8080=192.168.1.10:80"]},
    ]
    notes = ["MTU 1454, as that of ppp0: the MSS of TCP is lowered to it"]
    player.rows = [{**OUTCOME, "file": "/etc/x.toml", "changed": changed, "notes": notes}]
    assert shown(player, capsys, "reload").splitlines() == [
        "/etc/x.toml: 3 changed",
        '  types.nat: "symmetric" -> "full-cone"',
        "  timeouts.udp: 300 -> 60",
        "  rules.forward: now with tcp:8080=192.168.1.10:80",
        *notes,
        "flows: 12 kept, 0 ended",
    ]
    assert player.asked == [{"command": "reload"}]


def test_reload_of_the_same_and_with_a_warning(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    player.rows = [{**OUTCOME, "file": "/etc/x.toml", "warnings": ["look out"]}]
    assert main(["reload", "--control", player.path]) == 0
    out, err = capsys.readouterr()
    assert out == "/etc/x.toml: nothing changed\nflows: 12 kept, 0 ended\n"
    assert err == "ratsnake: warning: look out\n"


@pytest.mark.parametrize("status", [1, 2])
def test_why_not_is_told_as_the_nat_says_it(
    player: Player, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    player.rows = [{"error": "/etc/x.toml: types.nat cone: no such NAT type", "exit": status}]
    assert main(["reload", "--control", player.path]) == status
    said = "ratsnake: error: /etc/x.toml: types.nat cone: no such NAT type\n"
    assert capsys.readouterr() == ("", said)


LASTS = "This lasts until the next `ratsnake reload` or restart; "
DONE = {
    "add": ("added", f"{LASTS}forwards that last are added to the flags of `ratsnake run`."),
    "remove": ("removed", f"{LASTS}forwards that last are taken from the flags of `ratsnake run`."),
}


@pytest.mark.parametrize(
    ("task", "origin", "last"),
    [
        ("add", "live", [f"{LASTS}--save writes it to FILE."]),
        ("add", "configured", []),
        ("remove", "live", []),
        ("remove", "configured", [f"{LASTS}to keep it so, take the forward out of FILE."]),
    ],
)
@pytest.mark.parametrize("by_flag", [False, True])
def test_a_forward_is_added_or_removed(
    player: Player,
    capsys: pytest.CaptureFixture[str],
    task: str,
    origin: str,
    last: list[str],
    by_flag: bool,
) -> None:
    text = "tcp:8080=192.168.1.10:80"
    row = {"changed": [{}], "ended": 2, "origin": origin, "file": "FILE", "by_flag": by_flag}
    player.rows = [{**OUTCOME, **row}]
    said = shown(player, capsys, "forward", task, text).splitlines()
    assert said[:2] == [
        f"{text}: {'added' if task == 'add' else 'removed'}",
        "flows: 12 kept, 2 ended",
    ]
    flags = (
        f"{LASTS}forwards that last are {'added to' if task == 'add' else 'taken from'} the flags"
    )
    assert said[2:] == (last if not by_flag else [f"{flags} of `ratsnake run`."] * len(last))
    assert player.asked == [{"command": "forward", task: text}]


def saving(player: Player, **row: Any) -> list[str]:
    player.rows = [{**OUTCOME, "origin": "live", "by_flag": False, "changed": [{}], **row}]
    return ["forward", "add", "tcp:8080=192.168.1.10:80", "--save", "--control", player.path]


def test_a_forward_is_saved_in_the_file(
    player: Player, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "nat.toml"
    file.write_text("[rules]\nforward = []  # none\n")
    assert main(saving(player, file=str(file))) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"saved in {file}"
    assert file.read_text() == '[rules]\nforward = ["tcp:8080=192.168.1.10:80"]  # none\n'
    assert player.asked[0]["again"] is True
    assert main(saving(player, file=str(file), changed=[])) == 0
    assert capsys.readouterr().out.startswith("tcp:8080=192.168.1.10:80: is there already\n")
    assert file.read_text().count("tcp:8080") == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"file": None}, "the NAT runs without a configuration file, so the forward is lost"),
        ({"file": "/none/x.toml"}, "/none/x.toml: No such file or directory; so the forward is"),
        ({"file": "/x.toml", "by_flag": True}, "`ratsnake run` has --forward, which wins over /x"),
    ],
)
def test_a_forward_that_cannot_be_saved_says_so(
    player: Player, capsys: pytest.CaptureFixture[str], row: dict[str, Any], why: str
) -> None:
    assert main(saving(player, **row)) == 1
    out, err = capsys.readouterr()
    assert out.startswith("tcp:8080=192.168.1.10:80: added\n")
    assert err.startswith(f"ratsnake: error: not saved: {why}")


def test_a_mistake_in_a_forward_is_told_without_a_nat(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["forward", "add", "tcp:99999=192.168.1.10", "--control", "/nowhere"]) == 2
    assert capsys.readouterr().err.startswith(
        "ratsnake: error: forward tcp:99999=192.168.1.10: '99999': "
    )


def test_forwards_are_listed(player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [FORWARD, {**FORWARD, "forward": "udp:4000-4009=192.168.1.11", "origin": "live"}]
    player.rows = rows
    lines = [line.split() for line in shown(player, capsys, "forward", "list").splitlines()]
    assert lines == [
        ["FORWARD", "ORIGIN"],
        ["tcp:8080=192.168.1.10:80", "configured"],
        ["udp:4000-4009=192.168.1.11", "live"],
    ]
    assert player.asked == [{"command": "forwards"}]
    assert json.loads(shown(player, capsys, "forward", "list", "--json")) == rows
