"""An external address that is whatever an interface has: it changes, goes and comes back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from end_to_end.download import downloading
from end_to_end.harness import (
    DEADLINE,
    drops,
    greet,
    router_state,
    rows,
    status,
    udp_pair,
    until,
)
from ratsnake.daemon.control.control_client import ask_for_change
from ratsnake.daemon.user_errors import RunError
from ratsnake.lab import EXTERNAL, Host, RunningNat, Topology, nat
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import ROUTER_WAN, WAN_INTERFACE

_NEW = "198.51.100.77"
_SHARED = ("--share-address", "--wan", WAN_INTERFACE)
_USERS = pytest.mark.parametrize("user", [(), ("--user", "nobody")], ids=["root", "nobody"])


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")


@contextmanager
def _nat(topology: Topology, *arguments: str) -> Iterator[RunningNat]:
    """On the WAN's own address, with one of its own for host 1."""
    own = ("--one-to-one", f"{EXTERNAL}={topology.hosts[1].address}")
    with nat(
        topology,
        "full-cone",
        external=[f"interface:{WAN_INTERFACE}"],
        arguments=[*_SHARED, *own, *arguments],
    ) as running:
        yield running


def _address(topology: Topology, *commands: tuple[str, str], name: str = WAN_INTERFACE) -> None:
    """As a DHCP client does it: (add or del, address)."""
    with topology.router.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=name)
        for command, address in commands:
            netlink.addr(command, index=index, address=address, prefixlen=24)


def _move(topology: Topology, old: str, new: str) -> None:
    _address(topology, ("add", new), ("del", old))


@pytest.fixture
def moving(topology: Topology) -> Topology:
    """Other external addresses are sent to the router whatever its own address is; and without a
    gap it can reach the internet."""
    topology.router.sysctl(f"net.ipv4.conf.{WAN_INTERFACE}.promote_secondaries", 1)
    with topology.router.netlink() as netlink:
        (link,) = netlink.get_links(ifname=WAN_INTERFACE)
        router = link.get_attr("IFLA_ADDRESS")
    with topology.internet.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname="eth0")
        netlink.neigh("replace", dst=ROUTER_WAN, lladdr=router, ifindex=index, state=0x80)
    return topology


@pytest.fixture
def log() -> Iterator[Path]:
    """A file for events that every user may reach."""
    with tempfile.TemporaryDirectory(prefix="ratsnake-address-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder, "events")


def _has(running: RunningNat, address: str) -> bool:
    return bool(status(running)["external"][0]["address"] == address)


def _events(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextmanager
def _listening(topology: Topology, address: str, port: int) -> Iterator[socket.socket]:
    with topology.router.socket(kind=socket.SOCK_STREAM) as listener:
        listener.bind((address, port))
        listener.listen()
        listener.settimeout(DEADLINE)
        yield listener


def _exchange(near: socket.socket, far: socket.socket) -> None:
    for sender, receiver in ((near, far), (far, near)):
        sender.sendall(b"hello")
        assert receiver.recv(100) == b"hello"


def _reach(moving: Topology, listener: socket.socket) -> None:
    """From the internet, by port 80 of the new address, to who listens inside."""
    with moving.internet.socket(kind=socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE)
        client.connect((_NEW, 80))
        server, _ = listener.accept()
        with server:
            _exchange(client, server)


def _router_works(topology: Topology, service: socket.socket, address: str) -> None:
    """The router's own connections, and those to its programs, by that address."""
    remote = topology.remotes[0]
    with (
        topology.internet.socket(kind=socket.SOCK_STREAM) as listener,
        topology.router.socket(kind=socket.SOCK_STREAM) as near,
        topology.internet.socket(kind=socket.SOCK_STREAM) as client,
    ):
        listener.bind((remote, 0))
        listener.listen()
        for end in (listener, near, client):
            end.settimeout(DEADLINE)
        near.connect(listener.getsockname())
        far, seen = listener.accept()
        with far:
            assert seen[0] == address
            _exchange(near, far)
        client.connect((address, service.getsockname()[1]))
        server, _ = service.accept()
        with server:
            _exchange(client, server)
    ping(Host(topology.router, address), remote, timeout=DEADLINE)
    ping(Host(topology.internet, remote), address, timeout=DEADLINE)


@_USERS
def test_flows_of_the_old_address_end_and_others_live(
    moving: Topology, user: Sequence[str], log: Path
) -> None:
    before = router_state(moving)
    with (
        _listening(moving, "0.0.0.0", 8022) as service,
        _nat(moving, "--events", str(log), *user) as running,
        udp_pair(moving) as (near, far),
        downloading(moving, host=1) as download,
    ):
        assert greet(near, far)[0] == ROUTER_WAN
        inside = near.getsockname()[1]
        download.goes_on()
        for there, then in ((ROUTER_WAN, _NEW), (_NEW, ROUTER_WAN)):
            _move(moving, there, then)
            until(lambda address=then: _has(running, address), "the NAT follows")  # type: ignore[misc]
            download.goes_on()
            assert greet(near, far)[0] == then
            _router_works(moving, service, then)
        download.goes_on()
        written = running.log()
        assert f"interface:wan0: {ROUTER_WAN} -> {_NEW}; sessions kept: 1, ended: 1" in written
        assert "ERROR" not in written
        until(lambda: len(_events(log)) >= 7, "all of it is told")
        told = [event for event in _events(log) if event.get("internal_port") in (None, inside)]
    addresses = [(e["old"], e["new"]) for e in told if e["event"] == "address"]
    assert addresses == [(ROUTER_WAN, _NEW), (_NEW, ROUTER_WAN)]
    removed = [e["external"] for e in told if e["event"] == "mapping-removed"]
    assert removed[:2] == [ROUTER_WAN, _NEW]
    assert router_state(moving) == before


def test_forwards_follow(moving: Topology) -> None:
    inside = moving.hosts[0]
    forward = f"tcp:80={inside.address}:8080"
    with (
        inside.namespace.socket(kind=socket.SOCK_STREAM) as listener,
        _nat(moving, "--forward", forward) as running,
    ):
        listener.bind((inside.address, 8080))
        listener.listen()
        listener.settimeout(DEADLINE)
        _move(moving, ROUTER_WAN, _NEW)
        until(lambda: _has(running, _NEW), "the NAT follows")
        _reach(moving, listener)
        _move(moving, _NEW, ROUTER_WAN)


@_USERS
def test_forwards_may_be_added_but_for_ports_of_the_routers(
    moving: Topology, user: Sequence[str]
) -> None:
    """The process that parses packets may not take what is meant for the router's programs."""
    inside = moving.hosts[0]

    def add(port: int) -> dict[str, Any]:
        forward = {"add": f"tcp:{port}={inside.address}:8080"}
        return ask_for_change(str(running.control), "forward", forward, lambda _: None)

    with (
        _listening(moving, "0.0.0.0", 22),
        inside.namespace.socket(kind=socket.SOCK_STREAM) as listener,
        _nat(moving, *user) as running,
    ):
        listener.bind((inside.address, 8080))
        listener.listen()
        listener.settimeout(DEADLINE)
        add(80)
        for port in (22, 40000):
            with pytest.raises(RunError, match=f"ports {port} of {ROUTER_WAN} are this host's"):
                add(port)
        _move(moving, ROUTER_WAN, _NEW)
        until(lambda: _has(running, _NEW), "the NAT follows")
        _reach(moving, listener)
        _move(moving, _NEW, ROUTER_WAN)


@_USERS
def test_the_configuration_may_change_and_the_address_after_it(
    moving: Topology, log: Path, user: Sequence[str]
) -> None:
    """Also by what the host's side reads itself: a port of the router's is in the file."""
    before = router_state(moving)
    file = log.with_name("nat.toml")
    file.write_text("")
    own = f"[rules]\none-to-one = ['{EXTERNAL}={moving.hosts[1].address}']\n"
    forward = f"forward = ['tcp:22={moving.hosts[0].address}']\n"
    with (
        _listening(moving, "0.0.0.0", 22),
        nat(
            moving,
            external=[f"interface:{WAN_INTERFACE}"],
            arguments=[*_SHARED, "--config", str(file), *user],
        ) as running,
        udp_pair(moving) as (near, far),
        udp_pair(moving, host=1) as (beside, other),
    ):
        external = greet(near, far)
        file.write_text(own + forward)
        row = ask_for_change(str(running.control), "reload", {}, lambda _: None)
        assert row["kept"] == 1
        assert any("takes port 22" in warning for warning in row["warnings"])
        assert greet(near, far) == external
        assert greet(beside, other)[0] == EXTERNAL
        _move(moving, ROUTER_WAN, _NEW)
        until(lambda: _has(running, _NEW), "the NAT follows")
        assert greet(near, far)[0] == _NEW
        assert greet(beside, other)[0] == EXTERNAL
        file.write_text("")
        row = ask_for_change(str(running.control), "reload", {}, lambda _: None)
        assert greet(near, far)[0] == greet(beside, other)[0] == _NEW
        _move(moving, _NEW, ROUTER_WAN)
        until(lambda: _has(running, ROUTER_WAN), "the NAT follows")
    assert router_state(moving) == before


@_USERS
def test_a_kill_9_after_it_has_moved_leaves_nothing(moving: Topology, user: Sequence[str]) -> None:
    before = router_state(moving)
    with _nat(moving, *user) as running:
        process = running.process.pid
        (helper,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        _move(moving, ROUTER_WAN, _NEW)
        until(lambda: _has(running, _NEW), "the NAT follows")
        running.process.kill()
        running.process.wait(DEADLINE)
        until(lambda: not Path(f"/proc/{helper}").exists(), "the helper ends")
        assert "ERROR" not in running.log()
    _move(moving, _NEW, ROUTER_WAN)
    assert router_state(moving) == before


def test_an_address_that_comes_back_keeps_its_flows(topology: Topology) -> None:
    """As PPPoE often gives the same one again."""
    with _nat(topology) as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        _address(topology, ("del", ROUTER_WAN))
        problem = f"{WAN_INTERFACE} has no IPv4 address"
        until(lambda: status(running)["external"][0]["lost"] == problem, "it is told")
        assert _has(running, ROUTER_WAN)
        _address(topology, ("add", ROUTER_WAN))
        until(lambda: status(running)["external"][0]["lost"] is None, "it is told")
        assert greet(near, far) == external
        assert f"{problem}; {ROUTER_WAN} stays until there is another" in running.log()
        assert f"interface:wan0: {ROUTER_WAN} is there again" in running.log()


def _dial(topology: Topology, address: str) -> None:
    """An interface comes with its address, as by pppd; what is sent to that comes by wan0."""
    with topology.router.netlink() as netlink:
        netlink.link("add", ifname="ppp0", kind="veth", peer="ppp0-peer")
        (index,) = netlink.link_lookup(ifname="ppp0")
        netlink.link("set", index=index, state="up")
        netlink.addr("add", index=index, address=address, prefixlen=32)


def _hang_up(topology: Topology) -> None:
    with topology.router.netlink() as netlink:
        netlink.link("del", index=netlink.link_lookup(ifname="ppp0")[0])


_DIALLED, _DIALLED_ANEW = "203.0.113.50", "203.0.113.51"
_PPP = ("--share-address",)


@_USERS
def test_an_interface_goes_and_comes_back_with_another_address(
    topology: Topology, user: Sequence[str]
) -> None:
    _dial(topology, _DIALLED)
    with (
        nat(
            topology, "full-cone", external=["interface:ppp0"], arguments=[*_PPP, *user]
        ) as running,
        udp_pair(topology) as (near, far),
    ):
        assert greet(near, far)[0] == _DIALLED
        _hang_up(topology)
        until(lambda: bool(status(running)["external"][0]["lost"]), "it is told")
        assert greet(near, far)[0] == _DIALLED
        _dial(topology, _DIALLED_ANEW)
        until(lambda: _has(running, _DIALLED_ANEW), "the NAT follows")
        assert greet(near, far)[0] == _DIALLED_ANEW
        _hang_up(topology)


def test_a_start_waits_for_the_first_address(
    topology: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = Event()

    def run() -> tuple[str, str]:
        """In a thread, whose end ends the NAT."""
        with nat(topology, external=["interface:ppp0"], arguments=_PPP) as running:
            over.wait(DEADLINE)
            return running.ready_line, running.log()

    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        ThreadPoolExecutor(1) as pool,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        done = pool.submit(run)
        told = manager.recv(1000).decode().splitlines()
        waiting = "waiting for an outside address: --external interface:ppp0: there is no interface"
        assert "EXTEND_TIMEOUT_USEC=30000000" in told
        assert [line for line in told if line.startswith(f"STATUS={waiting} ppp0 (there are")]
        _dial(topology, _DIALLED)
        while not (told := manager.recv(1000).decode()).startswith("READY=1"):
            assert waiting in told or "has no IPv4 address" in told
        over.set()
        ready_line, log = done.result(DEADLINE)
    assert f"external={_DIALLED} " in ready_line
    assert f"WARNING {waiting} ppp0" in log


def test_a_signal_ends_the_wait(topology: Topology) -> None:
    command = [sys.executable, "-m", "ratsnake", "run", "--external", "interface:ppp0"]
    process = topology.router.popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"waiting for an outside address" in process.stderr.readline()
    process.terminate()
    assert process.wait(DEADLINE) == 0
    assert b"SIGTERM" in process.stderr.read()


def test_what_is_there_is_no_reason_to_wait(topology: Topology) -> None:
    with (
        nat(topology, external=["interface:ppp0", EXTERNAL], arguments=_PPP) as running,
        udp_pair(topology) as (near, far),
    ):
        assert greet(near, far)[0] == EXTERNAL
        assert status(running)["external"][1]["address"] is None
        _dial(topology, _DIALLED)
        until(lambda: len(status(running)["external"]) == 2 and _has(running, _DIALLED), "both")
        assert len(rows(running, "sessions")) == 1
        assert greet(near, far)[0] == EXTERNAL
        assert drops(running) == {}
        _hang_up(topology)
