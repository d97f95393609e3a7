"""Tasks of the end, done here or by a keeper: by number, each once, and all of them at the end.

And what goes on in the keeper meanwhile.
"""

import os
import select
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ratsnake.host import keeper
from ratsnake.host.child import ChildError
from ratsnake.host.keeper import Task, Undoing


class Record:
    """A file that tasks, in whatever process, write to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def task(self, name: str, *failures: str) -> Task:
        def note() -> Sequence[str]:
            with open(self.path, "a") as file:
                file.write(name)
            return failures

        return note

    def __str__(self) -> str:
        return self.path.read_text()


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "record")


@pytest.mark.parametrize("kept", [False, True])
def test_a_task_is_done_when_asked_for_and_its_failures_are_logged(
    kept: bool, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    undoing = Undoing()
    first = undoing.add(record.task("1", "this failed", "and that"))
    second = undoing.add(record.task("2"))
    if kept:
        undoing.leave_to_keeper()
    undoing.perform(second)
    assert str(record) == "2"
    undoing.perform(first)
    assert str(record) == "21"
    undoing.close()
    assert str(record) == "21"
    assert caplog.messages == ["this failed", "and that"]


def test_what_the_keeper_was_not_asked_for_is_done_at_the_end_the_last_first(
    record: Record,
) -> None:
    undoing = Undoing()
    for name in "1234":
        undoing.add(record.task(name))
    undoing.leave_to_keeper()
    undoing.perform(2)
    assert str(record) == "3"
    undoing.close()
    assert str(record) == "3421"


def test_a_nat_that_dies_before_it_has_the_answer_is_undone_all_the_same(
    record: Record, tmp_path: Path
) -> None:
    undoing = Undoing()
    undoing.add(record.task("1"))
    gone = tmp_path / "gone"
    os.mkfifo(gone)

    def slow() -> Sequence[str]:
        gone.read_text()
        return record.task("2")()

    number = undoing.add(slow)
    undoing.leave_to_keeper()
    assert undoing._keeper is not None
    undoing._keeper.send(bytes([number]))
    undoing._keeper.close()
    gone.write_text("yes")
    undoing.close()
    assert str(record) == "21"


def test_a_keeper_that_does_not_start_is_told_and_its_tasks_are_still_done(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise PermissionError

    undoing = Undoing()
    task = undoing.add(record.task("1"))
    monkeypatch.setattr(keeper, "_confine", fail)
    with pytest.raises(ChildError, match="did not start"):
        undoing.leave_to_keeper()
    assert str(record) == ""
    undoing.perform(task)
    undoing.close()
    assert str(record) == "1"


def test_an_order_that_there_is_not_is_no_end_of_the_others(
    record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    undoing = Undoing()
    undoing.add(record.task("1"))
    second = undoing.add(record.task("2"))
    undoing.leave_to_keeper()
    undoing.perform(second)
    undoing.perform(second)
    assert caplog.messages == ["there is no task 1 to be done"]
    assert str(record) == "2"
    undoing.close()
    assert str(record) == "21"


def test_a_task_that_breaks_ends_the_keeper_and_is_told(
    record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Sequence[str]:
        raise ValueError("defect")

    undoing = Undoing()
    task = undoing.add(broken)
    undoing.leave_to_keeper()
    undoing.perform(task)
    undoing.close()
    died = "the process that was to undo this run's changes to the host has died"
    assert caplog.messages == [died]


class Echo:
    """An attendant that tells what comes in a pipe, and answers by what it was told."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._last = "nothing"

    def fileno(self) -> int:
        return self.reader

    def attend(self) -> str:
        self._last = os.read(self.reader, 100).decode()
        return self._last.strip()

    def answer(self, question: str) -> str:
        return f"{question} {self._last}"

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


def _news(undoing: Undoing) -> list[str]:
    assert select.select([undoing], [], [], 10)[0]
    return undoing.news()


def test_an_attendant_tells_answers_and_keeps_the_tasks_waiting(record: Record, echo: Echo) -> None:
    undoing = Undoing()
    first = undoing.add(record.task("1"))
    undoing.add(record.task("2"))
    undoing.leave_to_keeper(echo)
    assert undoing.news() == []
    assert undoing.ask("what?") == "what? nothing"
    os.write(echo.writer, b"rain")
    assert _news(undoing) == ["rain"]
    assert undoing.ask("what?") == "what? rain"
    undoing.perform(first)
    os.write(echo.writer, b"sun")
    assert _news(undoing) == ["sun"]
    assert str(record) == "1"
    undoing.close()
    assert str(record) == "12"


def test_what_is_no_news_is_not_told(echo: Echo) -> None:
    undoing = Undoing()
    undoing.leave_to_keeper(echo)
    os.write(echo.writer, b" ")
    assert undoing.ask("heard?").startswith("heard?")
    assert undoing.news() == []
    undoing.close()


def test_an_attendant_that_breaks_is_told_and_the_tasks_are_still_done(
    echo: Echo, record: Record
) -> None:
    undoing = Undoing()
    undoing.add(record.task("1"))
    undoing.leave_to_keeper(echo)
    os.write(echo.writer, b"\xff")  # no UTF-8
    with pytest.raises(ChildError, match="nobody follows this host's addresses"):
        _news(undoing)
    with pytest.raises(ChildError, match="nobody follows this host's addresses"):
        undoing.ask("what?")
    assert str(record) == ""
    undoing.close()
    assert str(record) == "1"


def test_a_keeper_that_dies_is_told_as_that(echo: Echo) -> None:
    undoing = Undoing()
    undoing.leave_to_keeper(echo)
    os.kill(undoing._process, signal.SIGKILL)
    died = "has died: nobody follows its addresses any more, and only another start can change"
    with pytest.raises(ChildError, match=died):
        _news(undoing)
    with pytest.raises(ChildError, match=died):
        undoing.ask("what?")
    undoing.close()
