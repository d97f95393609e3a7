"""The load over the loopback interface: every flow has its share, and all that comes is counted."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from support.flavours import Engine

LOCAL = "127.0.0.1"
RUN = 16
PATIENCE = 20.0
ENDLESS = 1 << 40
MOMENT = struct.pack("@ll", 0, 50_000)


@pytest.fixture
def udp(engine: Engine) -> ModuleType:
    return engine.modules["bench.udp_load"]


@pytest.fixture
def tcp(engine: Engine) -> ModuleType:
    return engine.modules["bench.tcp_load"]


@contextmanager
def bound(count: int, kind: int = socket.SOCK_DGRAM) -> Iterator[list[socket.socket]]:
    handles = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for handle in handles:
            handle.bind((LOCAL, 0))
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, MOMENT)
        yield handles
    finally:
        for handle in handles:
            handle.close()


def in_thread(function: Any, *arguments: Any) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)))
    thread.start()
    return thread, results


def test_every_flow_gets_one_datagram_before_any_gets_two(udp: ModuleType) -> None:
    with bound(3) as near, bound(2 * RUN) as far:
        remotes = [handle.getsockname() for handle in far]
        sender = udp.Sender(near, remotes, 64)
        flows = len(near) * len(far)
        assert sender.run(0, PATIENCE, flows) == flows
        seen: Counter[tuple[Any, Any]] = Counter()
        for handle in far:
            for _ in near:
                datagram, source = handle.recvfrom(2000)
                assert len(datagram) == 64
                seen[source, handle.getsockname()] += 1
        assert len(seen) == flows and set(seen.values()) == {1}


def test_the_receiver_counts_what_is_left_when_it_is_stopped(udp: ModuleType) -> None:
    with bound(1) as near, bound(1) as far:
        sender = udp.Sender(near, [far[0].getsockname()], 64)
        assert sender.run(0, PATIENCE, 100) == 100
        receiver = udp.Receiver(far[0])
        receiver.stop()
        assert receiver.run() == 100


def test_the_receiver_waits_until_it_is_stopped(udp: ModuleType) -> None:
    with bound(1) as near, bound(1) as far:
        receiver = udp.Receiver(far[0])
        thread, results = in_thread(receiver.run)
        udp.Sender(near, [far[0].getsockname()], 64).run(1000, PATIENCE, 20)
        receiver.stop()
        thread.join(PATIENCE)
        assert results == [20]


def test_a_rate_is_not_exceeded_and_the_time_ends_it(udp: ModuleType) -> None:
    with bound(1) as near, bound(1) as far:
        sender = udp.Sender(near, [far[0].getsockname()], 64)
        assert 1 <= sender.run(200, 0.1, ENDLESS) <= 21
        assert sender.run(0, 0.01, ENDLESS) > 0


def test_what_the_socket_refuses_is_raised(udp: ModuleType) -> None:
    with bound(1) as near:
        sender = udp.Sender(near, [("255.255.255.255", 9)], 64)  # not without SO_BROADCAST
        with pytest.raises(OSError, match="sendmmsg|denied"):
            sender.run(0, PATIENCE, 1)


def test_connections_are_made_and_closed(tcp: ModuleType) -> None:
    with bound(2, socket.SOCK_STREAM) as listeners:
        serving = []
        for listener in listeners:
            listener.listen(100)
            acceptor = tcp.Acceptor(listener)
            serving.append((acceptor, *in_thread(acceptor.run)))
        connector = tcp.Connector([listener.getsockname() for listener in listeners])
        made = connector.run(0.2)
        for acceptor, thread, results in serving:
            acceptor.stop()
            thread.join(PATIENCE)
            assert results == [None]
    assert made > 1 and connector.failures() == 0


def test_connections_that_fail_are_counted(tcp: ModuleType) -> None:
    with bound(1, socket.SOCK_STREAM) as listeners:
        connector = tcp.Connector([listeners[0].getsockname()])  # which does not listen
        assert connector.run(0.05) == 0
        assert connector.failures() > 0
