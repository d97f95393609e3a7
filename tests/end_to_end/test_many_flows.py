"""Twenty thousand UDP flows at once, and what happens when external ports run out."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from end_to_end.harness import DEADLINE, drops, greet, readable, rows, status, udp_pair, until
from ratsnake.lab import CONTESTED_PORTS, RunningNat, Topology, nat, traffic_generator

Sockets = list[socket.socket]

_NEAR, _FAR = 100, 200
_BATCH = 50  # datagrams under way at once: less than any queue on the way holds
_FEW = 4  # ports in CONTESTED_PORTS


@contextmanager
def _sockets(topology: Topology, near: int, far: int) -> Iterator[tuple[Sockets, Sockets]]:
    """LAN sockets of both hosts, and remote sockets of all remotes."""
    with ExitStack() as stack:
        inside = []
        for number in range(near):
            host = topology.hosts[number % len(topology.hosts)]
            inside.append(stack.enter_context(host.namespace.socket()))
            inside[-1].bind((host.address, 0))
        outside = []
        for number in range(far):
            outside.append(stack.enter_context(topology.internet.socket()))
            outside[-1].bind((topology.remotes[number % len(topology.remotes)], 0))
        for handle in inside + outside:
            handle.settimeout(DEADLINE)
        yield inside, outside


def _round(inside: Sockets, outside: Sockets, word: bytes) -> None:
    """Every LAN socket asks every remote socket, and gets that one's answer to its question."""
    for number, near in enumerate(inside):
        for start in range(0, len(outside), _BATCH):
            batch = outside[start : start + _BATCH]
            for place, far in enumerate(batch):
                near.sendto(b"%s %d %d" % (word, number, start + place), far.getsockname())
            expected = {}
            for place, far in enumerate(batch):
                question, external = far.recvfrom(100)
                assert question == b"%s %d %d" % (word, number, start + place)
                far.sendto(question + b" answered", external)
                expected[question + b" answered"] = far.getsockname()
            received = dict(near.recvfrom(100) for _ in batch)
            assert received == expected


@pytest.mark.parametrize("nat_type", ["port-restricted-cone", "symmetric"])
def test_twenty_thousand_udp_flows(topology: Topology, nat_type: str) -> None:
    """Twice over, so that the second round finds every flow of the first still there."""
    with (
        nat(topology, nat_type) as running,
        _sockets(topology, _NEAR, _FAR) as (inside, outside),
    ):
        for word in (b"first", b"second"):
            _round(inside, outside, word)
            usage = status(running)["usage"]
            assert usage["sessions"] == _NEAR * _FAR
            assert usage["mappings"] == (_NEAR * _FAR if nat_type == "symmetric" else _NEAR)
        assert drops(running) == {}
        listed = rows(running, "sessions")
        assert len(listed) == _NEAR * _FAR
        assert {(row["packets_out"], row["packets_in"]) for row in listed} == {(2, 2)}


def test_when_exclusive_ports_run_out_the_surplus_is_refused(topology: Topology) -> None:
    with (
        nat(topology, "full-cone", ports=CONTESTED_PORTS) as running,
        _sockets(topology, _FEW + 3, 3) as (inside, outside),
    ):
        _round(inside[:_FEW], outside, b"before")
        for near in inside[_FEW:]:
            near.sendto(b"surplus", outside[0].getsockname())
        until(lambda: drops(running) == {"no-port": 3}, "the surplus is counted")
        assert not readable(outside[0], 0)
        _round(inside[:_FEW], outside, b"after")
        use = status(running)["usage"]["ports"]
        assert use["udp"] == {"used": _FEW, "total": _FEW}
        assert use["tcp"]["used"] == use["icmp"]["used"] == 0
        traffic_generator.download(topology, 1 << 20)  # another protocol's ports are others


def test_tcp_connections_beyond_the_ports_wait_and_live_ones_go_on(topology: Topology) -> None:
    with nat(topology, "full-cone", ports=CONTESTED_PORTS) as running, ExitStack() as stack:
        live = [
            stack.enter_context(traffic_generator.connection(topology, remote=0))
            for _ in range(_FEW)
        ]
        with topology.hosts[1].namespace.socket(kind=socket.SOCK_STREAM) as surplus:
            surplus.setblocking(False)
            surplus.connect_ex((topology.remotes[0], 9))
            until(lambda: drops(running).get("no-port", 0) > 0, "the surplus SYN is counted")
        for near, far in live:
            near.sendall(b"out")
            assert far.recv(3) == b"out"
            far.sendall(b"back")
            assert near.recv(4) == b"back"


def test_ports_of_expired_flows_serve_new_ones(topology: Topology) -> None:
    """Until then who wants one is told that there is none (RFC 5508 REQ-8)."""
    arguments = ["--timeout", "udp=2"]
    with nat(topology, "full-cone", ports="40000", arguments=arguments) as running:
        with udp_pair(topology) as (near, far):
            greet(near, far)
        with udp_pair(topology, host=1) as (near, far):
            told = _told_until_it_passes(near, far)
        assert told > 0
        counters = status(running)["counters"]
        assert drops(running) == {"no-port": counters["icmp_errors_sent"]}
        assert counters["icmp_errors_sent"] >= told
        until(lambda: status(running)["usage"]["sessions"] == 0, "everything has expired")
        usage = status(running)["usage"]
        assert (usage["mappings"], usage["ports"]["udp"]["used"]) == (0, 0)


def _told_until_it_passes(near: socket.socket, far: socket.socket) -> int:
    """How many times the sender was told meanwhile that it may not send."""
    told = 0

    def passes() -> bool:
        nonlocal told
        try:
            near.send(b"again")
        except OSError as error:
            assert error.errno == errno.EHOSTUNREACH  # what the kernel makes of "prohibited"
            told += 1
        return readable(far, 0.05)

    until(passes, "the port is free again")
    return told


@pytest.mark.parametrize("nat_type", ["quasi-restricted-cone", "quasi-port-restricted-cone"])
def test_quasi_types_serve_many_remotes_with_few_ports(topology: Topology, nat_type: str) -> None:
    """As many flows toward each remote (address, or address and port) as there are ports."""
    with (
        nat(topology, nat_type, ports=CONTESTED_PORTS) as running,
        _sockets(topology, _FEW, 60) as (inside, outside),
    ):
        _round(inside, outside, b"all")
        usage = status(running)["usage"]
        assert usage["sessions"] == _FEW * 60
        assert usage["ports"]["udp"] == {"used": _FEW, "total": _FEW}
        assert drops(running) == {}


def test_quasi_types_refuse_only_toward_the_remote_that_has_all_ports(topology: Topology) -> None:
    with (
        nat(topology, "quasi-port-restricted-cone", ports=CONTESTED_PORTS) as running,
        _sockets(topology, _FEW + 1, 2) as (inside, outside),
    ):
        _round(inside[:_FEW], outside[:1], b"full")
        inside[_FEW].sendto(b"surplus", outside[0].getsockname())
        until(lambda: drops(running) == {"no-port": 1}, "the surplus is counted")
        _round(inside[_FEW:], outside[1:], b"elsewhere")
        _round(inside[:_FEW], outside[:1], b"still")


def test_a_map_e_line_of_240_ports_serves_thousands_of_flows(topology: Topology) -> None:
    blocks = ",".join(f"{4096 * k + 1024}-{4096 * k + 1039}" for k in range(1, 16))
    with (
        nat(topology, "quasi-port-restricted-cone", ports=blocks) as running,
        _sockets(topology, 40, 100) as (inside, outside),
    ):
        _round(inside, outside, b"game")
        usage = status(running)["usage"]
        assert usage["sessions"] == 4000
        assert usage["ports"]["udp"]["total"] == 240
        assert _externals(running) <= _allowed(blocks)


def _allowed(blocks: str) -> set[int]:
    pairs = (map(int, block.split("-")) for block in blocks.split(","))
    return {port for first, last in pairs for port in range(first, last + 1)}


def _externals(running: RunningNat) -> set[int]:
    return {row["external_port"] for row in rows(running, "mappings")}
