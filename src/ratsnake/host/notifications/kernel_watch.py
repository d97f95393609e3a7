"""Hearing that something a NAT depends on has changed in the kernel.

Of rules, routes, links, addresses and the packet filter the kernel tells; settings and proxy
entries have to be looked at.  What is heard is only the reason for a look (`restoring`).  It takes
no pyroute2, and with it no memory in a process that waits for the NAT's whole life.  Of routes only
those are heard that may concern the NAT (`route_filter`).
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path

from .route_notification_filter import attach

_PROC_SYS = Path("/proc/sys")
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
#: RTNLGRP_… of linux/rtnetlink.h: links, addresses, routes and rules of both families; and
#: NFNLGRP_NFTABLES.
_ROUTE_GROUPS = (1, 5, 9, 7, 11, 8, 19)
_FILTER_GROUPS = (7,)
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, sender
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_NEW_LINK, _DEL_LINK, _NEW_ADDRESS, _DEL_ADDRESS = 16, 17, 20, 21
_NEW_ROUTE, _DEL_ROUTE, _DEL_RULE = 24, 25, 33
_GET_NEIGHBOUR, _DONE = 30, 3
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_NTF_PROXY = 8
_IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER = 3, 4, 10
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_OUR_TABLES = b"ratsnake-"  # `guard`
_LONGEST = 1 << 16
_BUFFER = 1 << 20  # octets: what is heard while a look goes on


class Heard(Flag):
    """Reasons to look: `KERNEL` at rules, routes and settings, `LINKS` at interfaces and addresses
    as well, `FILTER` at the packet filter."""

    NOTHING = 0
    KERNEL = auto()
    LINKS = auto()
    FILTER = auto()


@dataclass(frozen=True)
class Polled:
    """What the kernel says nothing about: settings by their path below /proc/sys, and whether there
    are proxy entries."""

    settings: tuple[str, ...] = ()
    proxies: bool = False


class KernelWatch:
    """Hears from the moment it is made; raises OSError where there is no netlink."""

    def __init__(self) -> None:
        self._route = _listening(_NETLINK_ROUTE, _ROUTE_GROUPS)
        try:
            self._filter: socket.socket | None = _listening(_NETLINK_NETFILTER, _FILTER_GROUPS)
        except OSError:  # a kernel without nftables
            self._filter = None
        self._asking: socket.socket | None = None
        self._names: frozenset[bytes] = frozenset()
        self._links: dict[int, tuple[object, ...]] = {}  # of those, what was told last
        self._addresses: set[tuple[int, bytes]] = set()
        self._last: bytes | None = None

    def filenos(self) -> tuple[int, ...]:
        """Readable when there is something to be heard."""
        return tuple(one.fileno() for one in (self._route, self._filter) if one is not None)

    def close(self) -> None:
        for one in (self._route, self._filter, self._asking):
            if one is not None:
                one.close()

    def only(self, lengths: Collection[int], interfaces: Collection[str]) -> None:
        """Hear of routes that replace another where they are for prefixes of these lengths; and of
        these interfaces only, and of what is a port of theirs."""
        attach(self._route, lengths)
        self._names = frozenset(name.encode() + b"\0" for name in interfaces)
        for name in interfaces:
            with suppress(OSError):  # it is not there now
                self._links.setdefault(socket.if_nametoindex(name), ())

    def heard(self) -> Heard:
        """All that has come since."""
        found = Heard.NOTHING
        for messages in _received(self._route):
            if messages is None:  # some were lost
                found |= Heard.KERNEL | Heard.LINKS
                continue
            for kind, body in _split(messages):
                found |= self._reason(kind, body)
        if self._filter is not None:
            for messages in _received(self._filter):
                found |= Heard.FILTER
                if messages is None or _OUR_TABLES in messages:
                    found |= Heard.KERNEL
        return found

    def differs(self, polled: Polled) -> bool:
        """Whether what is polled is another than at the last `note`."""
        return self._last is not None and self._seen(polled) != self._last

    def note(self, polled: Polled) -> None:
        self._last = self._seen(polled)

    def _seen(self, polled: Polled) -> bytes:
        parts = []
        for path in polled.settings:
            try:
                parts.append((_PROC_SYS / path).read_bytes())
            except OSError:
                parts.append(b"-")
        if polled.proxies:
            parts += self._proxies()
        return b"\0".join(parts)

    def _proxies(self) -> Iterator[bytes]:
        """The entries as they are told; always in the same order."""
        if self._asking is None:
            self._asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
            self._asking.bind((0, 0))
        body = struct.pack("=BBHiHBB", 0, 0, 0, 0, 0, _NTF_PROXY, 0)
        length = _HEADER.size + len(body)
        self._asking.send(_HEADER.pack(length, _GET_NEIGHBOUR, _DUMP, 1, 0) + body)
        while True:
            for kind, entry in _split(self._asking.recv(_LONGEST)):
                if kind != _GET_NEIGHBOUR - 2:
                    return
                yield entry

    def _reason(self, kind: int, body: bytes) -> Heard:
        if kind in (_NEW_LINK, _DEL_LINK):
            return Heard.KERNEL | Heard.LINKS if self._link(kind, body) else Heard.NOTHING
        if kind in (_NEW_ADDRESS, _DEL_ADDRESS):
            return Heard.KERNEL | Heard.LINKS if self._address(kind, body) else Heard.NOTHING
        return Heard.KERNEL if kind in (_NEW_ROUTE, _DEL_ROUTE, _DEL_RULE) else Heard.NOTHING

    def _link(self, kind: int, body: bytes) -> bool:
        """Whether it is another than before: a wireless one is told of again and again."""
        _, _, index, flags, _ = _LINK.unpack_from(body)
        found = dict(_attributes(body[_LINK.size :]))
        name, master = found.get(_IFLA_IFNAME, b""), found.get(_IFLA_MASTER, b"")
        before = self._links.pop(index, None)
        ours = name in self._names or int.from_bytes(master, sys.byteorder) in self._links
        if kind == _DEL_LINK or not ours:
            return before is not None
        now = flags, name, found.get(_IFLA_MTU), master
        self._links[index] = now
        return now != before

    def _address(self, kind: int, body: bytes) -> bool:
        """Likewise: the life of an IPv6 address is prolonged by every advertisement."""
        index = _ADDRESS.unpack_from(body)[4]
        found = dict(_attributes(body[_ADDRESS.size :]))
        one = index, found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS) or b""
        known = one in self._addresses
        if index not in self._links:
            return False
        if kind == _DEL_ADDRESS:
            self._addresses.discard(one)
            return True
        self._addresses.add(one)
        return not known


def _listening(protocol: int, groups: Collection[int]) -> socket.socket:
    heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        heard.setblocking(False)
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        heard.bind((0, 0))
        for group in groups:
            heard.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except OSError:
        heard.close()
        raise
    return heard


def _received(from_: socket.socket) -> Iterator[bytes | None]:
    """Each datagram; None where some were lost."""
    while True:
        try:
            yield from_.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None


def _split(messages: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the body of each message."""
    at = 0
    while at + _HEADER.size <= len(messages):
        length, kind, *_ = _HEADER.unpack_from(messages, at)
        yield kind, messages[at + _HEADER.size : at + length]
        at += max(_HEADER.size, _aligned(length))


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        yield kind & 0x3FFF, body[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, _aligned(length))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
