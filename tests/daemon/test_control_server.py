"""The control socket from both ends: answers, refusals, slow and rude clients, the path."""

import errno
import json
import os
import selectors
import socket
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import pytest

from ratsnake.daemon.control import control_protocol
from ratsnake.daemon.control.control_client import ROWS as ROWS_AT_ONCE
from ratsnake.daemon.control.control_client import ask, ask_for_change, ask_rows
from ratsnake.daemon.control.control_protocol import (
    CLIENTS,
    IDLE_SECONDS,
    REQUEST_LIMIT,
    REQUEST_SECONDS,
    STALL_SECONDS,
)
from ratsnake.daemon.control.control_server import ControlServer, Page, Request
from ratsnake.daemon.control.peer_credentials import Access, Allowed
from ratsnake.daemon.control.socket_path import Claim
from ratsnake.daemon.user_errors import RunError, UsageError, UsageErrors

ROWS = [{"n": n, "text": "x" * 200} for n in range(5000)]


def pages(request: Request) -> Generator[Page, None, dict[str, Any]]:
    """ROWS as a table answers: whole pages, until `limit` rows are sent or all."""
    start, sent = request.get("start", 0), 0
    for first in range(start, len(ROWS), 256):
        if sent >= request.get("limit", len(ROWS)):
            return {"next": first}
        sent += 256
        yield ROWS[first : first + 256]
    return {}


def checked(request: Request) -> Iterator[Page]:
    if request.get("start", 0) % 256:
        raise ValueError("start must be that of a page")
    return pages(request)


def refused(request: Request) -> Iterator[Page]:
    """At once, or half-way."""
    if "several" in request:
        raise UsageErrors(["one; with a semicolon", "two"])
    if "half" not in request:
        raise UsageError("home.toml: types.nat cone: no such NAT type")
    return half_way()


def half_way() -> Iterator[Page]:
    yield [{"n": 1}]
    raise RunError("the rows lie elsewhere now")


def broken() -> Iterator[Page]:
    yield [{"n": 1}]
    raise KeyError("defect")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Endless:
    """A stream of what a test puts into it; only the server's thread touches `lines`."""

    def __init__(self, request: dict[str, Any]) -> None:
        if "kind" not in request:
            raise ValueError("a kind is needed")
        self.request = request
        self.wake: Callable[[], None] | None = None
        self.lines = b""
        self.closed = threading.Event()

    def say(self, text: bytes) -> None:
        self.lines += text
        if self.wake is not None:
            self.wake()

    def take(self) -> bytes:
        taken, self.lines = self.lines, b""
        return taken

    def close(self) -> None:
        self.closed.set()


class Served:
    """A control server in a thread of its own; `turns` lets a test wait for it."""

    def __init__(self, path: Path, allowed: Allowed) -> None:
        self.path = str(path)
        self.clock = Clock()
        self.claim = Claim(self.path)
        self.selector = selectors.DefaultSelector()
        self.reader, self.writer = socket.socketpair()
        self.selector.register(self.reader, selectors.EVENT_READ, None)
        self.handled = threading.Semaphore(0)
        self.streams: list[Endless] = []
        self.to_do: list[Callable[[], None]] = []
        self.server = ControlServer(
            self.claim,
            {
                "status": lambda _: iter([[{"version": "1"}]]),
                "sessions": checked,
                "broken": lambda _: broken(),
                "endless": lambda _: repeat([]),
                "reload": lambda _: iter([[{"kept": 3}]]),
                "refused": refused,
                "wrong": lambda _: iter([[{}["none"]]]),
                "watch": self.watch,
            },
            self.selector,
            allowed,
            self.clock,
        )
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()

    def watch(self, request: dict[str, Any]) -> Endless:
        stream = Endless(request)
        self.streams.append(stream)
        return stream

    def do(self, what: Callable[[], None]) -> None:
        """Have the server's thread do it, and wait until it has."""
        self.to_do.append(what)
        self.tick(self.clock.now)

    def loop(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.data:
                    key.data()
                elif self.reader.recv(1) == b"t":
                    self.server.drop_late()
                    while self.to_do:
                        self.to_do.pop()()
                    self.handled.release()
                else:
                    return

    def tick(self, now: float) -> None:
        """Let time be `now` and the housekeeping run."""
        self.clock.now = now
        self.writer.send(b"t")
        assert self.handled.acquire(timeout=10)

    def close(self) -> None:
        self.writer.send(b"q")
        self.thread.join()
        self.server.close()
        self.claim.remove()
        self.claim.close()
        self.selector.close()
        self.reader.close()
        self.writer.close()


@contextmanager
def serving(path: Path, allowed: Allowed | None = None) -> Iterator[Served]:
    served = Served(path, Allowed(frozenset((0, os.geteuid()))) if allowed is None else allowed)
    try:
        yield served
    finally:
        served.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "control.sock") as served:
        yield served


@contextmanager
def claimed(path: str) -> Iterator[Claim]:
    claim = Claim(path)
    try:
        yield claim
    finally:
        claim.remove()
        claim.close()


def connect(served: Served) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(served.path)
    return connection


def everything(connection: socket.socket) -> list[dict[str, Any]]:
    with connection, connection.makefile("rb") as file:
        return [json.loads(line) for line in file]


def test_status_and_rows(served: Served) -> None:
    assert list(ask(served.path, "status")) == [{"version": "1"}]
    assert list(ask(served.path, "sessions")) == ROWS


def test_a_wrong_request_is_told(served: Served) -> None:
    with pytest.raises(RunError, match="start must be that of a page"):
        list(ask(served.path, "sessions", {"start": 1}))


def test_a_table_is_read_in_several_answers(served: Served) -> None:
    assert len(ROWS) > 4 * ROWS_AT_ONCE
    assert list(ask_rows(served.path, "sessions", {})) == ROWS


def test_between_two_answers_nothing_waits_for_who_reads_slowly(served: Served) -> None:
    rows = ask_rows(served.path, "sessions", {})
    assert list(islice(rows, ROWS_AT_ONCE)) == ROWS[:ROWS_AT_ONCE]
    served.tick(STALL_SECONDS + 0.1)
    assert list(rows) == ROWS[ROWS_AT_ONCE:]


def test_an_answer_without_rows_yet_lets_others_have_theirs(served: Served) -> None:
    with connect(served) as searching:
        searching.sendall(b'{"command": "endless"}\n')
        assert list(ask(served.path, "sessions")) == ROWS


def test_unknown_command_is_told(served: Served) -> None:
    with pytest.raises(
        RunError, match="must be one of status, sessions, broken, endless, reload, refused, wrong"
    ):
        list(ask(served.path, "flood"))


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        (b"status\n", "not JSON"),
        (b"[" * 4000 + b"\n", "not JSON"),
        (b'"status"\n', "must be one of"),
        (b'{"command": ["status"]}\n', "must be one of"),
        (b"{}\n", "must be one of"),
        (b"\xff\xfe\n", "not JSON"),
        (b"x" * (REQUEST_LIMIT + 100), "one line of at most 4096 bytes"),
    ],
)
def test_bad_requests_get_one_error_line(served: Served, request_line: bytes, message: str) -> None:
    connection = connect(served)
    connection.sendall(request_line)
    # Closing with a request half read resets the connection: the line is there all the same.
    with connection, connection.makefile("rb") as file:
        assert message in json.loads(file.readline())["error"]


def test_a_request_without_its_newline_is_told(served: Served) -> None:
    connection = connect(served)
    connection.sendall(b'{"command": "status"}')
    connection.shutdown(socket.SHUT_WR)
    (answer,) = everything(connection)
    assert "one line" in answer["error"]


def test_a_request_may_come_in_pieces(served: Served) -> None:
    connection = connect(served)
    for byte in b'{"command": "status"}\n':
        connection.send(bytes([byte]))
    assert everything(connection) == [{"version": "1"}, {"done": True}]


def test_other_users_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    refused = pytest.raises(RunError, match="only root and the owner")
    with serving(path, allowed=Allowed(frozenset((12345,)))) as served, refused:
        list(ask(served.path, "status"))


def test_what_makes_changes_on_the_host_is_not_for_everybody() -> None:
    assert {"doctor", "reload", "forward", "flush"} == set(control_protocol.CHANGING)


def test_everybody_may_ask_but_only_who_is_named_may_change(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with serving(path, allowed=Allowed(frozenset((12345,)), everybody=True)) as served:
        assert list(ask(served.path, "status"))
        with pytest.raises(RunError, match="only root and the owner .* may change anything"):
            ask_for_change(served.path, "reload", {}, lambda _: None)
    with serving(path) as served:
        assert ask_for_change(served.path, "reload", {}, lambda _: None) == {"kept": 3}


def test_a_refusal_is_a_whole_message_with_its_exit_status(served: Served) -> None:
    with pytest.raises(UsageError) as wrong:
        ask_for_change(served.path, "refused", {}, lambda _: None)
    assert str(wrong.value) == "home.toml: types.nat cone: no such NAT type"
    with pytest.raises(UsageErrors) as several:
        ask_for_change(served.path, "refused", {"several": True}, lambda _: None)
    assert several.value.messages == ("one; with a semicolon", "two")
    answer = ask(served.path, "refused", {"half": True})
    assert next(answer) == {"n": 1}
    with pytest.raises(RunError) as failed:
        next(answer)
    assert str(failed.value) == "the rows lie elsewhere now"


def test_who_waits_for_a_change_is_told_so_every_second(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    waited: list[int] = []
    enough = threading.Event()

    def wait(seconds: int) -> None:
        waited.append(seconds)
        enough.set()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                assert enough.wait(10)
                connection.sendall(b'{"kept": 3}\n{"done": true}\n')

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask_for_change(path, "reload", {}, wait) == {"kept": 3}
        thread.join()
    assert waited[0] == 1


def test_a_table_is_read_on_in_the_same_generation(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    asked: list[dict[str, Any]] = []
    lasts: list[dict[str, int]] = [{"next": 7, "generation": 3}, {"next": 9}, {}]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            for last in lasts:
                connection, _ = listener.accept()
                with connection:
                    asked.append(json.loads(connection.recv(4096)))
                    connection.sendall(json.dumps({"done": True, **last}).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert list(ask_rows(path, "sessions", {})) == []
        thread.join()
    more = [{key: one[key] for key in one if key in ("start", "generation")} for one in asked]
    assert more == [{"start": 0}, {"start": 7, "generation": 3}, {"start": 9}]


def test_one_client_too_many_is_told(served: Served) -> None:
    waiting = [connect(served) for _ in range(CLIENTS)]
    with pytest.raises(RunError, match=f"{CLIENTS} clients are being served"):
        list(ask(served.path, "status"))
    for connection in waiting:
        connection.close()
    served.tick(0.0)  # the closes are handled before the tick, or else in the same turn
    assert list(ask(served.path, "status"))


def test_a_client_without_a_request_makes_room_for_another(served: Served) -> None:
    """The one that has waited longest; who has asked keeps its place."""
    waiting = [connect(served) for _ in range(CLIENTS - 1)]
    watching = connect(served)
    watching.sendall(b'{"command": "watch", "kind": "rain"}\n')
    for _ in range(CLIENTS + 2):  # a turn takes one of them, and then there is a request
        served.tick(0.0)
    served.tick(IDLE_SECONDS)
    later = []
    for gone in waiting:
        later.append(connect(served))
        assert everything(gone) == []
    with pytest.raises(RunError, match="are being served already"):
        list(ask(served.path, "status"))
    assert not served.streams[0].closed.is_set()
    for connection in (watching, *later):
        connection.close()


def test_a_silent_client_is_dropped(served: Served) -> None:
    connection = connect(served)
    connection.send(b"{")
    for now in (0.0, 0.0, REQUEST_SECONDS):  # after two turns it has been accepted
        served.tick(now)
    served.tick(REQUEST_SECONDS + 0.1)
    assert everything(connection) == []


def test_a_client_that_stops_reading_holds_nobody_and_is_dropped(served: Served) -> None:
    stuck = connect(served)
    stuck.sendall(b'{"command": "sessions"}\n')
    assert len(list(ask(served.path, "sessions"))) == len(ROWS)
    served.tick(STALL_SECONDS + 0.1)
    with stuck, stuck.makefile("rb") as file:
        got = list(file)
    assert 0 < len(got) < len(ROWS)
    assert list(ask(served.path, "status"))


def test_a_client_that_leaves_half_way_harms_nobody(served: Served) -> None:
    answer = ask(served.path, "sessions")
    assert next(answer) == ROWS[0]
    answer.close()  # type: ignore[attr-defined]
    assert list(ask(served.path, "status"))


def test_a_defect_in_an_answer_does_not_end_the_server(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = ask(served.path, "broken")
    assert next(answer) == {"n": 1}
    with pytest.raises(RunError, match="failed to answer"):
        next(answer)
    assert "KeyError('defect')" in caplog.text
    with pytest.raises(RunError, match="failed to answer"):
        list(ask(served.path, "wrong"))
    assert list(ask(served.path, "status"))


def test_a_cut_answer_is_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def half() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'{"n": 1}\n')

        thread = threading.Thread(target=half)
        thread.start()
        answer = ask(path, "status")
        assert next(answer) == {"n": 1}
        with pytest.raises(RunError, match="cut off"):
            next(answer)
        thread.join()


def test_a_stream_goes_on_until_the_client_leaves(served: Served) -> None:
    connection = connect(served)
    connection.sendall(b'{"command": "watch", "kind": "mapping"}\n')
    file = connection.makefile("rb")
    while not served.streams:
        served.tick(0.0)
    (stream,) = served.streams
    assert stream.request["kind"] == "mapping"
    for text in (b'{"n":1}\n', b'{"n":2}\n' * 10):
        served.do(partial(stream.say, text))
        assert file.read(len(text)) == text
    # However long nothing happens, and whatever the client says meanwhile.
    connection.sendall(b"hello?")
    served.tick(10 * STALL_SECONDS)
    assert not stream.closed.is_set()
    served.do(partial(stream.say, b"again\n"))
    assert file.readline() == b"again\n"
    file.close()
    connection.close()
    assert stream.closed.wait(10)
    assert list(ask(served.path, "status"))


def test_a_watcher_that_does_not_read_holds_nobody(served: Served) -> None:
    connection = connect(served)
    connection.sendall(b'{"command": "watch", "kind": "mapping"}\n')
    while not served.streams:
        served.tick(0.0)
    (stream,) = served.streams
    served.do(partial(stream.say, b"x" * (8 << 20)))
    assert list(ask(served.path, "status"))
    served.tick(10 * STALL_SECONDS)
    assert not stream.closed.is_set()
    connection.close()
    assert stream.closed.wait(10)


def test_a_stream_that_cannot_be_is_told_why(served: Served) -> None:
    with pytest.raises(RunError, match="a kind is needed"):
        list(ask(served.path, "watch", patient=True))


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no ratsnake is running at"):
        list(ask(str(tmp_path / "none"), "status"))


def test_the_socket_is_the_owners_alone_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    before = os.umask(0)
    try:
        with claimed(str(path)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_ISSOCK(path.stat().st_mode)
    finally:
        os.umask(before)
    assert not list(tmp_path.iterdir())


def test_the_socket_has_its_mode_and_group_before_anybody_can_connect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control.sock"
    seen: list[object] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: seen.append(arguments))

    def refused(self: socket.socket, backlog: int) -> None:
        seen.append(stat.S_IMODE(path.stat().st_mode))
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(socket.socket, "listen", refused)
    with pytest.raises(RunError, match="Address already in use"):
        Claim(str(path), Access(0o660, 12345))
    assert seen == [(str(path), -1, 12345), 0o660]


def test_a_live_socket_is_not_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    with claimed(path):
        with pytest.raises(RunError, match="already running"):
            Claim(path)
        assert os.path.exists(path)


def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    with claimed(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_dead_servers_socket_may_be_removed_by_its_helper_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "control.sock")
    unlink = os.unlink

    def unlink_second(name: str) -> None:
        unlink(name)
        unlink(name)

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", unlink_second)
        claim = Claim(path)
    claim.remove()
    claim.close()


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(RunError, match="not a socket"):
        Claim(str(path))
    assert path.read_text() == "precious"


def test_somebody_elses_socket_is_left_alone_at_the_end(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    with claimed(path):
        os.unlink(path)
        successor = Claim(path)
    assert os.path.exists(path)
    assert successor.remove() == ()
    assert not os.path.exists(path)
    assert successor.remove() == (f"control socket {path} was removed by somebody else",)
    successor.close()


def test_the_socket_of_a_successor_with_the_same_inode_number_is_left_alone(tmp_path: Path) -> None:
    """A helper that stood still when its NAT died goes on when there is another NAT."""
    path = str(tmp_path / "control.sock")
    dead = Claim(path)
    dead.give_to(os.getuid())
    dead.close()
    time.sleep(0.05)  # the file system's clock goes on
    successor = Claim(path)
    assert dead.remove() == ()
    assert os.path.exists(path)
    assert successor.remove() == ()
    assert not os.path.exists(path)
    successor.close()


def test_impossible_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 to 107 bytes"):
        Claim(str(tmp_path / ("x" * 107)))
    with pytest.raises(RunError, match="No such file or directory"):
        Claim(str(tmp_path / "none" / "control.sock"))
