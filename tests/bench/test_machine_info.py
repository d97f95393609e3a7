"""Whose processors are whose, and the wait for quiet."""

import os
from collections.abc import Iterator

import pytest

from ratsnake.bench import machine_info, process_usage
from ratsnake.bench.process_usage import Process


def process(number: int, parent: int, seconds: float = 0.0, kernel: bool = False) -> Process:
    return Process(number, parent, number, kernel, seconds, 0.0)


def test_what_the_kernel_tells_of_this_process() -> None:
    here = process_usage.process(os.getpid())
    assert here is not None
    assert (here.parent, here.session, here.kernel) == (os.getppid(), os.getsid(0), False)
    assert process_usage.cpu_seconds([os.getpid()]) >= here.seconds > 0
    assert process_usage.resident_megabytes([os.getpid()]) > 5
    assert os.getpid() in process_usage.session(os.getsid(0))


def test_a_process_that_is_gone_counts_as_nothing() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert process_usage.process(child) is None
    assert process_usage.cpu_seconds([child]) == process_usage.resident_megabytes([child]) == 0


def test_descendants() -> None:
    there = [process(n, p) for n, p in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 1))]
    assert process_usage.descendants(2, there) == {2, 3, 4}


def test_only_programs_that_are_not_ours_are_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.getpid()
    there = [
        process(1, 0, 1.0),
        process(2, 0, 10.0, kernel=True),
        process(ours, 1, 100.0),
        process(900_001, ours, 1000.0),
        process(900_002, 1, 7.0),
    ]
    monkeypatch.setattr(machine_info, "processes", lambda: there)
    watch = machine_info.Watch()
    there[1:] = [process(2, 0, 99.0, kernel=True), process(ours, 1, 300.0)]
    assert watch.end().foreign == 0  # 900002 ended, and nobody inherited its time
    there[0] = process(1, 0, 1e9)
    assert watch.end().foreign > 0


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How busy each look finds the machine; a look takes a second."""
    looks: list[float] = []
    now = 0.0

    def look() -> float:
        nonlocal now
        now += 1
        return looks.pop(0)

    monkeypatch.setattr(machine_info, "_busy", look)
    monkeypatch.setattr("ratsnake.bench.machine_info.time.monotonic", lambda: now)
    yield looks


def test_a_quiet_machine_is_not_waited_for(busy: list[float]) -> None:
    busy += [0.04]
    assert machine_info.wait_until_quiet(20, pytest.fail) == machine_info.Quiet(1, 0.04)


def test_a_busy_machine_is_waited_for_and_told(busy: list[float]) -> None:
    busy += [0.5, 0.3, 0.0]
    told: list[str] = []
    assert machine_info.wait_until_quiet(20, told.append) == machine_info.Quiet(3, 0.0)
    assert told[0] == "waiting for a quiet machine: 50% busy, 1 of 20 s"
    assert len(told) == 2


def test_the_wait_for_quiet_ends(busy: list[float]) -> None:
    busy += [1.0] * 3
    assert machine_info.wait_until_quiet(3, lambda _: None) == machine_info.Quiet(3, 1.0)


def test_facts() -> None:
    facts = machine_info.facts()
    assert facts["kernel"] == os.uname().release
    assert facts["processor"] and int(facts["cores"]) >= 1
