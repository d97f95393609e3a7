"""The tests' STUN server on real sockets of the loopback interface, over UDP and TCP."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from .stun_server import Endpoint, StunServer

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
#: The loopback addresses a server has: Linux answers to all of 127.0.0.0/8.
ADDRESSES = {4: ("127.0.0.1", "127.0.0.2"), 6: ("::1",)}

Stream = Callable[[socket.socket, bytes], None]


@contextmanager
def running(
    version: int = 4, stream: Stream | None = None, udp: bool = True
) -> Iterator[StunServer]:
    """A server with two ports at each address; `stream` answers over TCP in its stead.

    With `udp` False it does not answer over UDP.
    """
    with ExitStack() as stack:
        sockets = _sockets(version, stack)
        ports = tuple(dict.fromkeys(port for _, port in sockets))
        server = StunServer(ADDRESSES[version], ports)
        selector = stack.enter_context(selectors.DefaultSelector())
        stop, stopped = socket.socketpair()
        stack.enter_context(stop)
        stack.enter_context(stopped)
        selector.register(stopped, selectors.EVENT_READ, None)
        for endpoint, (datagrams, listener) in sockets.items():
            selector.register(datagrams, selectors.EVENT_READ, endpoint)
            selector.register(listener, selectors.EVENT_READ, endpoint)

        def serve() -> None:
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    handle = key.fileobj
                    assert isinstance(handle, socket.socket)
                    if handle.type == socket.SOCK_STREAM:
                        connection, source = handle.accept()
                        one = (server, connection, source[:2], key.data, stream)
                        threading.Thread(target=_answer_stream, args=one, daemon=True).start()
                    else:
                        octets, source = handle.recvfrom(2000)
                        for answer in server.answer(octets, source[:2], key.data) if udp else ():
                            sockets[answer.source][0].sendto(answer.octets, answer.destination)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            stop.send(b"!")
            thread.join()


def _answer_stream(
    server: StunServer,
    connection: socket.socket,
    source: Endpoint,
    at: Endpoint,
    stream: Stream | None,
) -> None:
    with connection, suppress(OSError):
        connection.settimeout(10)
        octets = connection.recv(2000)
        if stream is not None:
            stream(connection, octets)
            return
        for answer in server.answer(octets, source, at):
            connection.sendall(answer.octets)
        connection.recv(1)  # until the client has enough


def _sockets(version: int, stack: ExitStack) -> dict[Endpoint, tuple[socket.socket, socket.socket]]:
    """A UDP socket and a TCP listener at two ports that are free at all addresses."""
    found: dict[Endpoint, tuple[socket.socket, socket.socket]] = {}
    while len(found) < 2 * len(ADDRESSES[version]):
        with ExitStack() as attempt:
            port = 0
            these = {}
            try:
                for address in ADDRESSES[version]:
                    pair = []
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        handle = attempt.enter_context(socket.socket(FAMILIES[version], kind))
                        handle.bind((address, port))
                        port = handle.getsockname()[1]
                        pair.append(handle)
                    pair[1].listen()
                    these[address, port] = (pair[0], pair[1])
            except OSError:  # somebody has that port at another address: try the next
                continue
            found |= these
            stack.enter_context(attempt.pop_all())
    return found
