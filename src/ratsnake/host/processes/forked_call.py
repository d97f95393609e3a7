"""Run one function in a short-lived forked child.

For work that needs a big import once (pyroute2): the child pays for it in memory, and is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

#: What may ask a program to end.  Any exit that can be caught must leave nothing behind; a terminal
#: that closes sends SIGHUP, and its Ctrl-\ SIGQUIT.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class ChildError(RuntimeError):
    """The child ended without an answer, or with an error that cannot cross a process boundary."""


def in_child(function: Callable[..., T], *arguments: Any) -> T:
    """Call `function(*arguments)` in a forked child; return its result or raise its exception.

    The result must be picklable.  STOP_SIGNALS stay pending until it is there, in the child too:
    a Ctrl-C reaches the whole process group, and a child cut off half-way would leave behind routes
    that nobody remembers.

    Raises `ChildError` when the child cannot be made or dies, or its exception cannot be pickled.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        reader, writer, child = _forked()
        if child == 0:
            _answer(writer, function, arguments)
        os.close(writer)
        with open(reader, "rb") as pipe:
            answer = pipe.read()
        status = os.waitpid(child, 0)[1]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if not answer:
        code = os.waitstatus_to_exitcode(status)
        raise ChildError(f"the helper process for {function.__name__} died (exit status {code})")
    failed, value = pickle.loads(answer)
    if failed:
        raise value
    result: T = value
    return result


def _forked() -> tuple[int, int, int]:
    """Both ends of a pipe, and the number of a child, which is 0 there."""
    try:
        reader, writer = os.pipe()
        try:
            return reader, writer, os.fork()
        except OSError:
            os.close(reader)
            os.close(writer)
            raise
    except OSError as error:
        raise ChildError(f"no helper process can be started: {error.strerror}") from None


def _answer(writer: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> NoReturn:
    """The child's whole life: it must never return into its copy of the caller."""
    try:
        with open(writer, "wb") as pipe:
            try:
                answer = _pickled(False, function(*arguments))
            except BaseException as error:
                answer = _pickled(True, error)
            pipe.write(answer)
    finally:
        os._exit(0)


def _pickled(failed: bool, value: object) -> bytes:
    """Pickle an outcome, proving it can be loaded again (many exceptions cannot)."""
    try:
        answer = pickle.dumps((failed, value))
        pickle.loads(answer)
    except Exception:
        return pickle.dumps((True, ChildError(f"{type(value).__name__}: {value}")))
    return answer
