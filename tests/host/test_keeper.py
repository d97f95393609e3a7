"""Tasks of the end, done here or by a keeper: by number, each once, and all of them at the end."""

from collections.abc import Sequence
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
