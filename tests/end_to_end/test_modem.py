"""A modem with a private address behind the WAN can be reached from the LAN, as the docs say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, greet
from ratsnake.host.nftables.source_guard import dropped_by
from ratsnake.lab import EXTERNAL, Namespace, Topology, nat
from ratsnake.lab.ping_and_traceroute import PathError, ping
from ratsnake.lab.topology import LAN_PREFIX, ROUTER_WAN

_MODEM, _BESIDE = "192.168.100.1", "192.168.100.2"
_INTERNAL = (LAN_PREFIX, "10.0.0.0/8", "192.168.0.0/16")
_PAGE = Path(__file__).parents[2] / "docs" / "host-setup.md"


def _address(namespace: Namespace, interface: str, address: str) -> None:
    with namespace.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=interface)
        netlink.addr("add", index=index, address=address, prefixlen=24)
        netlink.link("set", index=index, state="up")


@pytest.fixture
def behind_the_wan(topology: Topology) -> Topology:
    """The modem answers whoever asks it, as a cable modem does."""
    _address(topology.internet, "eth0", _MODEM)
    _address(topology.router, "wan0", _BESIDE)
    return topology


@pytest.mark.parametrize("shared", [False, True])
def test_the_key_makes_it_a_remote(behind_the_wan: Topology, shared: bool) -> None:
    external = ROUTER_WAN if shared else EXTERNAL
    arguments = ["--wan", "wan0", *(["--share-address"] if shared else [])]
    host = behind_the_wan.hosts[0]
    with (
        nat(behind_the_wan, external=[external], internal=_INTERNAL, arguments=arguments),
        pytest.raises(PathError),
    ):
        ping(host, _MODEM, timeout=0.5)
    arguments += ["--internal-except", f"{_MODEM}/32"]
    with (
        nat(
            behind_the_wan, external=[external], internal=_INTERNAL, arguments=arguments
        ) as running,
        host.namespace.socket() as near,
        behind_the_wan.internet.socket() as far,
    ):
        ping(host, _MODEM, timeout=DEADLINE)
        far.bind((_MODEM, 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        assert greet(near, far)[0] == external
        assert drops(running) == {}
        assert behind_the_wan.router.run(lambda: dropped_by(0)) == (0, 0)


@pytest.fixture
def beside_the_wan(topology: Topology) -> Iterator[Topology]:
    """The modem of a PPPoE line, at the interface below: it answers its own subnet only."""
    with Namespace("modem") as modem:
        peer = {"ifname": "eth0", "net_ns_fd": modem.fileno()}
        with topology.router.netlink() as netlink:
            netlink.link("add", ifname="eth1", kind="veth", peer=peer)
        _address(modem, "eth0", _MODEM)
        _address(topology.router, "eth1", _BESIDE)
        yield topology


def test_one_that_answers_its_own_subnet_only(beside_the_wan: Topology) -> None:
    _, _, after = _PAGE.read_text().partition("## A modem with a private address")
    commands = [line.strip() for line in after.splitlines() if line.startswith("    nft ")]
    assert commands
    host = beside_the_wan.hosts[0]
    arguments = ["--wan", "wan0", "--share-address"]
    with nat(
        beside_the_wan, external=[ROUTER_WAN], internal=_INTERNAL, arguments=arguments
    ) as running:
        with pytest.raises(PathError):
            ping(host, _MODEM, timeout=0.5)
        for command in commands:
            shell = beside_the_wan.router.popen(["sh", "-c", command])
            assert shell.wait(DEADLINE) == 0
        ping(host, _MODEM, timeout=DEADLINE)
        ping(host, beside_the_wan.remotes[0], timeout=DEADLINE)
        assert "WARNING" not in running.log()
