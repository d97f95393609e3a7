"""Where no descriptor is left: no loop that only tries, one line, and root is served."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratsnake.daemon.control.connection_accept import SILENT_SECONDS, Accepting, NoDescriptorsError
from ratsnake.daemon.control.control_server import ControlServer
from ratsnake.daemon.control.peer_credentials import Allowed
from ratsnake.daemon.control.socket_path import Claim

TOLD = "control socket: no file descriptors are left"


class Listener:
    """One whose process may hold `room` descriptors more; the spare one is among them."""

    def __init__(self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 100
        self.tries = 0
        self._listener = listener
        opened, closed = os.open, os.close

        def open_(path: str, flags: int) -> int:
            if self.room < 1:
                raise OSError(errno.EMFILE, "none is left")
            self.room -= 1
            return opened(path, flags)

        def close(descriptor: int) -> None:
            self.room += 1
            closed(descriptor)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "close", close)

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.room < 1:
            raise OSError(errno.EMFILE, "none is left")
        connection, address = self._listener.accept()
        self.room -= 1
        return Connection(connection, self), address

    def fileno(self) -> int:
        return self._listener.fileno()


class Connection(socket.socket):
    def __init__(self, connection: socket.socket, listener: Listener) -> None:
        super().__init__(fileno=connection.detach())
        self._listener = listener

    def close(self) -> None:
        super().close()
        self._listener.room += 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def claim(tmp_path: Path) -> Iterator[Claim]:
    made = Claim(str(tmp_path / "control.sock"))
    yield made
    made.remove()
    made.close()


@pytest.fixture
def listener(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return Listener(claim.listener, monkeypatch)


def connected(claim: Claim) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(claim.path)
    return connection


def test_the_spare_descriptor_takes_one_and_then_there_is_none(
    claim: Claim, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    accepting = Accepting(listener, clock)  # type: ignore[arg-type]
    clients = [connected(claim) for _ in range(3)]
    assert accepting.accept()[1] is False
    listener.room = 0
    connection, is_last = accepting.accept()
    assert connection is not None and is_last
    for clock.now in (0.0, 1.0, SILENT_SECONDS):
        with pytest.raises(NoDescriptorsError):
            accepting.accept()
    assert [message[: len(TOLD)] for message in caplog.messages] == [TOLD, TOLD]
    connection.close()
    listener.room = 1
    accepting.restore()
    assert listener.room == 0
    assert accepting.accept()[1] is True
    accepting.close()
    for client in clients:
        client.close()


def test_a_client_that_has_left_is_none(claim: Claim, listener: Listener) -> None:
    accepting = Accepting(listener, Clock())  # type: ignore[arg-type]
    assert accepting.accept() == (None, False)
    listener.room = 0
    assert accepting.accept() == (None, False)
    assert listener.room == 0  # the spare one is there again
    accepting.close()


@pytest.mark.parametrize("owns", [True, False])
def test_the_server_serves_root_with_the_spare_one_and_rests_without(
    claim: Claim, listener: Listener, owns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = frozenset((os.geteuid(),)) if owns else frozenset[int]()
    allowed = Allowed(users, everybody=True)
    monkeypatch.setattr(claim, "listener", listener)
    with selectors.DefaultSelector() as selector:
        server = ControlServer(claim, {"status": lambda _: iter([[{"a": 1}]])}, selector, allowed)
        listener.room = 0
        clients = [connected(claim) for _ in range(3)]
        for _ in range(20):
            for key, _ in selector.select(0):
                key.data()
        # The second try for each is by the spare one, which root's first client keeps.
        assert listener.tries == (3 if owns else 6)
        if owns:
            clients[0].sendall(b'{"command": "status"}\n')
            for _ in range(6):
                for key, _ in selector.select(0):
                    key.data()
            assert clients[0].recv(100).startswith(b'{"a":1}')
        else:
            for client in clients:
                assert b"no file descriptors left for others" in client.recv(200)
        server.close()
        for client in clients:
            client.close()
