"""Static forwards and one-to-one addresses, used from outside and from inside."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, drops, rows, until
from end_to_end.programs import run, server
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_2,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    Host,
    Namespace,
    RunningNat,
    Topology,
    nat,
)
from ratsnake.lab.ping_and_traceroute import ping

Find = Callable[[str], str]

#: LAN hosts 0 and 1.
_FIRST, _SECOND = "192.0.2.130", "192.0.2.131"
_FIRST_6, _SECOND_6 = "2001:db8:1::130", "2001:db8:1::131"
_EXTERNAL_6 = "2001:db8:3::5"
_STRICTEST = "symmetric"  # forwards work whatever the type
_OCTETS = 4 << 20


@contextmanager
def _both(topology: Topology, *arguments: str) -> Iterator[RunningNat]:
    """A NAT of both versions; nothing may be dropped unless the test looks itself."""
    external, internal = (EXTERNAL, EXTERNAL_6), (LAN_PREFIX, LAN_PREFIX_6)
    with nat(
        topology, _STRICTEST, external=external, internal=internal, arguments=arguments
    ) as running:
        yield running


@contextmanager
def _web_server(namespace: Namespace, folder: Path, port: int) -> Iterator[str]:
    """A file's digest, while it is to be had at that port by both versions of IP."""
    content = os.urandom(_OCTETS)
    (folder / "file").write_bytes(content)
    serve = (sys.executable, "-m", "http.server", "-b", "::", str(port))
    with server(namespace, port, *serve, cwd=folder):
        yield hashlib.sha256(content).hexdigest()


def _fetch(namespace: Namespace, curl: str, address: str, port: int, folder: Path) -> str:
    """The digest of the file a web server has."""
    fetched = folder / "fetched"
    host = f"[{address}]" if ":" in address else address
    argv = (curl, "-gsSf", "--noproxy", "*", "-o", str(fetched), f"http://{host}:{port}/file")
    run(namespace, *argv)
    return hashlib.sha256(fetched.read_bytes()).hexdigest()


@contextmanager
def _udp(namespace: Namespace, address: str, port: int = 0) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace.socket(family) as handle:
        handle.bind((address, port))
        handle.settimeout(DEADLINE)
        yield handle


def _deliver(
    sender: socket.socket, to: tuple[str, int], receiver: socket.socket
) -> tuple[str, int]:
    """One datagram there and its answer back; returns whom the receiver saw."""
    question = os.urandom(100)
    sender.sendto(question, to)
    received, source = receiver.recvfrom(2000)
    assert received == question
    receiver.sendto(question[::-1], source)
    answer, answerer = sender.recvfrom(2000)
    assert (answer, answerer[:2]) == (question[::-1], to)
    return str(source[0]), int(source[1])


def test_a_web_server_behind_a_forward(dual: Topology, program: Find, tmp_path: Path) -> None:
    """From outside, from another LAN host, and from the server's own host (RFC 4787 REQ-9)."""
    curl = program("curl")
    forwards = (
        *("--forward", f"tcp:8080={_FIRST}:80"),
        *("--forward", f"tcp:[{EXTERNAL_6}]:8080=[{_FIRST_6}]:80"),
    )
    clients = (dual.internet, dual.hosts[1].namespace, dual.hosts[0].namespace)
    with (
        _both(dual, *forwards) as running,
        _web_server(dual.hosts[0].namespace, tmp_path, 80) as digest,
    ):
        for client in clients:
            for address in (EXTERNAL, EXTERNAL_6):
                assert _fetch(client, curl, address, 8080, tmp_path) == digest
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
def test_a_range_of_ports(dual: Topology, version: int) -> None:
    external, internal = {4: (EXTERNAL, _FIRST), 6: (EXTERNAL_6, _FIRST_6)}[version]
    outside, inside = (f"[{one}]" if version == 6 else one for one in (external, internal))
    rule = f"udp+tcp:{outside}:5000-5010={inside}:6000-6010"
    remote = dual.remotes_of(version)[1]
    with _both(dual, "--forward", rule) as running, _udp(dual.internet, remote) as far:
        for number in range(11):
            with _udp(dual.hosts[0].namespace, internal, 6000 + number) as near:
                assert _deliver(far, (external, 5000 + number), near) == far.getsockname()[:2]
        assert drops(running) == {}
        for beside in (4999, 5011):
            far.sendto(b"beside it", (external, beside))
        until(lambda: drops(running) == {"no-mapping": 2}, "the ports beside it are closed")


def test_only_given_remotes(topology: Topology) -> None:
    rule = f"udp:5353={_FIRST}:53@{topology.remotes[0]},{topology.remotes[2]}"
    with (
        nat(topology, "full-cone", arguments=("--forward", rule)) as running,
        _udp(topology.hosts[0].namespace, _FIRST, 53) as near,
    ):
        for number, allowed in enumerate((True, False, True)):
            with _udp(topology.internet, topology.remotes[number]) as far:
                if allowed:
                    assert _deliver(far, (EXTERNAL, 5353), near) == far.getsockname()
                else:
                    far.sendto(b"let me in", (EXTERNAL, 5353))
                    until(lambda: sum(drops(running).values()) == 1, "it is dropped")
        assert {row["remote"] for row in rows(running, "sessions")} == {
            topology.remotes[0],
            topology.remotes[2],
        }


@pytest.mark.parametrize("version", [4, 6])
def test_what_the_server_sends_by_itself_leaves_by_the_forwards_port(
    dual: Topology, version: int
) -> None:
    external, internal = {4: (EXTERNAL, _FIRST), 6: (EXTERNAL_6, _FIRST_6)}[version]
    outside, inside = (f"[{one}]" if version == 6 else one for one in (external, internal))
    rule = f"udp:{outside}:5060={inside}:5061"
    with (
        _both(dual, "--forward", rule) as running,
        _udp(dual.hosts[0].namespace, internal, 5061) as near,
    ):
        for remote in dual.remotes_of(version):
            with _udp(dual.internet, remote) as far:
                assert _deliver(near, far.getsockname()[:2], far) == (external, 5060)
        assert drops(running) == {}


@pytest.mark.parametrize("version", [4, 6])
def test_between_two_forwards(dual: Topology, version: int) -> None:
    """Each sees the other by its forward's endpoint; also a host without any sees it so."""
    external = {4: EXTERNAL, 6: EXTERNAL_6}[version]
    first, second = {4: (_FIRST, _SECOND), 6: (_FIRST_6, _SECOND_6)}[version]
    form = {4: "udp:{}:{}={}:{}", 6: "udp:[{}]:{}=[{}]:{}"}[version]
    rules = (form.format(external, 7001, first, 701), form.format(external, 7002, second, 702))
    forwards = [word for rule in rules for word in ("--forward", rule)]
    with (
        _both(dual, *forwards) as running,
        _udp(dual.hosts[0].namespace, first, 701) as one,
        _udp(dual.hosts[1].namespace, second, 702) as other,
        _udp(dual.hosts[1].namespace, second) as client,
    ):
        assert _deliver(one, (external, 7002), other) == (external, 7001)
        assert _deliver(other, (external, 7001), one) == (external, 7002)
        assert _deliver(client, (external, 7001), one)[0] == external
        assert drops(running) == {}


def test_a_one_to_one_address(dual: Topology, program: Find, tmp_path: Path) -> None:
    """Every protocol, every port, both ways; the LAN's other host has nothing of it."""
    curl = program("curl")
    pairs = ("--one-to-one", f"{EXTERNAL_2}={_FIRST}", "--one-to-one", f"{_EXTERNAL_6}={_FIRST_6}")
    inside = dual.hosts[0].namespace
    with _both(dual, *pairs) as running:
        for version, address in ((4, EXTERNAL_2), (6, _EXTERNAL_6)):
            remote = dual.remotes_of(version)[0]
            assert ping(Host(dual.internet, remote), address) > 0
            assert ping(dual.hosts[0], remote) > 0
            with (
                _udp(inside, dual.hosts[0].of(version)) as near,
                _udp(dual.hosts[1].namespace, dual.hosts[1].of(version)) as other,
                _udp(dual.internet, remote) as far,
            ):
                port = near.getsockname()[1]
                assert _deliver(near, far.getsockname()[:2], far) == (address, port)
                assert _deliver(other, far.getsockname()[:2], far)[0] in (EXTERNAL, EXTERNAL_6)
        with _web_server(inside, tmp_path, 80) as digest:
            for address in (EXTERNAL_2, _EXTERNAL_6):
                for client in (dual.internet, dual.hosts[1].namespace, inside):
                    assert _fetch(client, curl, address, 80, tmp_path) == digest
        with _web_server(dual.internet, tmp_path, 8000) as digest:
            for remote in (dual.remotes[1], dual.remotes_6[1]):
                assert _fetch(inside, curl, remote, 8000, tmp_path) == digest
        assert drops(running) == {}
