"""The client on real sockets, with a server on the loopback interface."""

import socket
import time
from collections.abc import Iterator

import pytest

from ratsnake.nat.rules.behaviour import Filtering, Mapping
from ratsnake.stun import nat_behaviour_discovery, tcp_mapping, udp_sockets
from ratsnake.stun.nat_check import CheckResult, check_network
from ratsnake.stun.stun_client import Schedule, StunClient
from ratsnake.stun.stun_message import Endpoint
from ratsnake.stun.tcp_mapping import contact_tcp
from ratsnake.stun.udp_sockets import UdpNetwork
from support.stun_server import success
from support.stun_sockets import ADDRESSES, Stream, running


def check(version: int, *servers: Endpoint) -> CheckResult:
    return check_network(StunClient(UdpNetwork()), version, servers)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tcp_mapping, "_TIMEOUT", 0.3)
    yield


def test_without_an_error_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux has one; elsewhere an error may come up at any call, and closed ports do not."""
    monkeypatch.setattr(udp_sockets, "_ERROR_QUEUE", 0)
    monkeypatch.setattr(nat_behaviour_discovery, "PATIENT", Schedule(0.1, 1, 0.1))
    monkeypatch.setattr(nat_behaviour_discovery, "BRIEF", Schedule(0.1, 1, 0.1))
    with running() as server:
        assert check(4, Endpoint(server.addresses[0], server.ports[0])).udp is not None
    result = check(4, Endpoint(server.addresses[0], server.ports[0]))
    assert result.contact is not None and not result.contact.answered


def test_udp_and_tcp() -> None:
    with running() as server:
        result = check(4, Endpoint(server.addresses[0], server.ports[0]))
    assert result.udp is not None and result.tcp is not None
    assert result.udp.filtering.filterings == (Filtering.EIF,)
    for mapping in (result.udp.mapping, result.tcp):
        assert (mapping.translated, mapping.mappings) == (False, (Mapping.EIM,))
        assert all(32768 <= local.port <= 65535 for local, _ in mapping.seen)
        assert len({local.port for local, _ in mapping.seen}) == len(mapping.seen)
        # The other address and port were contacted too, over TCP as well.
        assert {remote.address for _, found in mapping.seen for remote in found} == {*ADDRESSES[4]}


def test_ipv6() -> None:
    with running(6) as server:
        result = check(6, Endpoint(server.addresses[0], server.ports[0]))
    assert result.udp is not None and result.tcp is not None
    assert not result.udp.mapping.translated and not result.tcp.translated
    # One address has two ports only: more cannot be told.
    assert result.udp.filtering.filterings == (Filtering.EIF, Filtering.ADF)


def test_a_closed_port_is_told_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        closed = Endpoint(*taken.getsockname())
    begun = time.monotonic()
    result = check(4, closed)
    assert not result.answered and result.contact is not None and result.tcp_contact is not None
    assert result.contact.outcomes[closed].failure == "ICMP error: Connection refused"
    assert result.tcp_contact.outcomes[closed].failure == "Connection refused"
    assert time.monotonic() - begun < 30  # it is 39.5 s for one that does not answer


def plain(connection: socket.socket, request: bytes) -> None:
    """A server that names its other address over UDP only."""
    connection.sendall(success(request[8:20], connection.getpeername()))
    connection.recv(1)


def test_tcp_uses_the_other_address_that_udp_knows() -> None:
    with running(stream=plain) as server:
        endpoint = Endpoint(server.addresses[0], server.ports[0])
        result = check(4, endpoint)
    assert result.tcp is not None and result.tcp.mappings == (Mapping.EIM,)
    remotes = {remote for _, found in result.tcp.seen for remote in found}
    assert remotes == {endpoint, *(("127.0.0.2", port) for port in server.ports)}


def nothing(connection: socket.socket, request: bytes) -> None:
    connection.recv(1)


def hang_up(connection: socket.socket, request: bytes) -> None:
    pass


def drip(connection: socket.socket, request: bytes) -> None:
    """An octet every 0.1 s would go on for minutes; each is in time by itself."""
    for octet in success(request[8:20], ("127.0.0.1", 4000)) * 100:
        connection.sendall(bytes([octet]))
        time.sleep(0.1)


def wrong_id(connection: socket.socket, request: bytes) -> None:
    connection.sendall(success(bytes(12), ("127.0.0.1", 4000)))


def huge(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"\x01\x01\xff\xfc" + request[4:20])


@pytest.mark.parametrize(
    ("stream", "failure"),
    [
        (nothing, "no answer"),
        (drip, "no answer"),
        (hang_up, "answers wrongly: the connection ended before the response"),
        (wrong_id, "answers wrongly: another transaction id"),
        (huge, "answers wrongly: a response of 65532 bytes"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_tcp_servers_that_are_wrong(stream: Stream, failure: str) -> None:
    with running(stream=stream) as server:
        endpoint = Endpoint(server.addresses[0], server.ports[0])
        contact = contact_tcp([endpoint])
    assert contact.outcomes[endpoint].failure == failure
