"""Tasks of the end, done here or by a helper: by number, each once, and all of them at the end.

And what goes on in the helper meanwhile.
"""

import math
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ratsnake.host.processes import privileged_helper, privileged_helper_process
from ratsnake.host.processes.forked_call import ChildError
from ratsnake.host.processes.privileged_helper import HelperDied, Undoing
from ratsnake.host.processes.privileged_helper_process import ORDER, Task


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
        undoing.leave_to_helper()
    undoing.perform(second)
    assert str(record) == "2"
    undoing.perform(first)
    assert str(record) == "21"
    undoing.close()
    assert str(record) == "21"
    assert caplog.messages == ["this failed", "and that"]


def test_what_the_helper_was_not_asked_for_is_done_at_the_end_the_last_first(
    record: Record,
) -> None:
    undoing = Undoing()
    for name in "1234":
        undoing.add(record.task(name))
    undoing.leave_to_helper()
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
    undoing.leave_to_helper()
    assert undoing._helper is not None
    undoing._send(ORDER.pack(1, math.inf, math.inf) + bytes([number]))
    undoing._helper.close()
    gone.write_text("yes")
    undoing.close()
    assert str(record) == "21"


def test_a_helper_that_does_not_start_is_told_and_its_tasks_are_still_done(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise PermissionError

    undoing = Undoing()
    task = undoing.add(record.task("1"))
    monkeypatch.setattr(privileged_helper_process, "_confine", fail)
    with pytest.raises(ChildError, match="did not start"):
        undoing.leave_to_helper()
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
    undoing.leave_to_helper()
    undoing.perform(second)
    undoing.perform(second)
    assert caplog.messages == ["there is no task 1 to be done"]
    assert str(record) == "2"
    undoing.close()
    assert str(record) == "21"


def test_a_task_that_breaks_is_told_and_is_no_end_of_the_others(
    record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Sequence[str]:
        raise ValueError("defect")

    undoing = Undoing()
    undoing.add(record.task("1"))
    undoing.add(broken)
    task = undoing.add(broken)
    undoing.leave_to_helper()
    undoing.perform(task)
    assert caplog.messages == ["a change to the host cannot be undone: ValueError('defect')"]
    undoing.close()
    assert str(record) == "1"


def test_a_task_that_cannot_begin_is_tried_again_at_the_end(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where no process can be started at the moment."""
    monkeypatch.setattr(privileged_helper_process, "UNDO_PAUSE", 0.0)
    tries = iter((False, False, False, True))

    def late() -> Sequence[str]:
        if not next(tries):
            raise ChildError("no helper process can be started")
        return record.task("2")()

    undoing = Undoing()
    undoing.add(record.task("1"))
    task = undoing.add(late)
    undoing.leave_to_helper()
    undoing.perform(task)
    undoing.close()
    assert str(record) == "21"


class Echo:
    """An attendant that tells what comes in its pipes, and answers by what it was told."""

    def __init__(self) -> None:
        self.pipes = [os.pipe(), os.pipe()]
        self.writer = self.pipes[0][1]
        self.said = "nothing"

    def filenos(self) -> Sequence[int]:
        return [reader for reader, _ in self.pipes]

    def due(self) -> float:
        return math.inf

    def attend(self) -> str:
        for reader in select.select(self.filenos(), [], [], 0)[0]:
            self.said = os.read(reader, 100).decode()
        return self.said.strip()

    def answer(self, question: str, until: float) -> str:
        return f"{question} {self.said}"

    def record(self) -> bytes:
        return self.said.encode()

    def recall(self, record: bytes) -> None:
        self.said = record.decode()

    def close(self) -> None:
        for pipe in self.pipes:
            for end in pipe:
                os.close(end)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


def _news(undoing: Undoing) -> list[str]:
    """The next, whatever else there is to be read before it."""
    while True:
        assert select.select([undoing], [], [], 10)[0]
        if news := undoing.news():
            return news


def test_an_attendant_tells_answers_and_keeps_the_tasks_waiting(record: Record, echo: Echo) -> None:
    undoing = Undoing()
    first = undoing.add(record.task("1"))
    undoing.add(record.task("2"))
    undoing.leave_to_helper(echo)
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
    undoing.leave_to_helper(echo)
    os.write(echo.writer, b" ")
    assert undoing.ask("heard?").startswith("heard?")
    assert undoing.news() == []
    undoing.close()


def test_it_attends_to_each_of_several_sources(echo: Echo) -> None:
    undoing = Undoing()
    undoing.leave_to_helper(echo)
    for at, text in ((1, "rain"), (0, "sun"), (1, "snow")):
        os.write(echo.pipes[at][1], text.encode())
        assert _news(undoing) == [text]
    undoing.close()


def test_it_attends_when_it_is_due_though_nothing_is_readable(echo: Echo) -> None:
    class Clock(Echo):
        """Due at once, and never again."""

        def due(self) -> float:
            return math.inf if self.said == "noon" else 0.0

        def attend(self) -> str:
            self.said = "noon"
            return "noon"

    undoing = Undoing()
    clock = Clock()
    undoing.leave_to_helper(clock)
    assert _news(undoing) == ["noon"]
    assert undoing.ask("when?") == "when? noon"
    assert undoing.news() == []
    undoing.close()
    clock.close()


def test_an_attendant_that_fails_is_tried_again_after_a_pause(
    echo: Echo, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though what was its reason is gone; questions are answered meanwhile."""
    monkeypatch.setattr(privileged_helper_process, "FIRST_PAUSE", 0.01)

    class Failing(Echo):
        failures = 0

        def attend(self) -> str:
            super().attend()
            self.failures += 1
            if self.failures < 3:
                raise ValueError("defect")
            return f"after {self.failures}"

    undoing = Undoing()
    undoing.add(record.task("1"))
    failing = Failing()
    undoing.leave_to_helper(failing)
    os.write(failing.writer, b"rain")
    assert undoing.ask("what?")
    assert _news(undoing) == ["after 3"]
    assert undoing.ask("what?") == "what? rain"
    undoing.close()
    failing.close()
    assert str(record) == "1"


def test_news_too_long_for_a_message_are_no_end(echo: Echo, record: Record) -> None:
    class Talking(Echo):
        def attend(self) -> str:
            return super().attend() * 100_000

    undoing = Undoing()
    undoing.add(record.task("1"))
    talking = Talking()
    undoing.leave_to_helper(talking)
    os.write(talking.writer, b"rain")
    assert undoing.ask("what?")
    assert undoing.ask("what?") == "what? rain"
    assert str(record) == ""
    undoing.close()
    talking.close()
    assert str(record) == "1"


def test_a_helper_that_breaks_undoes_all_the_same(
    echo: Echo, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise ValueError("defect")

    monkeypatch.setattr(privileged_helper_process, "_serve", defect)
    undoing = Undoing()
    undoing.add(record.task("1"))
    undoing.leave_to_helper(echo)
    undoing.close()
    assert str(record) == "1"


def test_an_answer_that_fails_is_told_and_the_next_one_comes(echo: Echo) -> None:
    class Failing(Echo):
        def answer(self, question: str, until: float) -> str:
            return str({"a": "b"}[question])

    undoing = Undoing()
    failing = Failing()
    undoing.leave_to_helper(failing)
    with pytest.raises(ChildError, match="could not answer; the log says why"):
        undoing.ask("c")
    assert undoing.ask("a") == "b"
    undoing.close()
    failing.close()


def test_a_helper_that_dies_is_told_as_that(echo: Echo) -> None:
    undoing = Undoing()
    undoing.leave_to_helper(echo)
    os.kill(undoing._process, signal.SIGKILL)
    died = "the process that was to undo this run's changes to the host has died"
    with pytest.raises(HelperDied, match=died):
        _news(undoing)
    with pytest.raises(HelperDied, match=died):
        undoing.ask("what?")
    undoing.close()


@pytest.mark.parametrize("may_undo", [True, False])
def test_what_a_dead_helper_had_to_undo_is_undone_here_by_who_may(
    may_undo: bool, echo: Echo, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    """With what it knew last."""

    def undo() -> Sequence[str]:
        return record.task(f"undone: {echo.said}")()

    undoing = Undoing()
    task = undoing.add(undo)
    undoing.leave_to_helper(echo)
    undoing.may_undo = may_undo
    os.write(echo.writer, b"rain")
    assert _news(undoing) == ["rain"]
    os.kill(undoing._process, signal.SIGKILL)
    undoing.perform(task)
    undoing.close()
    if may_undo:
        assert str(record) == "undone: rain" and not caplog.messages
    else:
        assert str(record) == "" and "`ratsnake host repair` removes" in caplog.text


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long."""
    for name in ("HEARD_SECONDS", "DONE_SECONDS", "UNDONE_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(privileged_helper, name, 0.1)


@pytest.mark.usefixtures("hasty")
def test_a_helper_that_stands_still_is_told_and_is_asked_again_when_it_goes_on(
    echo: Echo,
) -> None:
    class Counting(Echo):
        asked = 0

        def answer(self, question: str, until: float) -> str:
            self.asked += 1
            return f"{question} {self.asked}"

    undoing = Undoing()
    looks: list[int] = []
    undoing.meanwhile = lambda: looks.append(1)
    counting = Counting()
    undoing.leave_to_helper(counting)
    assert undoing.ask("first") == "first 1"
    os.kill(undoing._process, signal.SIGSTOP)
    with pytest.raises(ChildError, match="does not answer"):
        undoing.ask("too late when it goes on")
    assert looks
    looks.clear()
    with pytest.raises(ChildError, match="does not answer"):
        undoing.ask("too late as well, and not waited for")
    assert not looks
    os.kill(undoing._process, signal.SIGCONT)
    deadline = time.monotonic() + 10
    while True:
        try:
            assert undoing.ask("second") == "second 2"
            break
        except ChildError:
            assert time.monotonic() < deadline
    undoing.close()
    counting.close()


@pytest.mark.usefixtures("hasty")
def test_a_helper_that_stands_still_holds_up_no_end_and_undoes_when_it_goes_on(
    echo: Echo, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    undoing = Undoing()
    undoing.add(record.task("1"))
    task = undoing.add(record.task("2"))
    undoing.leave_to_helper(echo)
    os.kill(undoing._process, signal.SIGSTOP)
    undoing.perform(task)
    undoing.close()
    assert len(caplog.messages) == 2 and str(record) == ""
    assert all("it undoes when it goes on" in one for one in caplog.messages)
    os.kill(undoing._process, signal.SIGCONT)
    os.waitpid(undoing._process, 0)
    assert str(record) == "21"


def test_the_helper_has_a_session_of_its_own_and_takes_no_abort(echo: Echo, record: Record) -> None:
    """As of `kill -9` to a group, and of systemd's watchdog to all of a service's processes."""
    undoing = Undoing()
    undoing.add(record.task("1"))
    undoing.leave_to_helper(echo)
    assert os.getsid(undoing._process) == os.getpgid(undoing._process) == undoing._process
    os.kill(undoing._process, signal.SIGABRT)
    assert undoing.ask("what?") == "what? nothing"
    undoing.close()
    assert str(record) == "1"
