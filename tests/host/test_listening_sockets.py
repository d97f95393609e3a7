"""host/sockets/listening_sockets.py against sockets of the kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest
from machines import ADDRESSES, ADDRESSES_6, router

from ratsnake.host.sockets.listening_sockets import waiting_sockets
from ratsnake.lab.namespace import Namespace

WAN = "198.51.100.254"


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        yield namespace


def test_where_sockets_wait(machine: Namespace) -> None:
    assert waiting_sockets() == frozenset()
    with (
        machine.socket(kind=socket.SOCK_STREAM) as everywhere,
        machine.socket(kind=socket.SOCK_STREAM) as bound_only,
        machine.socket(socket.AF_INET6) as udp_6,
        machine.socket(socket.AF_INET6, socket.SOCK_STREAM) as mapped,
        machine.socket() as udp,
        machine.socket() as connected,
    ):
        everywhere.bind(("0.0.0.0", 443))
        everywhere.listen()
        bound_only.bind((WAN, 444))
        udp.bind((WAN, 53))
        udp_6.bind(("2001:db8:2::fe", 54))
        mapped.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        mapped.bind((f"::ffff:{WAN}", 445))
        mapped.listen()
        connected.bind((WAN, 55))
        connected.connect(("198.51.100.130", 9))
        assert waiting_sockets() == {
            (None, 443),
            (IPv4Address(WAN), 53),
            (IPv6Address("2001:db8:2::fe"), 54),
            (IPv4Address(WAN), 445),
        }


def test_many_of_them(machine: Namespace) -> None:
    """More than one message of the kernel holds."""
    sockets = [machine.socket() for _ in range(1500)]
    for one in sockets:
        one.bind(("0.0.0.0", 0))
    assert waiting_sockets() == {(None, one.getsockname()[1]) for one in sockets}
    for one in sockets:
        one.close()
