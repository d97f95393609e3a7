"""What tools/build.py shows of a build: how far it is, and how long it still takes."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def build() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "build.py"
    spec = importlib.util.spec_from_file_location("build", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_share_and_the_time_left_follow_what_setup_py_says(
    build: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(build.time, "monotonic", lambda: now)
    progress = build.Progress()
    shown = []
    for line in (
        "[ 1/10] Cythonizing src/ratsnake/nat/tables/host_table.py",
        *(f"[{number:2}/10] Cythonizing src/ratsnake/nat/nat.py" for number in range(2, 11)),
        "modules to compile: 10",
        "building 'ratsnake.nat.nat' extension",
        *(f"compiled ratsnake.nat.tables.n{number}" for number in range(10)),
    ):
        progress.take(line)
        now += 11.0
        shown += capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"building the engine: +3%.*, translating tables/host_table to C", shown[0])
    share, left = 10 / 30, 9 * 11.0
    assert f" {share:.0%}, about {left * (1 - share) / share:.0f} s left, " in shown[9]
    assert shown[-1] == "building the engine: 100%, about 0 s left, compiled nat/tables/n9"
    assert len(shown) == 20 and progress.compiled == 10


def test_a_log_gets_a_line_every_ten_seconds(
    build: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(build.time, "monotonic", lambda: now)
    progress = build.Progress()
    for number in range(1, 26):
        progress.take(f"[{number:2}/25] Cythonizing src/ratsnake/nat/nat.py")
        now += 1.0
    assert len(capsys.readouterr().out.splitlines()) == 3
