"""A STUN server of the tests' own (RFC 8489, RFC 5780): what it answers, without sockets.

It is written without the client's code, so that both must agree with the RFCs and not with each
other.  `twist` changes each response on its way out, for servers that are wrong or hostile.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

COOKIE = bytes.fromhex("2112a442")
CHANGE_REQUEST, RESPONSE_PORT = 0x0003, 0x0027

Endpoint = tuple[str, int]


class Answer(NamedTuple):
    source: Endpoint
    destination: Endpoint
    octets: bytes


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind: int, transaction_id: bytes, *attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HH", kind, len(body)) + COOKIE + transaction_id + body


def address(endpoint: Endpoint) -> bytes:
    packed = ip_address(endpoint[0]).packed
    return struct.pack("!BBH", 0, 1 if len(packed) == 4 else 2, endpoint[1]) + packed


def masked(endpoint: Endpoint, transaction_id: bytes) -> bytes:
    plain, pad = address(endpoint), COOKIE + transaction_id
    port = bytes(a ^ b for a, b in zip(plain[2:4], pad, strict=False))
    return plain[:2] + port + bytes(a ^ b for a, b in zip(plain[4:], pad, strict=False))


def success(transaction_id: bytes, mapped: Endpoint, *more: bytes) -> bytes:
    return message(
        0x0101,
        transaction_id,
        attribute(0x0001, address(mapped)),
        attribute(0x0020, masked(mapped, transaction_id)),
        *more,
    )


def error(transaction_id: bytes, code: int, reason: bytes = b"") -> bytes:
    value = bytes([0, 0, code // 100, code % 100]) + reason
    return message(0x0111, transaction_id, attribute(0x0009, value))


def parse(octets: bytes) -> tuple[bytes, dict[int, bytes]]:
    """Transaction id and attributes of a request, which is taken to be right."""
    kind, length = struct.unpack_from("!HH", octets)
    assert (kind, length, octets[4:8]) == (0x0001, len(octets) - 20, COOKIE)
    attributes = {}
    place = 20
    while place < len(octets):
        kind, length = struct.unpack_from("!HH", octets, place)
        attributes[kind] = octets[place + 4 : place + 4 + length]
        place += 4 + (length + 3 & ~3)
    return octets[8:20], attributes


def as_it_is(answer: Answer) -> Iterable[Answer]:
    return [answer]


@dataclass
class StunServer:
    """`addresses` and `ports`: one or two of each.  With two of either it is an RFC 5780 server.

    `knows` are the optional attributes it knows; `silent` endpoints are closed; `changes`: it
    does what CHANGE-REQUEST asks for, and not only say so.
    """

    addresses: tuple[str, ...]
    ports: tuple[int, ...] = (3478, 3479)
    knows: frozenset[int] = frozenset({CHANGE_REQUEST, RESPONSE_PORT})
    other: Endpoint | None = None
    silent: frozenset[Endpoint] = frozenset()
    changes: bool = True
    twist: Callable[[Answer], Iterable[Answer]] = as_it_is
    asked: list[tuple[Endpoint, Endpoint]] = field(default_factory=list)

    @property
    def endpoints(self) -> set[Endpoint]:
        return {(one, port) for one in self.addresses for port in self.ports} - self.silent

    def answer(self, octets: bytes, source: Endpoint, at: Endpoint) -> list[Answer]:
        """What is sent when `octets` come from `source` to the server's endpoint `at`."""
        self.asked.append((source, at))
        transaction_id, attributes = parse(octets)
        unknown = [kind for kind in attributes if kind not in self.knows]
        destination = source
        if unknown:
            return list(self.twist(Answer(at, source, error(transaction_id, 420, b"Unknown"))))
        flags = int.from_bytes(attributes.get(CHANGE_REQUEST, bytes(4)), "big")
        if RESPONSE_PORT in attributes:
            destination = (source[0], int.from_bytes(attributes[RESPONSE_PORT][:2], "big"))
        other = (
            next((one for one in self.addresses if one != at[0]), at[0]),
            next((one for one in self.ports if one != at[1]), at[1]),
        )
        sent_from = (other[0] if flags & 4 else at[0], other[1] if flags & 2 else at[1])
        more = []
        if other != at:
            more.append(attribute(0x802C, address(self.other or other)))
        octets = success(transaction_id, source, *more)
        answer = Answer(sent_from if self.changes else at, destination, octets)
        return list(self.twist(answer))
