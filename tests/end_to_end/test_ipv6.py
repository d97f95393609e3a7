"""NAPT66: IPv6 through the NAT beside IPv4, and several external addresses."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from end_to_end.harness import (
    DEADLINE,
    drops,
    greet,
    router_state,
    udp_pair,
    until,
)
from end_to_end.programs import run, server
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_2,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    RunningNat,
    Topology,
    nat,
    traffic_generator,
)
from ratsnake.lab.ping_and_traceroute import Hop, ping, traceroute
from ratsnake.lab.topology import ROUTER_LAN_6, ROUTER_NAT_6

_WIDE, _NARROW = 1500, 1300
_TCP_HEADERS = 40 + 32  # IPv6, and TCP with the timestamp option
_UDP_HEADERS = 48
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO, _IPV6_MTU = 23, 2, 24  # linux/in6.h
_OCTETS = 8 << 20
#: Left set when one that was killed had set them: nobody knows any more how they were.
_LEFT_SET = ("ip_forward", "forwarding", "accept_redirects", "icmp_errors_use_inbound_ifaddr")

Find = Callable[[str], str]


def _both(
    topology: Topology, nat_type: str | None = None, *arguments: str
) -> AbstractContextManager[RunningNat]:
    """A NAT of both versions."""
    return nat(
        topology,
        nat_type,
        external=(EXTERNAL, EXTERNAL_6),
        internal=(LAN_PREFIX, LAN_PREFIX_6),
        arguments=arguments,
    )


@pytest.mark.parametrize("size", [0, 1, 56, 1452])
def test_ping(dual: Topology, size: int) -> None:
    with _both(dual) as running:
        assert ping(dual.hosts[0], dual.remotes_6[0], size) > 0
        assert drops(running) == {}


def test_both_versions_at_once(dual: Topology) -> None:
    with _both(dual) as running:
        for version, external in ((4, EXTERNAL), (6, EXTERNAL_6)):
            with udp_pair(dual, version=version) as (near, far):
                assert greet(near, far)[0] == external
            traffic_generator.download(dual, _OCTETS, version=version)
            traffic_generator.upload(dual, _OCTETS, version=version)
        assert drops(running) == {}


def test_ipv6_alone(dual: Topology) -> None:
    with nat(dual, external=(EXTERNAL_6,), internal=(LAN_PREFIX_6,)) as running:
        with udp_pair(dual, version=6) as (near, far):
            assert greet(near, far)[0] == EXTERNAL_6
        assert drops(running) == {}


def test_without_offloads() -> None:
    with Topology(ipv6=True, offloads=False) as topology, _both(topology) as running:
        traffic_generator.download(topology, _OCTETS, version=6)
        traffic_generator.upload(topology, _OCTETS, version=6)
        assert drops(running) == {}


def test_our_traceroute_names_every_hop(dual: Topology) -> None:
    with _both(dual) as running:
        assert traceroute(dual.hosts[0], dual.remotes_6[0]) == (
            Hop(ROUTER_LAN_6, False),
            Hop(ROUTER_NAT_6, False),
            Hop(dual.remotes_6[0], True),
        )
        assert drops(running) == {}


@pytest.mark.parametrize("mode", [(), ("-I",), ("-T",)], ids=["udp", "icmp", "tcp"])
def test_traceroute(dual: Topology, program: Find, mode: tuple[str, ...]) -> None:
    argv = [program("traceroute"), "-6", "-n", "-q", "1", *mode, dual.remotes_6[0]]
    with _both(dual):
        out = run(dual.hosts[0].namespace, *argv)
    hops = re.findall(r"^ *\d+ +(\S+)", out, re.MULTILINE)
    assert hops == [ROUTER_LAN_6, ROUTER_NAT_6, dual.remotes_6[0]], out


def test_curl_fetches_from_a_web_server(dual: Topology, program: Find, tmp_path: Path) -> None:
    curl = program("curl")
    content = os.urandom(20 << 20)
    (tmp_path / "file").write_bytes(content)
    fetched, remote = tmp_path / "fetched", dual.remotes_6[1]
    serve = (sys.executable, "-m", "http.server", "-b", remote, "8000")
    with _both(dual), server(dual.internet, 8000, *serve, cwd=tmp_path):
        url = f"http://[{remote}]:8000/file"
        run(dual.hosts[0].namespace, curl, "-gsSf", "--noproxy", "*", "-o", str(fetched), url)
    assert hashlib.sha256(fetched.read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("offloads", [True, False])
def test_a_narrow_way_out_shrinks_a_connections_segments(offloads: bool) -> None:
    """Packet Too Big comes from the router itself, addressed to the NAT's external address."""
    with (
        Topology(wan_mtu=_NARROW, offloads=offloads, ipv6=True) as topology,
        _both(topology) as running,
    ):
        with traffic_generator.connection(topology, version=6) as (near, far):
            assert _segment(near) == _WIDE - _TCP_HEADERS
            near.sendall(bytes(50_000))
            received = 0
            while received < 50_000:
                received += len(far.recv(65536))
            assert _segment(near) == _NARROW - _TCP_HEADERS
        traffic_generator.upload(topology, _OCTETS, version=6)
        assert drops(running) == {}


def _segment(connection: socket.socket) -> int:
    """The largest segment the kernel sends in this connection now."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def _learns(sender: socket.socket) -> None:
    """A datagram that is too big is refused by the kernel once the error came back."""
    sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
    sender.send(bytes(_WIDE - _UDP_HEADERS))
    until(
        lambda: sender.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU) == _NARROW,
        "the path MTU is known",
    )
    sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    with pytest.raises(OSError) as refused:
        sender.send(bytes(_NARROW - _UDP_HEADERS + 1))
    assert refused.value.errno == errno.EMSGSIZE


@pytest.mark.parametrize("nat_type", ["full-cone", "symmetric"])
def test_a_udp_socket_learns_the_path_mtu(nat_type: str) -> None:
    with (
        Topology(wan_mtu=_NARROW, ipv6=True) as topology,
        _both(topology, nat_type) as running,
        udp_pair(topology, version=6) as (near, far),
    ):
        greet(near, far)
        _learns(near)
        near.send(bytes(_NARROW - _UDP_HEADERS))
        assert len(far.recv(2000)) == _NARROW - _UDP_HEADERS
        assert drops(running) == {}


def test_a_remote_learns_the_mtu_of_a_narrow_lan() -> None:
    """The other way: the router reports that the LAN's link is narrow, to a remote."""
    with (
        Topology(ipv6=True) as topology,
        _both(topology) as running,
        udp_pair(topology, version=6) as (near, far),
    ):
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="lan0")
            netlink.link("set", index=index, mtu=_NARROW)
        far.connect(greet(near, far))
        _learns(far)
        far.send(bytes(_NARROW - _UDP_HEADERS))
        assert len(near.recv(2000)) == _NARROW - _UDP_HEADERS
        assert drops(running) == {}


def test_an_unreachable_port_is_reported_to_its_sender(dual: Topology) -> None:
    with _both(dual) as running, udp_pair(dual, version=6) as (near, far):
        greet(near, far)
        far.close()
        near.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            near.recv(100)
        assert drops(running) == {}


def test_hairpin(dual: Topology) -> None:
    with (
        _both(dual, "full-cone") as running,
        udp_pair(dual, 0, version=6) as (first, far),
        udp_pair(dual, 1, version=6) as (second, other),
    ):
        target, source = greet(first, far), greet(second, other)
        second.connect(target)
        with dual.hosts[0].namespace.socket(socket.AF_INET6) as unconnected:
            address = first.getsockname()
            first.close()
            unconnected.bind(address)
            unconnected.settimeout(DEADLINE)
            second.send(b"round the corner")
            message, seen = unconnected.recvfrom(100)
        assert (message, seen[:2]) == (b"round the corner", source)
        assert drops(running) == {}


def test_what_nobody_waits_for_is_dropped(dual: Topology) -> None:
    with _both(dual) as running, dual.internet.socket(socket.AF_INET6) as far:
        far.bind((dual.remotes_6[0], 0))
        far.sendto(b"hello", (EXTERNAL_6, 4711))
        until(lambda: drops(running) == {"no-mapping": 1}, "it is dropped")


def test_a_stop_leaves_nothing(dual: Topology) -> None:
    before = router_state(dual)
    with _both(dual):
        assert router_state(dual) != before
        assert ping(dual.hosts[0], dual.remotes_6[0]) > 0
    assert router_state(dual) == before


def test_a_start_after_kill_9_works_and_its_stop_leaves_nothing(dual: Topology) -> None:
    before = router_state(dual)
    with _both(dual) as running:
        running.process.kill()
        running.process.wait(DEADLINE)
    with _both(dual):
        assert ping(dual.hosts[0], dual.remotes_6[0]) > 0
    assert _without_left(router_state(dual)) == _without_left(before)


def _without_left(state: dict[str, object]) -> dict[str, object]:
    settings = state["settings"]
    assert isinstance(settings, dict)
    kept = {path: value for path, value in settings.items() if not path.endswith(_LEFT_SET)}
    return state | {"settings": kept}


def test_every_external_address_serves(topology: Topology) -> None:
    """Two LAN hosts, each of which stays with its address (RFC 4787 REQ-2)."""
    with nat(topology, external=(EXTERNAL, EXTERNAL_2)) as running:
        for host in (0, 1):
            seen = set()
            for remote in (0, 1, 2):
                with udp_pair(topology, host, remote) as (near, far):
                    seen.add(greet(near, far)[0])
            assert len(seen) == 1 and seen <= {EXTERNAL, EXTERNAL_2}
        assert drops(running) == {}
