"""A packet filter that stops the NAT's traffic: the warning says what to type, and that helps."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from end_to_end.harness import DEADLINE
from ratsnake.lab import Topology, nat, traffic
from ratsnake.lab.path import PathError, ping

_RULES = (
    "add table inet filter",
    "add chain inet filter forward { type filter hook forward priority 0; policy drop; }",
    "add rule inet filter forward ct state established,related accept",
    "add rule inet filter forward iifname lan0 oifname wan0 accept",
)


def test_what_the_warning_says_lets_the_traffic_pass(
    topology: Topology, program: Callable[[str], str]
) -> None:
    def run(*words: str) -> None:
        assert topology.router.popen([program("nft"), *words]).wait(DEADLINE) == 0

    for rule in _RULES:
        run(rule)
    with nat(topology) as running:
        with pytest.raises(PathError):
            ping(topology.hosts[0], topology.remotes[0], timeout=0.2)
        (warning,) = [line for line in running.log().splitlines() if "nftables" in line]
        for command in warning.split("`")[1].split(" && "):
            assert shlex.split(command)[0] == "nft"
            run(*shlex.split(command)[1:])
        ping(topology.hosts[0], topology.remotes[0], timeout=DEADLINE)
        traffic.download(topology, 1 << 20)
    with nat(topology) as running:
        assert "nftables" not in running.log()
