"""SIGINT and SIGTERM end a command between two pieces of work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from ratsnake.cli.stop_signals import STOPPING, StopSignals


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_while_one_is_worked_on_counts_after_it(number: int) -> None:
    done = []
    with StopSignals() as signals:
        for item in signals.until_stopped(iter(range(9))):
            if item == 2:
                os.kill(os.getpid(), number)
            done.append(item)
    assert done == [0, 1, 2]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_ends_the_wait_for_the_next_one(number: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        os.kill(os.getpid(), number)
        signal.pause()  # until another signal: none comes

    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert list(signals.until_stopped(items())) == [1]
    assert signal.getsignal(number) is before


def test_it_ends_where_there_is_no_more() -> None:
    with StopSignals() as signals:
        assert list(signals.until_stopped(iter("ab"))) == ["a", "b"]
