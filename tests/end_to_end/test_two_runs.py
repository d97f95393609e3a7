"""Two runs on one router: they share an address, or the second says what is in its way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from end_to_end.harness import DEADLINE, drops, greet, router_state
from end_to_end.second_lan import HOST_ADDRESS, PREFIX, SecondLan
from ratsnake.lab import Host, RunningNat, Topology, nat
from ratsnake.lab.ping_and_traceroute import ping, traceroute
from ratsnake.lab.topology import LAN_PREFIX, ROUTER_WAN

SHARED = ("--share-address", "--wan", "wan0")
FIRST, SECOND = (
    (*SHARED, "--device", device, "--lan", lan, "--ports", ports)
    for device, lan, ports in (("one", "lan0", "2000-2999"), ("two", "lan1", "3000-3999"))
)


@pytest.fixture
def lan1(topology: Topology) -> Iterator[SecondLan]:
    with SecondLan(topology) as lan:
        yield lan


@contextmanager
def _both(topology: Topology) -> Iterator[tuple[RunningNat, RunningNat]]:
    with (
        nat(topology, "full-cone", external=[ROUTER_WAN], arguments=FIRST) as first,
        nat(
            topology, "full-cone", external=[ROUTER_WAN], internal=[PREFIX], arguments=SECOND
        ) as second,
    ):
        yield first, second


def _works(topology: Topology, host: Host, ports: range) -> None:
    """UDP, a ping of a remote and of the router, and the errors that traceroute needs."""
    remote = topology.remotes[0]
    with host.namespace.socket() as near, topology.internet.socket() as far:
        far.bind((remote, 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        address, port = greet(near, far)
    assert address == ROUTER_WAN and port in ports
    ping(host, remote, timeout=DEADLINE)
    ping(host, remote, 3000, timeout=DEADLINE)
    ping(host, ROUTER_WAN, timeout=DEADLINE)
    hops = traceroute(host, remote, timeout=DEADLINE)
    assert hops[-1] is not None and hops[-1].arrived and None not in hops


def test_pings_and_errors_of_both_lans_and_the_host_arrive(
    topology: Topology, lan1: SecondLan
) -> None:
    before = router_state(topology)
    first, second, router = topology.hosts[0], lan1.host, Host(topology.router, ROUTER_WAN)
    assert second.address == HOST_ADDRESS
    remote = Host(topology.internet, topology.remotes[0])
    with _both(topology) as running:
        for host, ports in ((first, range(2000, 3000)), (second, range(3000, 4000))):
            _works(topology, host, ports)
        ping(router, topology.remotes[0], timeout=DEADLINE)
        ping(remote, ROUTER_WAN, timeout=DEADLINE)
        ping(router, ROUTER_WAN, timeout=DEADLINE)
        assert [drops(one) for one in running] == [{}, {}]
    assert router_state(topology) == before


@pytest.mark.parametrize("stays", ["the first", "the second"])
def test_when_one_of_them_ends_the_other_goes_on(
    topology: Topology, lan1: SecondLan, stays: str
) -> None:
    runs = (
        (FIRST, LAN_PREFIX, topology.hosts[0], range(2000, 3000)),
        (SECOND, PREFIX, lan1.host, range(3000, 4000)),
    )
    with ExitStack() as staying, ExitStack() as going:
        for one, (arguments, internal, _, _) in zip(("the first", "the second"), runs, strict=True):
            (staying if one == stays else going).enter_context(
                nat(
                    topology,
                    "full-cone",
                    external=[ROUTER_WAN],
                    internal=[internal],
                    arguments=arguments,
                )
            )
        going.close()
        _, _, host, ports = runs[("the first", "the second").index(stays)]
        _works(topology, host, ports)
        ping(Host(topology.internet, topology.remotes[0]), ROUTER_WAN, timeout=DEADLINE)
