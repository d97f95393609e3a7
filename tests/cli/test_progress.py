"""Progress: nothing for quick work, then not oftener than is readable."""

import time

import pytest

from ratsnake.cli.progress import FIRST_SECONDS, LINE_SECONDS, Progress


@pytest.mark.parametrize(
    ("terminal", "steps", "text"),
    [
        (False, [0.5], ""),
        (False, [FIRST_SECONDS + 0.1, 2.0, 3.0], "replay: 50 %\n"),
        (False, [FIRST_SECONDS + 0.1, LINE_SECONDS + 2], "replay: 50 %\nreplay: 50 %\n"),
        (True, [FIRST_SECONDS + 0.1, 2.5], "\rreplay: 50 %\rreplay: 50 %\n"),
    ],
)
def test_progress(
    terminal: bool,
    steps: list[float],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with Progress("replay") as progress:
        for now in steps:  # noqa: B007  (the clock above reads it)
            progress.update(50, 100)
    assert capsys.readouterr().err == text


def test_progress_of_unknown_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 5.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    with Progress("replay") as progress:
        progress.update(12_000_000, None)
    assert capsys.readouterr().err == "replay: 12 MB\n"
