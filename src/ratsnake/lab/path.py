"""Ping and traceroute from a LAN host: what the kernel's ICMP makes of the way through the NAT."""

from __future__ import annotations

import errno
import random
import select
import socket
import struct
import time
from dataclasses import dataclass

from .echo import ECHO_REPLY, ECHO_REQUEST, Echo, unpack
from .topology import Host

_IP_RECVERR = 11  # linux/in.h
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err (linux/errqueue.h)
_ORIGIN_ICMP = 2
_TIME_EXCEEDED = 11
_SOCKADDR_IN = struct.Struct("=H2x4s8x")
_TRACEROUTE_PORT = 33434  # where nobody listens, as traceroute(8) has it


class PathError(RuntimeError):
    """No answer came in time."""


@dataclass(frozen=True)
class Hop:
    """A router or host that answered: `arrived` when it was the destination that did."""

    address: str
    arrived: bool


def ping(host: Host, address: str, size: int = 56, timeout: float = 5.0) -> float:
    """One Echo with `size` octets of data; returns the round-trip time in seconds.

    Raises `PathError` when no right answer came in `timeout` seconds.
    """
    request = Echo(ECHO_REQUEST, random.randrange(1024, 65536), 1, random.randbytes(size))
    with host.namespace.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_ICMP) as handle:
        handle.connect((address, 0))
        start = time.monotonic()
        handle.send(request.pack())
        answer = Echo(ECHO_REPLY, request.identifier, request.sequence, request.payload)
        deadline = start + timeout
        while select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if unpack(handle.recv(65536)) == answer:
                return time.monotonic() - start
    raise PathError(f"ping {address}: no reply in {timeout:.0f} s")


def traceroute(
    host: Host, address: str, max_hops: int = 8, timeout: float = 2.0
) -> tuple[Hop | None, ...]:
    """The hops to `address` as UDP datagrams of TTL 1, 2, … find them, None for a silent one.

    The kernel gives an ICMP error to the socket whose datagram is embedded in it, so an answer also
    shows that the NAT restored the embedded headers.
    """
    hops: list[Hop | None] = []
    while len(hops) < max_hops and not (hops and hops[-1] and hops[-1].arrived):
        hops.append(probe_hop(host, address, len(hops) + 1, timeout))
    return tuple(hops)


def probe_hop(host: Host, address: str, ttl: int, timeout: float = 2.0) -> Hop | None:
    """Who answers a UDP datagram of that TTL, or None when nobody does in `timeout` seconds."""
    with host.namespace.socket() as handle:
        handle.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        handle.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        handle.connect((address, _TRACEROUTE_PORT + ttl))
        handle.send(b"ratsnake-traceroute")
        if not _wait_for_error(handle, timeout):
            return None
        ancillary = handle.recvmsg(1024, 1024, socket.MSG_ERRQUEUE)[1]
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_RECVERR):
            _, origin, icmp_type, *_ = _EXTENDED_ERROR.unpack_from(data)
            if origin == _ORIGIN_ICMP:
                offender = _SOCKADDR_IN.unpack_from(data, _EXTENDED_ERROR.size)[1]
                return Hop(socket.inet_ntoa(offender), icmp_type != _TIME_EXCEEDED)
    raise OSError(errno.EPROTO, "the socket's error is not an ICMP error")


def _wait_for_error(handle: socket.socket, timeout: float) -> bool:
    """An error makes poll answer POLLERR whatever it was asked for."""
    poll = select.poll()
    poll.register(handle, 0)
    return bool(poll.poll(timeout * 1000))
