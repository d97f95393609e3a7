"""Programs of the router beside a NAT that shares its address, whichever ports they take."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, greet, readable, status, udp_pair, until
from end_to_end.programs import run
from end_to_end.shared import connects, listening, sharing_nat
from ratsnake.daemon.control.control_client import ask
from ratsnake.lab import Namespace, RunningNat, Topology
from ratsnake.lab.topology import ROUTER_LAN, ROUTER_WAN
from ratsnake.portset import PortSet

_LATER = 8443  # among the ports the NAT has
_QUERIES = 200
_FLOWS = range(1024, 25_000)
_BRIDGE, _CONTAINER = "172.17.0.1", "172.17.0.2"
_PUBLISHED = 8080

_UNBOUND = """\
server:
  interface: 127.0.0.1@5353
  directory: "{folder}"
  pidfile: ""
  chroot: ""
  username: ""
  use-syslog: no
  do-ip6: no
  do-daemonize: no
  module-config: iterator
forward-zone:
  name: "."
  forward-addr: {upstream}
"""


class _Upstream:
    """A name server that answers every question with NXDOMAIN, and counts them."""

    def __init__(self, namespace: Namespace, address: str) -> None:
        self.asked = 0
        self._socket = namespace.socket()
        self._socket.bind((address, 53))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> _Upstream:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if readable(self._socket, 0.1):
                question, asker = self._socket.recvfrom(4096)
                self.asked += 1
                self._socket.sendto(_answer(question), asker)


def _answer(question: bytes) -> bytes:
    """NXDOMAIN to the first question, without its additional records (RFC 1035 section 4.1)."""
    end = question.index(b"\0", 12) + 5
    return question[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question[12:end]


@contextmanager
def _resolver(namespace: Namespace, unbound: str, folder: Path, upstream: str) -> Iterator[None]:
    """The real one, with its default of random ports, when it answers."""
    file = folder / "unbound.conf"
    file.write_text(_UNBOUND.format(folder=folder, upstream=upstream))
    with open(folder / "log", "wb") as log:
        process = namespace.popen([unbound, "-d", "-c", str(file)], stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            return _resolve(namespace, "ready.example", 0.2)

        until(answers, "unbound answers")
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _resolve(namespace: Namespace, name: str, seconds: float = DEADLINE) -> bool:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with namespace.socket() as asker:
        asker.settimeout(seconds)
        asker.connect(("127.0.0.1", 5353))
        try:
            asker.send(query)
            return len(asker.recv(4096)) > 12
        except (TimeoutError, ConnectionRefusedError):
            return False


def _open_flows(topology: Topology, remote: tuple[str, int], ports: Sequence[int]) -> None:
    """A LAN host sends from each of the ports."""
    address = topology.hosts[0].address
    for port in ports:
        with topology.hosts[0].namespace.socket() as near:
            near.bind((address, port))
            near.sendto(b"out", remote)


@pytest.mark.parametrize("preset", ["full-cone", "port-restricted-cone"])
def test_a_resolver_with_random_ports_loses_no_query(
    topology: Topology, program: Callable[[str], str], tmp_path: Path, preset: str
) -> None:
    """Beside flows of the LAN on most of the ports it may take; full cone is the hardest."""
    resolver, elsewhere = topology.remotes[0], topology.remotes[1]
    with (
        _Upstream(topology.internet, resolver) as upstream,
        _sharing(topology, preset) as running,
        _resolver(topology.router, program("unbound"), tmp_path, resolver),
    ):
        _open_flows(topology, (elsewhere, 9), _FLOWS)
        before = upstream.asked
        for number in range(_QUERIES):
            assert _resolve(topology.router, f"q{number}.example")
        assert upstream.asked - before == _QUERIES, "a query was repeated: its answer was lost"
        assert drops(running) == {}


def test_a_service_started_later_is_reached(topology: Topology) -> None:
    with (
        _sharing(topology) as running,
        listening(topology.router, "0.0.0.0", _LATER) as service,
    ):
        for client in (topology.internet, topology.hosts[0].namespace, topology.router):
            connects(client, service, (ROUTER_WAN, _LATER))
        assert drops(running) == {}


def _ports(running: RunningNat) -> PortSet:
    """Those that new flows may get."""
    return PortSet.parse(status(running)["external"][0]["ports"])


def test_new_flows_do_not_get_the_port_of_a_service(topology: Topology) -> None:
    """Which is there for more than a moment; when it has gone others keep theirs."""
    with _sharing(topology, "eim/eif+preserve") as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        assert _LATER in _ports(running)
        with listening(topology.router, "0.0.0.0", _LATER) as service:
            until(lambda: _LATER not in _ports(running), "the port is the host's")
            connects(topology.internet, service, (ROUTER_WAN, _LATER))
            assert greet(near, far) == external, "the other flows go on"
        assert f"{ROUTER_WAN}: the NAT's ports are 1024-{_LATER - 1}," in running.log()
        assert drops(running) == {}


def test_a_published_port_is_left_out(
    topology: Topology, program: Callable[[str], str], tmp_path: Path
) -> None:
    file = tmp_path / "ratsnake.toml"
    file.write_text("")
    nft = program("nft")
    with _sharing(topology, arguments=["--config", str(file)]) as running:
        assert _PUBLISHED in _ports(running)
        with _container(topology, nft):
            list(ask(str(running.control), "reload"))
            assert _PUBLISHED not in _ports(running)


def test_the_hosts_own_range_is_followed(topology: Topology) -> None:
    with _sharing(topology) as running:
        assert 40_000 not in _ports(running)
        topology.router.sysctl("net.ipv4.ip_local_port_range", "50000 60999")
        until(lambda: 40_000 in _ports(running), "the NAT has what the host has left")
        topology.router.sysctl("net.ipv4.ip_local_reserved_ports", "50000-50099")
        until(lambda: 50_000 in _ports(running), "also what it has reserved")
        with listening(topology.internet, topology.remotes[0], 0) as listener:
            assert connects(topology.router, listener, listener.getsockname()) == ROUTER_WAN


def test_a_reload_looks_at_the_hosts_ports_again(topology: Topology, tmp_path: Path) -> None:
    file = tmp_path / "ratsnake.toml"
    file.write_text("")
    with _sharing(topology, arguments=["--config", str(file)]) as running:
        topology.router.sysctl("net.ipv4.ip_local_port_range", "50000 60999")
        list(ask(str(running.control), "reload"))
        assert 40_000 in _ports(running)


def test_a_flushed_ruleset_is_made_again(topology: Topology, program: Callable[[str], str]) -> None:
    """As a firewall does that begins with "flush ruleset"."""
    nft = program("nft")
    with (
        _sharing(topology) as running,
        listening(topology.router, "0.0.0.0", _LATER) as service,
    ):
        run(topology.router, nft, "flush", "ruleset")
        until(
            lambda: "ratsnake-sockets-0-" in run(topology.router, nft, "list", "tables"),
            "the table is there again",
        )
        connects(topology.internet, service, (ROUTER_WAN, _LATER))
        until(lambda: "it is made again" in running.log(), "it is told")


def test_a_service_of_ipv6_started_later_is_reached_by_ipv4(topology: Topology) -> None:
    with (
        _sharing(topology),
        topology.router.socket(socket.AF_INET6, socket.SOCK_STREAM) as service,
    ):
        service.bind(("::", _LATER))
        service.listen()
        service.settimeout(DEADLINE)
        connects(topology.internet, service, (ROUTER_WAN, _LATER))


def test_sockets_on_random_ports_get_their_answers(topology: Topology) -> None:
    """Bound only, and connected as well, whichever port each has."""
    drawn = random.Random(1).sample(range(1024, 65535), 50)
    with _sharing(topology) as running, topology.internet.socket() as far:
        far.bind((topology.remotes[0], 0))
        far.settimeout(DEADLINE)
        for port in drawn:
            with topology.router.socket() as near:
                near.settimeout(DEADLINE)
                near.bind(("0.0.0.0", port))
                near.sendto(b"out", far.getsockname())
                seen = far.recvfrom(100)[1]
                assert seen == (ROUTER_WAN, port)
                far.sendto(b"back", seen)
                assert near.recv(100) == b"back"
                near.connect(far.getsockname())
                assert greet(near, far) == seen
        assert drops(running) == {}


def test_a_connection_from_a_port_of_the_nats_works(topology: Topology) -> None:
    """An explicitly bound one; and when it has ended the port is the NAT's again."""
    host = topology.hosts[0]
    with (
        _sharing(topology, "eim/eif+preserve"),
        listening(topology.internet, topology.remotes[0], 0) as listener,
    ):
        with topology.router.socket(kind=socket.SOCK_STREAM) as near:
            near.bind((ROUTER_WAN, _LATER))
            near.settimeout(DEADLINE)
            near.connect(listener.getsockname())
            assert listener.accept()[1] == (ROUTER_WAN, _LATER)
        with host.namespace.socket() as near, topology.internet.socket() as far:
            far.bind((topology.remotes[1], 0))
            near.bind((host.address, _LATER))
            near.connect(far.getsockname())
            for handle in (near, far):
                handle.settimeout(DEADLINE)
            assert greet(near, far) == (ROUTER_WAN, _LATER)


def test_a_forward_keeps_its_port_from_the_hosts_programs(topology: Topology) -> None:
    """It was given by who runs the router: a program that listens there does not take it."""
    inside = topology.hosts[0]
    with (
        _sharing(topology, arguments=["--forward", f"tcp:{_LATER}={inside.address}:80"]),
        listening(topology.router, "0.0.0.0", _LATER),
        listening(inside.namespace, inside.address, 80) as listener,
    ):
        for client in (topology.internet, topology.hosts[1].namespace, topology.router):
            connects(client, listener, (ROUTER_WAN, _LATER))


def test_the_router_reaches_its_own_forwards(topology: Topology) -> None:
    """It comes to the LAN host from the external address, as others of the LAN do."""
    inside = topology.hosts[0]
    forward = f"tcp+udp:80={inside.address}:8080"
    with (
        _sharing(topology, arguments=["--forward", forward]) as running,
        listening(inside.namespace, inside.address, 8080) as listener,
        inside.namespace.socket() as far,
        topology.router.socket() as near,
    ):
        assert connects(topology.router, listener, (ROUTER_WAN, 80)) == ROUTER_WAN
        far.bind((inside.address, 8080))
        near.connect((ROUTER_WAN, 80))
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        assert greet(near, far)[0] == ROUTER_WAN
        assert near.getsockname()[0] == ROUTER_LAN
        assert drops(running) == {}


@contextmanager
def _container(topology: Topology, nft: str) -> Iterator[Namespace]:
    """A network namespace behind the router, as a container engine makes it: its port 80 published
    as _PUBLISHED by destination NAT, its own connections masqueraded, from random ports."""
    router = topology.router
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespace("container"))
        peer = {"ifname": "eth0", "net_ns_fd": namespace.fileno()}
        with router.netlink() as netlink:
            netlink.link("add", ifname="docker0", index=900, kind="veth", peer=peer)
        for box, name, address in ((router, "docker0", _BRIDGE), (namespace, "eth0", _CONTAINER)):
            with box.netlink() as netlink:
                (index,) = netlink.link_lookup(ifname=name)
                netlink.addr("add", index=index, address=address, prefixlen=24)
                netlink.link("set", index=index, state="up")
        with namespace.netlink() as netlink:
            netlink.route("add", dst="default", gateway=_BRIDGE)
        run(
            router,
            nft,
            "table ip docker {"
            " chain prerouting { type nat hook prerouting priority dstnat;"
            f' iifname != "docker0" fib daddr type local tcp dport {_PUBLISHED}'
            f" dnat to {_CONTAINER}:80; }};"
            " chain output { type nat hook output priority -100;"
            f" fib daddr type local tcp dport {_PUBLISHED} dnat to {_CONTAINER}:80; }};"
            " chain postrouting { type nat hook postrouting priority srcnat;"
            ' ip saddr 172.17.0.0/24 oifname != "docker0" masquerade random; }; }',
        )
        yield namespace


def test_a_published_port_of_a_container_works(
    topology: Topology, program: Callable[[str], str]
) -> None:
    nft = program("nft")
    with (
        _sharing(topology) as running,
        _container(topology, nft) as container,
        listening(container, _CONTAINER, 80) as listener,
    ):
        for client in (topology.internet, topology.hosts[0].namespace, topology.router):
            connects(client, listener, (ROUTER_WAN, _PUBLISHED))
        with listening(topology.internet, topology.remotes[0], 0) as outside:
            for _ in range(20):
                assert connects(container, outside, outside.getsockname()) == ROUTER_WAN
        assert drops(running) == {}


@contextmanager
def _sharing(
    topology: Topology, preset: str = "full-cone", arguments: Sequence[str] = ()
) -> Iterator[RunningNat]:
    with sharing_nat(topology, ["--nat", preset, *arguments]) as running:
        yield running
