"""A packet filter that stops the NAT's traffic: the warning says what to type, and that helps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

import pytest

from end_to_end.harness import DEADLINE, greet, udp_pair
from ratsnake.lab import EXTERNAL, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import PathError, ping
from ratsnake.lab.topology import ROUTER_WAN

_FORWARD = (
    "add table inet filter",
    "add chain inet filter forward { type filter hook forward priority 0; policy drop; }",
    "add rule inet filter forward ct state established,related accept",
    "add rule inet filter forward iifname lan0 oifname wan0 accept",
)
_SOURCES = (
    "add table inet filter",
    "add chain inet filter before { type filter hook prerouting priority raw; }",
    "add rule inet filter before fib saddr . iif oif missing drop",
)
_LEAVING = (
    "add table inet filter",
    "add chain inet filter after { type filter hook postrouting priority 0; policy drop; }",
    "add rule inet filter after oifname { lan0, wan0 } accept",
)
_AT_THE_DEVICE = (
    "add table inet filter",
    "add chain inet filter sets { type filter hook forward priority 0; }",
    "add rule inet filter sets iifname != { lan0, wan0 } drop",
)


@pytest.mark.parametrize("rules", [_FORWARD, _SOURCES, _LEAVING, _AT_THE_DEVICE])
def test_what_the_warning_says_lets_the_traffic_pass(
    topology: Topology, program: Callable[[str], str], rules: Sequence[str]
) -> None:
    def run(*words: str) -> None:
        assert topology.router.popen([program("nft"), *words]).wait(DEADLINE) == 0

    for rule in rules:
        run(rule)
    with nat(topology) as running:
        with pytest.raises(PathError):
            ping(topology.hosts[0], topology.remotes[0], timeout=0.2)
        (warning,) = [line for line in running.log().splitlines() if "nftables" in line]
        for command in warning.split("`")[1].split(" && "):
            assert shlex.split(command)[0] == "nft"
            run(*shlex.split(command)[1:])
        ping(topology.hosts[0], topology.remotes[0], timeout=DEADLINE)
        traffic_generator.download(topology, 1 << 20)
    with nat(topology) as running:
        assert "nftables" not in running.log()


def test_masquerade_left_in_is_told_and_what_it_says_takes_it_out(
    topology: Topology, program: Callable[[str], str]
) -> None:
    """Until then remotes see another address than the NAT's."""

    def run(command: str) -> None:
        assert topology.router.popen([program("nft"), command]).wait(DEADLINE) == 0

    run("table ip nat { chain post { type nat hook postrouting priority srcnat; }; }")
    run('add rule ip nat post oifname "wan0" masquerade')
    with nat(topology, arguments=["--wan", "wan0"]) as running:
        with udp_pair(topology) as (near, far):
            assert greet(near, far)[0] == ROUTER_WAN
        (warning,) = [line for line in running.log().splitlines() if "masquerade" in line]
        run(warning.split("`")[1].removeprefix("nft "))
        with udp_pair(topology) as (near, far):
            assert greet(near, far)[0] == EXTERNAL
