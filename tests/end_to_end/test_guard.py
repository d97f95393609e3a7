"""With --wan nothing with an inside source leaves by it, whatever becomes of rules, routes and
processes; and what leaves untranslated by choice is not in its way."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from end_to_end.frames import captured, sniffer
from end_to_end.harness import DEADLINE, greet, udp_pair
from ratsnake.host.nftables.source_guard import dropped_by, guards
from ratsnake.lab import EXTERNAL, EXTERNAL_6, RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import PathError, ping
from ratsnake.lab.topology import (
    LAN_PREFIX,
    LAN_PREFIX_6,
    ROUTER_LAN,
    ROUTER_LAN_6,
    ROUTER_WAN,
    ROUTER_WAN_6,
)


@contextmanager
def _nat(
    dual: Topology,
    *arguments: str,
    external: Sequence[str] = (EXTERNAL, EXTERNAL_6),
    internal: Sequence[str] = (LAN_PREFIX, LAN_PREFIX_6),
) -> Iterator[RunningNat]:
    with nat(
        dual, external=external, internal=internal, arguments=["--wan", "wan0", *arguments]
    ) as running:
        yield running


def _done(dual: Topology, *command: str) -> None:
    assert dual.router.popen(command).wait(DEADLINE) == 0


def _kill(running: RunningNat) -> None:
    """The NAT and what keeps its undoing, as a kernel may that is out of memory."""
    process = running.process.pid
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    assert children
    for one in (*map(int, children), process):
        os.kill(one, signal.SIGKILL)
    running.process.wait(DEADLINE)


def _remove_rules(dual: Topology) -> None:
    """As a network manager does that removes what it does not know."""
    for version in ("-4", "-6"):
        _done(dual, "ip", version, "rule", "flush", "protocol", "82")


def _dropped(dual: Topology) -> int:
    return (dual.router.run(lambda: dropped_by(0)) or (0, 0))[0]


def _inside_sources(packets: list[bytes]) -> list[str]:
    """Those of packets that have left with one."""
    sources = [
        ip_address(packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]) for packet in packets
    ]
    inside = [ip_network(prefix) for prefix in (LAN_PREFIX, LAN_PREFIX_6)]
    return [str(one) for one in sources if any(one in prefix for prefix in inside)]


@pytest.mark.parametrize("version", [4, 6])
def test_nothing_leaves_when_processes_and_rules_are_gone(dual: Topology, version: int) -> None:
    remote = dual.remotes_of(version)[0]
    with _nat(dual, "--user", "nobody") as running, sniffer(dual.internet, "eth0") as seen:
        ping(dual.hosts[0], remote, timeout=DEADLINE)
        _kill(running)
        _remove_rules(dual)
        count = _dropped(dual)
        with pytest.raises(PathError):
            ping(dual.hosts[0], remote, timeout=0.5)
        assert _dropped(dual) > count
        assert _inside_sources(captured(seen, 4, 6)) == []
        # It is the guard that keeps them: without it they do leave.
        _done(dual, "nft", "delete table inet ratsnake-0")
        with pytest.raises(PathError):
            ping(dual.hosts[0], remote, timeout=0.5)
        assert _inside_sources(captured(seen, version)) != []
    with _nat(dual):
        ping(dual.hosts[0], remote, timeout=DEADLINE)
        assert _dropped(dual) == 0
    assert dual.router.run(guards) == frozenset()


def test_what_is_translated_never_meets_it(dual: Topology) -> None:
    with _nat(dual, "--share-address", external=(ROUTER_WAN,), internal=(LAN_PREFIX,)) as shared:
        traffic_generator.download(dual, 4 << 20)
        traffic_generator.upload(dual, 4 << 20)
        assert "WARNING" not in shared.log()
        assert _dropped(dual) == 0
    with _nat(dual):
        for version in (4, 6):
            traffic_generator.upload(dual, 4 << 20, version=version)
        assert _dropped(dual) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_remotes_that_are_not_translated_are_reached(dual: Topology, version: int) -> None:
    remote = dual.remotes_of(version)[1]
    with dual.internet.netlink() as netlink:
        prefix, router = {4: (LAN_PREFIX, ROUTER_WAN), 6: (LAN_PREFIX_6, ROUTER_WAN_6)}[version]
        netlink.route("add", dst=prefix, gateway=router)
    with (
        _nat(dual, "--no-nat", remote),
        udp_pair(dual, remote=1, version=version) as (near, far),
    ):
        assert greet(near, far)[0] == dual.hosts[0].of(version)
        assert _dropped(dual) == 0
        ping(dual.hosts[0], dual.remotes_of(version)[0], timeout=DEADLINE)


@pytest.mark.parametrize("version", [4, 6])
def test_the_routers_own_packets(dual: Topology, version: int) -> None:
    """From an address of its WAN's they pass, also if that is an inside one; from the LAN's they
    do not, unless somebody translates them."""
    lan, wan = {4: (ROUTER_LAN, ROUTER_WAN), 6: (ROUTER_LAN_6, ROUTER_WAN_6)}[version]
    internal = (LAN_PREFIX, LAN_PREFIX_6, ROUTER_WAN, ROUTER_WAN_6)
    with _nat(dual, internal=internal):
        with _own(dual, wan, version) as (near, far):
            assert greet(near, far)[0] == wan
        assert _dropped(dual) == 0
        with _own(dual, lan, version) as (near, far):
            with pytest.raises(PermissionError):
                near.send(b"out")
            assert _dropped(dual) == 1
            ip = {4: "ip", 6: "ip6"}[version]
            _done(
                dual,
                "nft",
                f"table {ip} others {{ chain after {{ type nat hook postrouting priority srcnat; "
                f'oifname "wan0" {ip} saddr {lan} masquerade; }}; }}',
            )
            assert greet(near, far)[0] == wan
        assert _dropped(dual) == 1


@contextmanager
def _own(
    dual: Topology, address: str, version: int
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket of the router's, bound to the address and connected to a remote's."""
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    with dual.router.socket(family) as near, dual.internet.socket(family) as far:
        far.bind((dual.remotes_of(version)[0], 0))
        near.bind((address, 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        yield near, far


def test_two_nats_on_one_wan_have_one_each(dual: Topology, tmp_path: Path) -> None:
    with (
        _nat(dual, external=(EXTERNAL,), internal=(LAN_PREFIX,)),
        _nat(
            dual,
            *("--device", "second", "--lan", "lo", "--control", str(tmp_path / "second")),
            external=("203.0.113.2",),
            internal=(LAN_PREFIX,),
        ),
    ):
        assert dual.router.run(guards) == {0, 1}
        ping(dual.hosts[0], dual.remotes[0], timeout=DEADLINE)
    assert dual.router.run(guards) == frozenset()
