"""The server's side of the control socket; the protocol is in daemon/control/control_protocol.py.

Everything is non-blocking and driven by the service's selector, in its one thread: a client that
stops reading costs one page of rows and a place (`places`) until it is dropped.
"""

import json
import logging
import math
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..user_errors import STATUS_RUN, STATUS_USAGE, RunError, UsageError, messages_of
from .client_limits import Place, may_stream, room_for
from .connection_accept import Accepting, NoDescriptorsError
from .control_protocol import CHANGING, REQUEST_LIMIT, REQUEST_SECONDS, STALL_SECONDS
from .peer_credentials import Allowed, user_of
from .socket_path import Claim

Page = list[dict[str, Any]]
Request = dict[str, Any]


class Stream(Protocol):
    """An answer without an end: lines as they come."""

    wake: Callable[[], None] | None  # to be called when there is something after `take` had nothing

    def take(self) -> bytes: ...
    def close(self) -> None: ...


# A generator's return value, if it is an object, is added to the last line of the answer.
Answer = Iterator[Page] | Stream
Commands = Mapping[str, Callable[[Request], Answer]]

log = logging.getLogger(__name__)


# One for all: making an encoder takes as long as using it.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def json_lines(objects: Page) -> bytes:
    return "".join([_encode(one) + "\n" for one in objects]).encode()


def _error(message: str) -> bytes:
    return json_lines([{"error": message}])


def _refused(error: UsageError | RunError) -> bytes:
    """A complaint that says all by itself."""
    status = STATUS_USAGE if isinstance(error, UsageError) else STATUS_RUN
    return json_lines([{"error": str(error), "errors": messages_of(error), "exit": status}])


def _failed(error: Exception) -> bytes:
    log.error("a control request failed: %r", error)
    return _error("the NAT failed to answer; its log says why")


@dataclass(eq=False)
class _Client:
    connection: socket.socket
    place: Place
    deadline: float
    request: bytearray = field(default_factory=bytearray)
    reply: bytes = b""
    pages: Iterator[Page] | None = None
    stream: Stream | None = None
    last: bytes = b""  # sent after the last page


class ControlServer:
    """Answers requests on a claimed socket.

    `commands` gives, by name, a function that returns the answer's rows page by page, or a stream;
    it gets the request, and raises ValueError where that is wrong, UsageError or RunError where
    the reason says all by itself.
    `allowed` is who may ask, and who may ask for a change (control_protocol.CHANGING).
    """

    def __init__(
        self,
        claim: Claim,
        commands: Commands,
        selector: selectors.BaseSelector,
        allowed: Allowed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = claim.listener
        self._commands = commands
        self._selector = selector
        self._allowed = allowed
        self._clock = clock
        self._clients: dict[Place, _Client] = {}
        self._accepting = Accepting(self._listener, clock)
        self._listens = False
        self._listen_on()

    def close(self) -> None:
        """Drop all clients and stop listening; the claim is its owner's to release."""
        for client in tuple(self._clients.values()):
            self._drop(client)
        self._listen_no_more()
        self._accepting.close()

    def drop_late(self) -> None:
        """Drop the clients that have let their deadline pass; to be called about once a second."""
        now = self._clock()
        for client in tuple(self._clients.values()):
            if client.deadline < now:
                self._drop(client)
        self._accepting.restore()
        self._listen_on()

    def _listen_on(self) -> None:
        if not self._listens:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._listens = True

    def _listen_no_more(self) -> None:
        if self._listens:
            self._selector.unregister(self._listener)
            self._listens = False

    def _accept(self) -> None:
        try:
            connection, is_last = self._accepting.accept()
        except NoDescriptorsError:
            self._listen_no_more()  # until `drop_late`
            return
        if connection is None:  # the client is gone already
            return
        connection.setblocking(False)
        user = user_of(connection)
        place = Place(user, self._allowed.owns(user), self._clock())
        if refusal := self._refusal(connection, place, is_last):
            try:
                connection.send(_error(refusal))
            except OSError:
                log.debug("a refused control client did not wait for the reason")
            connection.close()
            self._accepting.restore()
            return
        client = _Client(connection, place, self._clock() + REQUEST_SECONDS)
        self._clients[place] = client
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(client))

    def _refusal(self, connection: socket.socket, place: Place, is_last: bool) -> str:
        """Why it is not served, if so; otherwise there is a place for it then."""
        if not self._allowed.admits(connection):
            return f"only {self._allowed} may ask"
        if is_last and not place.owns:
            return "the NAT has no file descriptors left for others than root and its owner"
        leaving, why = room_for(place, self._clients)
        if leaving is not None:
            self._drop(self._clients[leaving])
        return why

    def _read(self, client: _Client) -> None:
        try:
            got = client.connection.recv(REQUEST_LIMIT + 1 - len(client.request))
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        client.request += got
        if b"\n" in client.request or not got or len(client.request) > REQUEST_LIMIT:
            self._answer(client)

    def _answer(self, client: _Client) -> None:
        client.place.idle = False
        try:
            request = self._request(client.request)
            if request["command"] in CHANGING and not self._allowed.may_change(client.connection):
                raise ValueError(f"only {self._allowed} may change anything")
            answer = self._commands[request["command"]](request)
            if isinstance(answer, Iterator):
                client.pages = answer
            elif not self._may_stream(client):
                answer.close()
                raise ValueError("the place that is left is root's and the owner's; try again")
            else:
                client.stream = answer
                answer.wake = lambda: self._resume(client)
        except ValueError as error:
            client.last = _error(str(error))
        except (UsageError, RunError) as error:
            client.last = _refused(error)
        except Exception as error:  # a defect in an answer must not end the NAT
            client.last = _failed(error)
        self._resume(client)

    def _may_stream(self, client: _Client) -> bool:
        streaming = [one.place for one in self._clients.values() if one.stream is not None]
        return may_stream(client.place, streaming)

    def _resume(self, client: _Client) -> None:
        """There is something to send.  Who watches may be as slow as it likes: it costs a place and
        a bounded queue."""
        client.deadline = math.inf if client.stream else self._clock() + STALL_SECONDS
        self._selector.modify(client.connection, selectors.EVENT_WRITE, lambda: self._write(client))

    def _pause(self, client: _Client) -> None:
        """There is nothing to send now; the client may leave meanwhile."""
        self._selector.modify(client.connection, selectors.EVENT_READ, lambda: self._listen(client))

    def _listen(self, client: _Client) -> None:
        try:
            if client.connection.recv(REQUEST_LIMIT):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(client)

    def _request(self, request: bytearray) -> Request:
        """A request line's object, of a known command; raises ValueError."""
        line, newline, _ = request.partition(b"\n")
        if not newline:
            raise ValueError(f"a request is one line of at most {REQUEST_LIMIT} bytes")
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("the request is not JSON") from None
        command = asked.get("command") if isinstance(asked, dict) else None
        if not isinstance(command, str) or command not in self._commands:
            known = ", ".join(self._commands)
            raise ValueError(f"the request's command must be one of {known}")
        return dict(asked)

    def _write(self, client: _Client) -> None:
        if not client.reply:
            client.reply = self._next(client)
        if client.stream is not None and not client.reply:
            self._pause(client)
            return
        try:
            sent = client.connection.send(client.reply)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        client.reply = client.reply[sent:]
        if client.stream is not None:
            return
        client.deadline = self._clock() + STALL_SECONDS
        if not client.reply and client.pages is None and not client.last:
            self._drop(client)

    def _next(self, client: _Client) -> bytes:
        """What to send now: a page, the last line, or nothing when that has been sent.

        A page may be empty: whoever asks for a few rows of a large table lets others have their
        turn in between.
        """
        if client.stream is not None:
            return client.stream.take()
        try:
            if client.pages is not None:
                return json_lines(next(client.pages))
        except StopIteration as end:
            client.pages = None
            client.last = json_lines([{"done": True, **(end.value or {})}])
        except (UsageError, RunError) as error:
            client.pages = None
            client.last = _refused(error)
        except Exception as error:  # a defect in an answer must not end the NAT
            client.pages = None
            client.last = _failed(error)
        last, client.last = client.last, b""
        return last

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.place, None) is None:
            return  # it has made room for another in this turn, and what came of it comes too late
        if client.stream is not None:
            client.stream.close()
        self._selector.unregister(client.connection)
        client.connection.close()
        self._accepting.restore()
