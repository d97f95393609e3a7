"""Two lines, of which one loses its address: what is new leaves by the other."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, greet, readable, status, until
from ratsnake.lab import RunningNat, Topology, nat
from ratsnake.lab.topology import ROUTER_WAN, WAN_INTERFACE

_LINE, _SECOND = "line1", "198.51.100.200"
_HOSTS = tuple(f"192.0.2.{last}" for last in range(140, 172))  # of one LAN host


@pytest.fixture
def lines(topology: Topology) -> Topology:
    """The WAN's address and another interface's, for which the router answers on the WAN's link."""
    with topology.router.netlink() as netlink:
        netlink.link("add", ifname=_LINE, kind="veth", peer=f"{_LINE}-peer")
        (index,) = netlink.link_lookup(ifname=_LINE)
        netlink.link("set", index=index, state="up")
    _second(topology, "add")
    namespace = topology.hosts[0].namespace
    with namespace.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname="eth0")
        for address in _HOSTS:
            netlink.addr("add", index=index, address=address, prefixlen=25)
    return topology


def _second(topology: Topology, command: str) -> None:
    with topology.router.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=_LINE)
        netlink.addr(command, index=index, address=_SECOND, prefixlen=32)


@contextmanager
def _nat(topology: Topology, *arguments: str, externals: int = 2) -> Iterator[RunningNat]:
    external = [f"interface:{name}" for name in (WAN_INTERFACE, _LINE)[-externals:]]
    shared = ("--share-address", "--wan", WAN_INTERFACE)
    with nat(topology, external=external, arguments=[*shared, *arguments]) as running:
        yield running


class _Flows:
    """Sockets of many inside hosts, and of one remote."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._stack = ExitStack()
        self.far = self._stack.enter_context(topology.internet.socket())
        self.far.bind((topology.remotes[0], 0))
        self.far.settimeout(DEADLINE)

    def __enter__(self) -> _Flows:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def new(self, host: str) -> socket.socket:
        near = self._stack.enter_context(self._topology.hosts[0].namespace.socket())
        near.bind((host, 0))
        near.connect(self.far.getsockname())
        near.settimeout(DEADLINE)
        return near

    def external(self, near: socket.socket) -> str:
        return greet(near, self.far)[0]

    def paired_with_second(self) -> tuple[str, socket.socket]:
        """A host that the NAT pairs with the second address, and its flow."""
        for host in _HOSTS[:16]:
            near = self.new(host)
            if self.external(near) == _SECOND:
                return host, near
        raise AssertionError(f"none of {_HOSTS[:16]} has {_SECOND}")


def _lost(running: RunningNat) -> bool:
    return any(one["lost"] for one in status(running)["external"])


def test_new_flows_leave_by_the_line_that_is_there_and_paired_hosts_wait(lines: Topology) -> None:
    with _nat(lines, "--timeout", "pairing=3600") as running, _Flows(lines) as flows:
        host, waiting = flows.paired_with_second()
        _second(lines, "del")
        until(lambda: f"{_SECOND}: what is new gets another" in running.log(), "the loss is told")
        assert _lost(running)
        for other in _HOSTS[16:]:
            assert flows.external(flows.new(other)) == ROUTER_WAN
        blocked = flows.new(host)
        blocked.send(b"new")
        until(lambda: drops(running).get("address-lost", 0) > 0, "the new flow waits")
        assert not readable(flows.far, 0)
        _second(lines, "add")
        until(lambda: f"{_SECOND}: new flows may have it as before" in running.log(), "it is back")
        assert flows.external(waiting) == _SECOND
        assert flows.external(blocked) == _SECOND
        assert not _lost(running)


def test_paired_hosts_move_after_a_time_and_it_is_told(lines: Topology, tmp_path: Path) -> None:
    log = tmp_path / "events"
    flags = ("--timeout", "pairing=1", "--events", str(log), "--event-kinds", "address")
    with _nat(lines, *flags) as running, _Flows(lines) as flows:
        host, waiting = flows.paired_with_second()
        _second(lines, "del")
        told = f"{_SECOND} has been away for 1 s: hosts paired with it get another outside address"
        until(lambda: told in running.log(), "the address is given up")
        assert flows.external(flows.new(host)) == ROUTER_WAN
        _second(lines, "add")
        until(lambda: f"{_SECOND}: new flows may have it as before" in running.log(), "it is back")
        assert flows.external(waiting) == _SECOND
        until(lambda: len(log.read_text().splitlines()) == 3, "three events")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(one["event"], one["external"]) for one in events] == [
        (name, _SECOND) for name in ("address-lost", "address-given-up", "address-back")
    ]


def test_with_one_line_only_nothing_changes(lines: Topology) -> None:
    with (
        _nat(lines, "--timeout", "pairing=0", externals=1) as running,
        _Flows(lines) as flows,
    ):
        host, waiting = flows.paired_with_second()
        _second(lines, "del")
        until(lambda: _lost(running), "the loss is told")
        late = flows.new(host)
        late.send(b"waits for the address as well")
        assert flows.far.recvfrom(100)[1][0] == _SECOND
        _second(lines, "add")
        until(lambda: not _lost(running), "it is back")
        assert flows.external(waiting) == flows.external(late) == _SECOND
        assert drops(running) == {}
        assert "outside address" not in running.log()
