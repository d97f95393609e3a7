"""The HTTP server that Prometheus scrapes.

The library makes the answer, the standard library speaks HTTP; here is what bounds both: so many
connections at once, and so much time for each.  Where all are taken, the one whose request has been
awaited for longest makes room.  The threads share nothing with the packet loop but the moments in
which they look at its counters.
"""

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from ..configuration.listen_address import Listen
from ..control.connection_accept import SILENT_SECONDS, tell_exhausted
from ..user_errors import RunError

CONNECTIONS = 16  # at once
SECONDS = 5.0  # for a whole request and its answer
IDLE_SECONDS = 0.5  # after which a connection without a whole request makes room for another
LOOK_SECONDS = 0.5  # how often it is looked who has taken longer

log = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    timeout = SECONDS  # of each single read or write
    server: "MetricsServer"

    def get_environ(self) -> dict[str, Any]:
        """Called once the request is there."""
        self.server.begin_answer(self.request)
        return super().get_environ()

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Listens at once, and answers in threads of its own from `start` to `close`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listen: Listen, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises RunError where the address cannot be had."""
        self.address_family = listen.family
        self._clock = clock
        self._open: dict[socket.socket, float] = {}  # since when, the first one first
        self._idle: set[socket.socket] = set()  # of these, those whose request is still to come
        self._told = -SILENT_SECONDS
        self._change = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(LOOK_SECONDS,), name="metrics", daemon=True
        )
        try:
            super().__init__((listen.address, listen.port), _Handler)
        except OSError as error:
            raise RunError(f"--metrics {listen}: {error.strerror}") from None

    def start(self, registry: CollectorRegistry) -> None:
        self.set_app(make_wsgi_app(registry))
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def server_bind(self) -> None:
        """As HTTPServer does, but without asking the resolver for a name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """As TCPServer does, but a connection that cannot be taken is no reason to try at once."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                if self._clock() - self._told >= SILENT_SECONDS:
                    self._told = self._clock()
                    tell_exhausted("metrics")
                time.sleep(LOOK_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._change:
            has_room = self._has_room()
            if has_room:
                self._open[request] = self._clock()
                self._idle.add(request)
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _has_room(self) -> bool:
        """Whether one more may come; who has been idle for longest leaves for it."""
        if len(self._open) < CONNECTIONS:
            return True
        latest = self._clock() - IDLE_SECONDS
        for connection, since in self._open.items():
            if connection in self._idle and since <= latest:
                self._end(connection)
                return True
        return False

    def begin_answer(self, request: socket.socket) -> None:
        """The whole request is there."""
        with self._change:
            self._idle.discard(request)

    def close_request(self, request: Any) -> None:
        with self._change:
            self._forget(request)
        super().close_request(request)

    def service_actions(self) -> None:
        """End the connections whose time is over."""
        latest = self._clock() - SECONDS
        with self._change:
            for connection in [one for one, since in self._open.items() if since < latest]:
                self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        """Its thread then sees the end."""
        self._forget(connection)
        _cut(connection)

    def _forget(self, connection: socket.socket) -> None:
        self._open.pop(connection, None)
        self._idle.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a scrape failed", exc_info=True)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("a scraper had left already")
