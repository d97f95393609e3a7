"""cli/doctor.py: no NAT that runs is what is wrong then; one that cannot answer is told as that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratsnake.cli import doctor
from ratsnake.cli.main import main
from ratsnake.daemon.user_errors import RunError


def test_where_none_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nobody"
    assert main(["doctor", "--control", str(path)]) == 1
    told, command, *_ = capsys.readouterr().out.splitlines()
    assert (told.partition(";")[0], command) == (
        f"no ratsnake is running at {path}",
        "    ratsnake run",
    )


def test_one_that_cannot_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(*_: object) -> None:
        raise RunError("the process that sets up the host does not answer")

    monkeypatch.setattr(doctor, "ask", silent)
    assert main(["doctor", "--control", "/nowhere"]) == 1
    shown = capsys.readouterr()
    assert (shown.out, "does not answer" in shown.err) == ("", True)
