"""host/processes/forked_call.py: results and errors come back whole, and the caller outlives
everything."""

import errno
import os
import signal

import pytest

from ratsnake.host.processes.forked_call import STOP_SIGNALS, ChildError, in_child


class _Unpicklable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def _fail(error: BaseException) -> None:
    raise error


def test_returns_what_the_function_returns_from_another_process() -> None:
    assert in_child(divmod, 17, 5) == (3, 2)
    assert in_child(os.getpid) != os.getpid()


def test_a_result_larger_than_a_pipe_holds() -> None:
    assert in_child(bytes, 1 << 20) == bytes(1 << 20)


def test_raises_what_the_function_raises() -> None:
    with pytest.raises(FileNotFoundError, match="no/such"):
        in_child(open, "/no/such/file")


def test_an_exception_that_cannot_be_pickled_keeps_its_message() -> None:
    with pytest.raises(ChildError, match="_Unpicklable: 1 and 2"):
        in_child(_fail, _Unpicklable(1, 2))


def test_a_result_that_cannot_be_pickled_is_an_error() -> None:
    with pytest.raises(ChildError):
        in_child(lambda: lambda: None)


def test_sys_exit_in_the_child_does_not_end_the_caller_silently() -> None:
    with pytest.raises(SystemExit):
        in_child(_fail, SystemExit(3))


def test_a_child_that_dies_is_reported() -> None:
    with pytest.raises(ChildError, match="died"):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signals_wait_until_the_result_is_there(number: int) -> None:
    seen = []
    before = signal.signal(number, lambda number, _: seen.append(number))
    try:
        parent = os.getpid()

        def signal_both() -> bool:
            os.kill(parent, number)
            os.kill(os.getpid(), number)
            return not seen

        assert in_child(signal_both)
        assert seen == [number]
    finally:
        signal.signal(number, before)


def test_leaves_no_descriptor_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        in_child(int)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_child_that_cannot_be_made_is_an_error_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ChildError, match="no helper process can be started: Resource temporarily"):
        in_child(int)
    assert len(os.listdir("/proc/self/fd")) == before
