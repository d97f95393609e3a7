"""STUN messages (RFC 8489 section 5): Binding requests are written, their responses read.

A response comes from the internet, so nothing in it is believed before it is checked: whatever does
not follow the RFC raises `MalformedMessage`, and no other error.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

MAGIC_COOKIE = 0x2112A442
TRANSACTION_ID_BYTES = 12
HEADER_BYTES = 20

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

# Attribute types: RFC 8489 section 18.3, RFC 5780 section 9.1, RFC 3489 section 11.2.
MAPPED_ADDRESS = 0x0001
CHANGE_REQUEST = 0x0003
SOURCE_ADDRESS = 0x0004
CHANGED_ADDRESS = 0x0005
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
REALM = 0x0014
NONCE = 0x0015
MESSAGE_INTEGRITY_SHA256 = 0x001C
XOR_MAPPED_ADDRESS = 0x0020
PADDING = 0x0026
RESPONSE_PORT = 0x0027
FINGERPRINT = 0x8028
OTHER_ADDRESS = 0x802C

#: Attributes from here on may be ignored by who does not know them (RFC 8489 section 14).
_OPTIONAL = 0x8000
_KNOWN = {
    MAPPED_ADDRESS,
    CHANGE_REQUEST,
    SOURCE_ADDRESS,
    CHANGED_ADDRESS,
    MESSAGE_INTEGRITY,
    ERROR_CODE,
    UNKNOWN_ATTRIBUTES,
    REALM,
    NONCE,
    MESSAGE_INTEGRITY_SHA256,
    XOR_MAPPED_ADDRESS,
    PADDING,
    RESPONSE_PORT,
}
_CHANGE_IP, _CHANGE_PORT = 4, 2
_FINGERPRINT_XOR = 0x5354554E
_ADDRESS_BYTES = {1: 4, 2: 16}  # by address family: IPv4, IPv6
_REASON_CHARACTERS = 100  # of an error's reason phrase, which may have 509


class MalformedMessage(ValueError):
    """Not a STUN response, or one that breaks RFC 8489."""


class Endpoint(NamedTuple):
    """A transport address; the IP address in its canonical text form."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else ":".join(map(str, self))


@dataclass(frozen=True)
class Response:
    """A Binding response.

    A success has `mapped`, the endpoint the server saw; an error has `error` (300 to 699) and
    `reason` instead.  `rewritten`: MAPPED-ADDRESS and XOR-MAPPED-ADDRESS differ, so something on
    the way replaces addresses inside packets (RFC 5780 section 3.6).  `other` is the server's
    other address and port.
    """

    transaction_id: bytes
    mapped: Endpoint | None = None
    rewritten: bool = False
    other: Endpoint | None = None
    error: int = 0
    reason: str = ""


def write_request(
    transaction_id: bytes,
    change_ip: bool = False,
    change_port: bool = False,
    response_port: int | None = None,
) -> bytes:
    """A Binding request; `transaction_id` has 12 bytes.

    `change_ip`, `change_port`: the response shall come from the server's other address or port
    (RFC 5780 section 7.2).  `response_port`: it shall be sent to this port (section 7.5).
    """
    attributes = b""
    if change_ip or change_port:
        flags = _CHANGE_IP * change_ip | _CHANGE_PORT * change_port
        attributes += struct.pack("!HHI", CHANGE_REQUEST, 4, flags)
    if response_port is not None:
        attributes += struct.pack("!HHHH", RESPONSE_PORT, 4, response_port, 0)
    header = struct.pack("!HHI", BINDING_REQUEST, len(attributes), MAGIC_COOKIE)
    return header + transaction_id + attributes


def read_transaction_id(octets: bytes) -> bytes:
    """The transaction id of any STUN message, b"" where it is none or cut short."""
    if len(octets) < HEADER_BYTES or int.from_bytes(octets[4:8], "big") != MAGIC_COOKIE:
        return b""
    return octets[8:HEADER_BYTES]


def read_response(octets: bytes) -> Response:
    """Read a whole Binding response; raises MalformedMessage."""
    if len(octets) < HEADER_BYTES:
        raise MalformedMessage("shorter than a STUN header")
    kind, length, cookie = struct.unpack_from("!HHI", octets)
    if cookie != MAGIC_COOKIE:
        raise MalformedMessage("no STUN magic cookie")
    if length % 4 or length != len(octets) - HEADER_BYTES:
        raise MalformedMessage("the length field is wrong")
    transaction_id = octets[8:HEADER_BYTES]
    attributes = _attributes(octets)
    if kind == BINDING_ERROR:
        code, reason = _error(attributes.get(ERROR_CODE, b""))
        return Response(transaction_id, error=code, reason=reason)
    if kind != BINDING_SUCCESS:
        raise MalformedMessage(f"type 0x{kind:04x} is no Binding response")
    return _success(transaction_id, attributes)


def _success(transaction_id: bytes, attributes: dict[int, bytes]) -> Response:
    unknown = [kind for kind in attributes if kind < _OPTIONAL and kind not in _KNOWN]
    if unknown:  # RFC 8489 section 6.3.3: the transaction has failed
        raise MalformedMessage(f"attribute 0x{unknown[0]:04x} must be understood and is unknown")
    pad = struct.pack("!I", MAGIC_COOKIE) + transaction_id
    plain = _address(attributes.get(MAPPED_ADDRESS))
    masked = _address(attributes.get(XOR_MAPPED_ADDRESS), lambda octets: _xor(octets, pad))
    mapped = masked or plain
    if mapped is None:
        raise MalformedMessage("no mapped address")
    if not _is_unicast(mapped):
        raise MalformedMessage(f"{mapped} is nobody's endpoint")
    other = _address(attributes.get(OTHER_ADDRESS, attributes.get(CHANGED_ADDRESS)))
    return Response(
        transaction_id,
        mapped,
        rewritten=None not in (plain, masked) and plain != masked,
        other=other if other is not None and _is_unicast(other) else None,
    )


def _attributes(octets: bytes) -> dict[int, bytes]:
    """The values by type.  Of several of a type the first counts (RFC 8489 section 14), and behind
    MESSAGE-INTEGRITY only FINGERPRINT does (section 14.5)."""
    found: dict[int, bytes] = {}
    place = HEADER_BYTES
    while place < len(octets):  # a multiple of 4 is left: there is an attribute's header
        kind, length = struct.unpack_from("!HH", octets, place)
        value = octets[place + 4 : place + 4 + length]
        after = place + 4 + (length + 3 & ~3)
        if after > len(octets):
            raise MalformedMessage(f"attribute 0x{kind:04x} is cut short")
        if kind == FINGERPRINT:
            _check_fingerprint(octets[:place], value, last=after == len(octets))
        elif not found.keys() & {MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256}:
            found.setdefault(kind, value)
        place = after
    return found


def _check_fingerprint(before: bytes, value: bytes, last: bool) -> None:
    """RFC 8489 section 14.7."""
    if not last or value != struct.pack("!I", zlib.crc32(before) ^ _FINGERPRINT_XOR):
        raise MalformedMessage("FINGERPRINT is wrong")


def _address(
    value: bytes | None, unmask: Callable[[bytes], bytes] = lambda octets: octets
) -> Endpoint | None:
    """RFC 8489 sections 14.1 and 14.2; None where there is none, or of an unknown family."""
    if value is None:
        return None
    family = value[1] if len(value) >= 4 else 0
    if family not in _ADDRESS_BYTES:
        return None
    if len(value) != 4 + _ADDRESS_BYTES[family]:
        raise MalformedMessage("an address of the wrong length")
    port = int.from_bytes(unmask(value[2:4]), "big")
    return Endpoint(str(ip_address(unmask(value[4:]))), port)


def _xor(octets: bytes, pad: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(octets, pad, strict=False))


def _is_unicast(endpoint: Endpoint) -> bool:
    address = ip_address(endpoint.address)
    reserved = address.version == 4 and address.is_reserved  # 240.0.0.0/4
    return bool(endpoint.port) and not (address.is_multicast or address.is_unspecified or reserved)


def _error(value: bytes) -> tuple[int, str]:
    """RFC 8489 section 14.8."""
    code = 100 * (value[2] & 7) + value[3] if len(value) >= 4 else 0
    if not (300 <= code <= 699 and value[3] <= 99):
        raise MalformedMessage("an error without a valid ERROR-CODE")
    return code, value[4:].decode(errors="replace")[:_REASON_CHARACTERS]
