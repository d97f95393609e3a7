"""Ping and traceroute from a LAN host: what the kernel's ICMP makes of the way through the NAT."""

from __future__ import annotations

import errno
import random
import select
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import ip_address

from .icmp_echo import ECHO_REPLY, ECHO_REQUEST, Echo, unpack
from .probe_transport import SOCKET_FAMILIES
from .topology import Host

_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err (linux/errqueue.h)
_TRACEROUTE_PORT = 33434  # where nobody listens, as traceroute(8) has it


@dataclass(frozen=True)
class _Errors:
    """How a socket gives ICMP errors, by the version of IP (linux/in.h, in6.h, errqueue.h)."""

    level: int
    receive: int  # IP_RECVERR
    hops: int  # IP_TTL
    origin: int  # SO_EE_ORIGIN_ICMP
    time_exceeded: int
    offender: struct.Struct  # the address in struct sockaddr_in


_ERRORS = {
    4: _Errors(socket.IPPROTO_IP, 11, socket.IP_TTL, 2, 11, struct.Struct("=H2x4s8x")),
    6: _Errors(socket.IPPROTO_IPV6, 25, socket.IPV6_UNICAST_HOPS, 3, 3, struct.Struct("=H6x16s4x")),
}
_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


class PathError(RuntimeError):
    """No answer came in time."""


@dataclass(frozen=True)
class Hop:
    """A router or host that answered: `arrived` when it was the destination that did."""

    address: str
    arrived: bool


def ping(host: Host, address: str, size: int = 56, timeout: float = 5.0) -> float:
    """One Echo with `size` octets of data; returns the round-trip time in seconds.

    `address` is an IPv4 or IPv6 address, as in all of this module.
    Raises `PathError` when no right answer came in `timeout` seconds.
    """
    request = Echo(ECHO_REQUEST, random.randrange(1024, 65536), 1, random.randbytes(size))
    version = ip_address(address).version
    with host.namespace.socket(SOCKET_FAMILIES[version], socket.SOCK_RAW, _ICMP[version]) as handle:
        handle.connect((address, 0))
        start = time.monotonic()
        handle.send(request.pack(version))
        answer = Echo(ECHO_REPLY, request.identifier, request.sequence, request.payload)
        deadline = start + timeout
        while select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if unpack(handle.recv(65536), version) == answer:
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
    version = ip_address(address).version
    errors = _ERRORS[version]
    with host.namespace.socket(SOCKET_FAMILIES[version]) as handle:
        handle.setsockopt(errors.level, errors.receive, 1)
        handle.setsockopt(errors.level, errors.hops, ttl)
        handle.connect((address, _TRACEROUTE_PORT + ttl))
        handle.send(b"ratsnake-traceroute")
        if not _wait_for_error(handle, timeout):
            return None
        ancillary = handle.recvmsg(1024, 1024, socket.MSG_ERRQUEUE)[1]
    for level, kind, data in ancillary:
        if (level, kind) == (errors.level, errors.receive):
            _, origin, icmp_type, *_ = _EXTENDED_ERROR.unpack_from(data)
            if origin == errors.origin:
                offender = errors.offender.unpack_from(data, _EXTENDED_ERROR.size)[1]
                answered = socket.inet_ntop(SOCKET_FAMILIES[version], offender)
                return Hop(answered, icmp_type != errors.time_exceeded)
    raise OSError(errno.EPROTO, "the socket's error is not an ICMP error")


def _wait_for_error(handle: socket.socket, timeout: float) -> bool:
    """An error makes poll answer POLLERR whatever it was asked for."""
    poll = select.poll()
    poll.register(handle, 0)
    return bool(poll.poll(timeout * 1000))
