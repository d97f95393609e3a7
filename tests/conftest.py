"""Fixtures all tests share: the engine in both flavours, and skips that CI does not accept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support import missing_programs
from support.flavours import Engine, load


@pytest.fixture(params=["interpreted", "compiled"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine; a test that takes this runs on the source and on the extensions."""
    return load(request.param)


@pytest.fixture
def engines() -> tuple[Engine, Engine]:
    """Both flavours, for tests that compare them."""
    return load("interpreted"), load("compiled")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; those above `tmp_path` are closed to others, at every
    start of pytest anew."""
    with TemporaryDirectory(prefix="ratsnake-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """What is started here hears signals, also where whoever started the tests ignores them: nohup,
    or a shell for what runs in the background; and programs inherit that.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where everything is installed, a test that could not run has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how to install the programs whose tests were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    lines = missing_programs.advice(str(report.longrepr) for report in skipped)
    if lines:
        terminalreporter.section("programs that are not installed")
        for line in lines:
            terminalreporter.write_line(line)
