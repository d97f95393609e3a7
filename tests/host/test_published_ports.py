"""host/sockets/published_ports.py against rules that nft and iptables have made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from shutil import which

import pytest
from machines import ADDRESSES, router

from ratsnake.host.sockets.published_ports import published_ports
from ratsnake.lab.namespace import Namespace


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES) as namespace:
        yield namespace


def _do(*command: str) -> None:
    if which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run(command, check=True)


_TABLE = "table ip d {{ chain p {{ type nat hook prerouting priority dstnat; {}; }}; }}"


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        ("tcp dport 8080 dnat to 172.17.0.2:80", ((8080, 8080),)),
        ('iifname != "docker0" tcp dport 81 counter dnat to 172.17.0.2:80', ((81, 81),)),
        ("udp dport 5000-5010 dnat to 172.17.0.2", ((5000, 5010),)),
        ("tcp dport 8080 redirect to :3128", ((8080, 8080),)),
        ("tcp sport 8080 dnat to 172.17.0.2:80", ()),
        ("tcp dport != 22 dnat to 172.17.0.2", ()),
        ("tcp dport 1-65535 dnat to 172.17.0.2", ()),
        ("tcp dport 8080 accept", ()),
    ],
)
def test_rules_of_nft(machine: Namespace, rule: str, ports: tuple[tuple[int, int], ...]) -> None:
    _do("nft", _TABLE.format(rule))
    assert published_ports() == ports


def test_a_rule_of_iptables(machine: Namespace) -> None:
    """As Docker makes it."""
    words = "-t nat -A PREROUTING ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT"
    _do("iptables", *words.split(), "--to-destination", "172.17.0.2:80")
    assert published_ports() == ((8081, 8081),)


def test_a_host_without_rules(machine: Namespace) -> None:
    assert published_ports() == ()
