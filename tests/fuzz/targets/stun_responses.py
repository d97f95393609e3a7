"""STUN responses: what breaks RFC 8489 is refused by MalformedMessage, and what is believed names
endpoints that somebody can have."""

from collections.abc import Iterator
from ipaddress import ip_address

from ratsnake.stun.stun_message import (
    Endpoint,
    MalformedMessage,
    read_response,
    read_transaction_id,
)
from support.stun_server import address, attribute, error, message, success

ID = bytes(range(12))


def run(octets: bytes) -> None:
    identifier = read_transaction_id(octets)
    assert len(identifier) in (0, 12)
    try:
        response = read_response(octets)
    except MalformedMessage as problem:
        assert str(problem)
        return
    assert response.transaction_id == identifier
    assert (response.mapped is None) == bool(response.error)
    for endpoint in (response.mapped, response.other):
        if endpoint is not None:
            _check(endpoint)
    assert response.error == 0 or 300 <= response.error <= 699
    assert len(response.reason) <= 100


def _check(endpoint: Endpoint) -> None:
    host = ip_address(endpoint.address)
    assert 0 < endpoint.port < 65536 and str(host) == endpoint.address
    assert not host.is_multicast and not host.is_unspecified


def seeds() -> Iterator[bytes]:
    other = attribute(0x802C, address(("198.51.100.2", 3479)))
    yield success(ID, ("203.0.113.1", 40000), other)
    yield success(ID, ("2001:db8::1", 40000), attribute(0x8022, b"software"))
    yield error(ID, 420, b"Unknown Attribute")
    yield message(0x0101, ID, attribute(0x0001, address(("203.0.113.1", 1))), other)
    yield success(ID, ("203.0.113.1", 40000), attribute(0x0008, bytes(20)), other)
