"""host/nftables/socket_match.py: the table that tells the host's packets apart, as the kernel has
it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from shutil import which

import pytest
from machines import ADDRESSES, router

from ratsnake.host.nftables.socket_match import SocketMatch, socket_matches
from ratsnake.lab.namespace import Namespace

MATCH = SocketMatch(3, IPv4Address("198.51.100.254"))
OTHER = SocketMatch(4, IPv4Address("198.51.100.254"))


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES) as namespace:
        yield namespace


def _nft(command: str) -> None:
    if which("nft") is None:
        pytest.skip("nft is not installed (package nftables)")
    subprocess.run(["nft", command], check=True)


def test_it_comes_and_goes(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        assert MATCH.lack() is None
        assert not MATCH.in_force(netlink)
        for match in (MATCH, OTHER, MATCH):
            match.apply(netlink)
        assert MATCH.in_force(netlink)
        assert set(socket_matches()) == {MATCH, OTHER}
        MATCH.undo(netlink, None)
        MATCH.undo(netlink, None)
        assert socket_matches() == (OTHER,)


@pytest.mark.parametrize(
    "breaking",
    [
        "flush ruleset",
        f"flush chain inet {MATCH.table} prerouting",
        f"delete chain inet {MATCH.table} input",
        f"insert rule inet {MATCH.table} prerouting accept",
        f"add table inet {MATCH.table} {{ flags dormant; }}",
    ],
)
def test_what_others_have_done_to_it_is_seen(machine: Namespace, breaking: str) -> None:
    with machine.netlink() as netlink:
        MATCH.apply(netlink)
        _nft(breaking)
        assert not MATCH.in_force(netlink)
        MATCH.renew(netlink, None)
        assert MATCH.in_force(netlink)


def test_what_it_has_matched_is_counted(machine: Namespace) -> None:
    with machine.netlink() as netlink, machine.socket() as waiting, machine.socket() as sender:
        MATCH.apply(netlink)
        waiting.bind(("198.51.100.254", 0))
        for _ in range(3):
            sender.sendto(b"hello", waiting.getsockname())
        assert MATCH.matched() == 3
        sender.sendto(b"hello", ("198.51.100.254", 9))
        assert MATCH.matched() == 4  # the ICMP error about it
        assert OTHER.matched() == 0
