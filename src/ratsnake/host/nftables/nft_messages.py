"""Messages to nf_tables: batches that the kernel takes as a whole or not at all, and questions.

The layouts are those of linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h.  pyroute2
sends such batches too, but does not look what becomes of them, and can try none; the nft program
may be missing, and would need capabilities that a process without root cannot hand on.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

# NFPROTO_…
ANY, INET, IPV4, NETDEV, IPV6 = 0, 1, 2, 5, 10

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300  # NLM_F_…
_ERROR, _DONE = 0x2, 0x3  # NLMSG_…
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_FAMILY = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_SECONDS = 5.0  # until an answer of the kernel is given up
_LARGEST = 1 << 16


class Message(IntEnum):
    """NFT_MSG_…"""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    GETCHAIN = 4
    NEWRULE = 6
    GETRULE = 7
    GETSETELEM = 13


class Flag(IntEnum):
    """NLM_F_…, of requests that make something."""

    NOTHING = 0
    CREATE = 0x400
    APPEND = 0x400 | 0x800


#: A message of a batch: its type, its flags, and its attributes.
Part = tuple[Message, Flag, bytes]


def attribute(number: int, value: bytes) -> bytes:
    """One attribute, padded to 4 octets."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + bytes(-len(value) % 4)


def word(number: int, value: int) -> bytes:
    """An attribute of 32 bits, in network order as nf_tables has them; also negative."""
    return attribute(number, struct.pack("!I", value & 0xFFFFFFFF))


def text(number: int, value: str) -> bytes:
    """An attribute that ends with a NUL."""
    return attribute(number, value.encode() + b"\0")


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in `data`, each with its number; what is cut off ends them."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield number & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def commit(parts: Sequence[Part]) -> None:
    """Have it all done, or nothing; raises OSError with the reason of the first part refused."""
    _send(parts, end=True)


def attempt(parts: Sequence[Part]) -> None:
    """As `commit`, but nothing is done: the kernel takes back a batch that has no end."""
    _send(parts, end=False)


def dump(message: Message, asked: bytes = b"", family: int = INET) -> Iterator[bytes]:
    """The attributes of all that are there of the family; raises OSError."""
    return (attributes_ for _, attributes_ in dump_all(message, asked, family))


def dump_all(
    message: Message, asked: bytes = b"", family: int = ANY
) -> Iterator[tuple[int, bytes]]:
    """Likewise of any family, which comes first."""
    with _socket() as kernel:
        kernel.send(_message(_SUBSYSTEM << 8 | message, _REQUEST | _DUMP, 0, family, asked))
        while True:
            for kind, _, body in _messages(kernel.recv(_LARGEST)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    _raise(body)
                else:
                    yield body[0], body[_FAMILY.size :]


def _send(parts: Sequence[Part], end: bool) -> None:
    begin = _message(_BATCH_BEGIN, _REQUEST, 0, 0, resource=_SUBSYSTEM)
    body = [
        _message(_SUBSYSTEM << 8 | kind, _REQUEST | _ACK | flag, number, INET, attributes_)
        for number, (kind, flag, attributes_) in enumerate(parts, 1)
    ]
    last = [_message(_BATCH_END, _REQUEST, len(parts) + 1, 0, resource=_SUBSYSTEM)] if end else []
    with _socket() as kernel:
        kernel.send(b"".join((begin, *body, *last)))
        waiting = set(range(1, len(parts) + 1))
        while waiting:
            for kind, number, answer in _messages(kernel.recv(_LARGEST)):
                if kind == _ERROR:
                    _raise(answer)
                    waiting.discard(number)


def _socket() -> socket.socket:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    kernel.settimeout(_SECONDS)
    kernel.bind((0, 0))
    return kernel


def _message(
    kind: int, flags: int, number: int, family: int, body: bytes = b"", resource: int = 0
) -> bytes:
    length = _HEADER.size + _FAMILY.size + len(body)
    return _HEADER.pack(length, kind, flags, number, 0) + _FAMILY.pack(family, 0, resource) + body


def _messages(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    """Type, sequence number and body of each."""
    while len(data) >= _HEADER.size:
        length, kind, _, number, _ = _HEADER.unpack_from(data)
        yield kind, number, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _raise(answer: bytes) -> None:
    (code,) = struct.unpack_from("=i", answer)
    if code:
        raise OSError(-code, f"nftables: {os.strerror(-code)} ({errno.errorcode.get(-code)})")
