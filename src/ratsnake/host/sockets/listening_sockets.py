"""Which ports sockets of this host wait at: asked of the kernel in a moment, without a child.

TCP sockets that listen, and UDP and UDP-Lite sockets that anybody may send to (sock_diag(7)).  What
is connected already is told apart by its remote (`socket_match`).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from ..kernel.ip_family import AnyAddress

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST, NLM_F_DUMP
_ERROR, _DONE = 0x2, 0x3  # NLMSG_…
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ASKED = struct.Struct("=BBBBI48x")  # inet_diag_req_v2: family, protocol, …, states, any socket
_FOUND = struct.Struct("!BBBBHH16s16x")  # inet_diag_msg: family, …, ports, the socket's own address
_LISTEN, _UNCONNECTED = 1 << 10, 1 << 7  # TCP_LISTEN, TCP_CLOSE
_UDPLITE = 136
_PROTOCOLS = (
    (socket.IPPROTO_TCP, _LISTEN),
    (socket.IPPROTO_UDP, _UNCONNECTED),
    (_UDPLITE, _UNCONNECTED),
)
_LENGTHS = {socket.AF_INET: 4, socket.AF_INET6: 16}
_SECONDS = 5.0  # until an answer of the kernel is given up
_LARGEST = 1 << 16
#: What a kernel says that has no such sockets.
_NOT_THERE = (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EINVAL)

#: An address of the host, None for all of them, and a port.
Bound = tuple[AnyAddress | None, int]


def waiting_sockets() -> frozenset[Bound]:
    """Where they wait now; raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        return frozenset(
            bound
            for family in _LENGTHS
            for protocol, states in _PROTOCOLS
            for bound in _dump(kernel, family, protocol, states)
        )


def _dump(kernel: socket.socket, family: int, protocol: int, states: int) -> Iterator[Bound]:
    asked = _ASKED.pack(family, protocol, 0, 0, states)
    head = _HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST_DUMP, 0, 0)
    kernel.send(head + asked)
    while True:
        data = kernel.recv(_LARGEST)
        while len(data) >= _HEADER.size:
            length, kind, *_ = _HEADER.unpack_from(data)
            body = data[_HEADER.size : length]
            if kind == _DONE:
                return
            if kind == _ERROR:
                _check(body)
                return
            yield _bound(body)
            data = data[(max(length, _HEADER.size) + 3) & ~3 :]


def _bound(body: bytes) -> Bound:
    family, _, _, _, port, _, words = _FOUND.unpack_from(body)
    packed = words[: _LENGTHS[family]]
    if not any(packed):
        return None, port
    address = ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address, port


def _check(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if -code not in (0, *_NOT_THERE):
        raise OSError(-code, f"sock_diag: {os.strerror(-code)}")
