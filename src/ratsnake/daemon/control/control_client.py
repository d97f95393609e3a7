"""The client's side of the control socket; control_protocol.py has the protocol."""

import json
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ..user_errors import STATUS_USAGE, RunError, UsageError, UsageErrors

ANSWER_SECONDS = 10.0  # without a byte from the server
NOTHING: Mapping[str, Any] = MappingProxyType({})
LINE_LIMIT = 1 << 20  # bytes; a row is some 300
ROWS = 1024  # asked for at once


class NotRunningError(RunError):
    """Nobody listens there."""


def ask(
    path: str, command: str, arguments: Mapping[str, Any] = NOTHING, patient: bool = False
) -> Iterator[dict[str, Any]]:
    """The rows of the answer as they come; raises RunError, also half-way, and UsageError where
    what the NAT is asked cannot be right.

    `arguments` are what else the request says; `patient`: the answer may come at any time.
    """
    lines = _lines(path, command, arguments, patient)
    return (row for row in lines if row.get("done") is not True)


def ask_rows(path: str, command: str, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a table, however slowly they are taken; raises RunError likewise.

    Each ROWS of them are an answer of their own, so that who reads page by page keeps no connection
    and nothing waits at the NAT's end.
    """
    place: dict[str, int] = {"start": 0}
    while True:
        *rows, last = _lines(path, command, {**arguments, **place, "limit": ROWS})
        yield from rows
        if not last.get("next"):
            return
        place = {"start": last["next"]}
        if "generation" in last:
            place["generation"] = last["generation"]


def ask_for_change(
    path: str, command: str, arguments: Mapping[str, Any], waiting: Callable[[int], None]
) -> dict[str, Any]:
    """The one row of the answer, however long it takes; raises UsageError or RunError.

    `waiting` is told every second for how many there has been none: who leaves early does not know
    what becomes of it.
    """
    row, _ = _lines(path, command, arguments, patient=True, waiting=waiting)
    return row


def _lines(
    path: str,
    command: str,
    arguments: Mapping[str, Any],
    patient: bool = False,
    waiting: Callable[[int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """The lines of a whole answer: its rows and the one that says it is done."""
    request = json.dumps({"command": command, **arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(path)
            _send(connection, request)
            if patient:
                connection.settimeout(None)
            if waiting is not None:
                _await(connection, waiting)
            with connection.makefile("rb") as reply:
                while line := reply.readline(LINE_LIMIT):
                    row = _row(path, line)
                    yield row
                    if row.get("done") is True:
                        return
        except TimeoutError:
            raise RunError(
                f"{path}: no answer within {ANSWER_SECONDS:.0f} seconds; is the NAT stopped?"
            ) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunningError(
                f"no ratsnake is running at {path}; --device or --control says where it is"
            ) from None
        except PermissionError:
            raise RunError(
                f"{path}: only root and the owner of the NAT may ask, and whom --control-mode and"
                " --control-group of the NAT let in"
            ) from None
        except OSError as error:
            raise RunError(f"{path}: {error.strerror or error}") from None
    raise RunError(f"{path}: the answer was cut off; did the NAT stop?")


def _await(connection: socket.socket, waiting: Callable[[int], None]) -> None:
    seconds = 0
    while not select.select([connection], [], [], 1.0)[0]:
        seconds += 1
        waiting(seconds)


def _send(connection: socket.socket, request: bytes) -> None:
    """Send, also to a server that refuses before it has read: its reason is still to be read."""
    try:
        connection.sendall(request)
    except (BrokenPipeError, ConnectionResetError):
        return


def _row(path: str, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise RunError(f"{path}: the answer is not one of a ratsnake")
    if "error" in row:
        raise _complaint(path, row)
    return row


def _complaint(path: str, row: dict[str, Any]) -> Exception:
    """With the exit status of a command that fails so, it is complete by itself."""
    if "exit" in row:
        several = row.get("errors", ())
        if row["exit"] == STATUS_USAGE and len(several) > 1:
            return UsageErrors(several)
        return (UsageError if row["exit"] == STATUS_USAGE else RunError)(row["error"])
    return RunError(f"{path}: {row['error']}")
