"""lab/nat_type_demo.py and lab/demo_table.py: the verdict is right, and so is the exit status."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ratsnake.lab import EXPECTED, Observation, PrivilegeError, demo_table, nat_type_demo
from ratsnake.lab.demo_table import Row, table
from ratsnake.lab.ping_and_traceroute import Hop
from ratsnake.lab.traffic_generator import Transfer
from ratsnake.nat.rules.behaviour import Filtering, Mapping


def _row(name: str) -> Row:
    expected = EXPECTED[name]
    return Row(
        name,
        Observation(expected.alone, expected.filtering, expected.ports, ()),
        expected.contested,
        0.0001,
        Transfer(64 << 20, 1.0),
        10,
        Hop("198.51.100.254", False),
    )


def test_rows_as_expected() -> None:
    rows = [_row(name) for name in EXPECTED]
    assert all(row.ok for row in rows)
    text = table(rows, coloured=False)
    assert max(map(len, text.splitlines())) <= 100
    assert len(re.findall(r" ok$", text, re.MULTILINE)) == len(EXPECTED)
    assert re.search(r"quasi-restricted-cone +EIM/EIM +ADM/ADM +ADF/ADF +sticky ", text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"observation": None},
        {"observation": Observation(Mapping.ADM, Filtering.EIF, "random", ())},
        {"observation": Observation(Mapping.EIM, Filtering.ADF, "random", ())},
        {"observation": Observation(Mapping.EIM, Filtering.EIF, "sequential", ())},
        {"contested": Mapping.APDM},
        {"contested": None},
        {"ping": None},
        {"download": None},
        {"exchanges": None},
        {"hop": None},
        {"failures": ["ping: lost"]},
    ],
)
def test_anything_unexpected_spoils_a_row(wrong: dict[str, object]) -> None:
    row = replace(_row("full-cone"), **wrong)  # type: ignore[arg-type]
    assert not row.ok
    assert table([row], coloured=False).splitlines()[3].endswith(" NO")


def test_colour_is_for_terminals_only() -> None:
    good, bad = _row("symmetric"), replace(_row("symmetric"), ping=None)
    assert "\033" not in table([good, bad], coloured=False)
    lines = table([good, bad], coloured=True).splitlines()
    assert lines[3].endswith(" \033[1;32mok\033[0m")
    assert lines[4].endswith(" \033[1;31mNO\033[0m")


def _only(monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    for module in (nat_type_demo, demo_table):
        monkeypatch.setattr(module, "EXPECTED", {name: EXPECTED[expected]})
    monkeypatch.setattr(nat_type_demo, "_OCTETS", 1 << 20)
    monkeypatch.setattr(nat_type_demo, "_SECONDS", 0.05)


def test_one_type(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _only(monkeypatch, "quasi-restricted-cone", "quasi-restricted-cone")
    assert nat_type_demo.main() == 0
    out = capsys.readouterr().out
    assert "mapping+filtering ping TCP UDP hop contested ok" in out
    assert re.search(r"Throughput of one TCP stream: ratsnake full-cone [\d.]+ Gb/s", out)
    assert "1 of 1 types as expected" in out


def test_a_nat_that_behaves_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _only(monkeypatch, "restricted-cone", "full-cone")
    assert nat_type_demo.main() == 1
    out = capsys.readouterr().out
    assert "NOT AS EXPECTED" in out
    assert "ADF/EIF" in out
    assert "0 of 1 types as expected" in out


def test_a_nat_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _only(monkeypatch, "no-such-type", "full-cone")
    assert nat_type_demo.main() == 1
    assert "no-such-type: ratsnake ended with status 2" in capsys.readouterr().out


def test_where_it_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> str:
        raise PrivilegeError("no tun")

    monkeypatch.setattr(nat_type_demo, "enter_privileged", refuse)
    assert nat_type_demo.main() == 1
    assert capsys.readouterr().err == "ratsnake: error: the demo cannot run here: no tun\n"
