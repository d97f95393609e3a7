"""The HTTP server that Prometheus scrapes.

The library makes the answer, the standard library speaks HTTP; here is what bounds both: so many
connections at once, and so much time for each.  Its threads share nothing with the packet loop but
the moments in which they look at its counters.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from ..configuration.listen import Listen
from ..errors import RunError

CONNECTIONS = 4  # at once; one more is closed
SECONDS = 5.0  # for a whole request and its answer
LOOK_SECONDS = 0.5  # how often it is looked who has taken longer

log = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    timeout = SECONDS  # of each single read or write

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
        self._open: dict[socket.socket, float] = {}  # connections, and when their time is over
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

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._change:
            has_room = len(self._open) < CONNECTIONS
            if has_room:
                self._open[request] = self._clock() + SECONDS
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        with self._change:
            self._open.pop(request, None)
        super().close_request(request)

    def service_actions(self) -> None:
        """End the connections whose time is over: their threads then see the end."""
        now = self._clock()
        with self._change:
            for connection in [one for one, until in self._open.items() if until < now]:
                del self._open[connection]
                _cut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a scrape failed", exc_info=True)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("a scraper had left already")
