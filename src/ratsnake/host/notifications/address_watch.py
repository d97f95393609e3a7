"""Hearing that an address of an interface comes or goes, by the kernel's notifications.

A notification is only the reason to look anew (`interface_address`); what it is about, interface
and family, is all that is read of it, so that others' addresses cost nothing.  That takes no
pyroute2, and with it no memory in a process that waits for the NAT's whole life.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterator, Mapping

from ..kernel.interface_address import Found, InterfaceAddress
from ..kernel.ip_family import FAMILIES

_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR (linux/rtnetlink.h)
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, sender
_BODY = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ADDRESS_MESSAGES = (20, 21)  # RTM_NEWADDR, RTM_DELADDR
_ALIGNED = 4
_LONGEST = 65536
_VERSIONS = {family.number: family.version for family in FAMILIES}


class AddressWatch:
    """Hears of the addresses `wanted` from the moment it is made; `fileno` is readable then."""

    def __init__(self, wanted: Collection[InterfaceAddress]) -> None:
        self.wanted = tuple(wanted)
        self._indices: dict[InterfaceAddress, int | None] = {}
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.setblocking(False)
        self._socket.bind((0, _GROUPS))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def note(self, found: Mapping[InterfaceAddress, Found]) -> None:
        """What was seen last: an interface that has gone is known by its index only."""
        self._indices = {one: there.index for one, there in found.items()}

    def heard(self) -> bool:
        """Take all that has come; whether any of it is a reason to look anew."""
        heard = False
        while True:
            try:
                messages = self._socket.recv(_LONGEST)
            except BlockingIOError:
                return heard
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                heard = True  # some were lost
                continue
            heard = heard or any(self._concerns(*one) for one in _changes(messages))

    def _concerns(self, version: int, index: int) -> bool:
        return any(
            version == one.version and index in (self._indices.get(one), _index(one.interface))
            for one in self.wanted
        )


def _changes(messages: bytes) -> Iterator[tuple[int, int]]:
    """IP's version and the interface's index, of each change to an address."""
    at = 0
    while at + _HEADER.size <= len(messages):
        length, kind, *_ = _HEADER.unpack_from(messages, at)
        if kind in _ADDRESS_MESSAGES and at + _HEADER.size + _BODY.size <= len(messages):
            family, _, _, _, index = _BODY.unpack_from(messages, at + _HEADER.size)
            yield _VERSIONS.get(family, 0), index
        at += max(_HEADER.size, -(-length // _ALIGNED) * _ALIGNED)


def _index(name: str) -> int | None:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None
