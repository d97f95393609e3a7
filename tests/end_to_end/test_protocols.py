"""UDP-Lite, DCCP and SCTP by their ports, GRE and ESP by their addresses alone.

By raw sockets, as few kernels have all of them; those a kernel has are used too.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from end_to_end.harness import DEADLINE, drops, rows, until
from end_to_end.others import DCCP, ESP, GRE, SCTP, UDPLITE, Raw, Seen, dccp, sctp, udplite
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    RunningNat,
    Topology,
    nat,
)

Ports = tuple[int, int]

_EXTERNALS = {4: EXTERNAL, 6: EXTERNAL_6}
_DCCP_REQUEST, _DCCP_RESPONSE, _DCCP_DATA, _DCCP_RESET = 0, 1, 4, 7
_DATA, _INIT, _INIT_ACKNOWLEDGMENT = 0, 1, 2
_TAG = 0x12345678
_INIT_VALUE = struct.pack("!IIHHI", _TAG, 65536, 1, 1, 1)

#: Protocol: what opens a session, what answers that, and what bears a payload each way.
_SEGMENTS: dict[int, tuple[Callable[[Ports, bytes], bytes], ...]] = {
    UDPLITE: (
        udplite,
        udplite,
        lambda ports, payload: udplite(ports, payload, 0),
        lambda ports, payload: udplite(ports, payload, 12),
    ),
    DCCP: (
        lambda ports, payload: dccp(ports, _DCCP_REQUEST, payload),
        lambda ports, payload: dccp(ports, _DCCP_RESPONSE, payload),
        lambda ports, payload: dccp(ports, _DCCP_DATA, payload),
        lambda ports, payload: dccp(ports, _DCCP_DATA, payload),
    ),
    SCTP: (
        lambda ports, payload: sctp(ports, 0, _INIT, _INIT_VALUE + payload),
        lambda ports, payload: sctp(ports, _TAG, _INIT_ACKNOWLEDGMENT, _INIT_VALUE + payload),
        lambda ports, payload: sctp(ports, _TAG, _DATA, bytes(12) + payload),
        lambda ports, payload: sctp(ports, _TAG, _DATA, bytes(12) + payload),
    ),
}
_NAMES = {UDPLITE: "udplite", DCCP: "dccp", SCTP: "sctp"}


@contextmanager
def _both(topology: Topology, *arguments: str) -> Iterator[RunningNat]:
    """A NAT of both versions."""
    external, internal = tuple(_EXTERNALS.values()), (LAN_PREFIX, LAN_PREFIX_6)
    with nat(topology, external=external, internal=internal, arguments=arguments) as running:
        yield running


def _bears(payload: bytes) -> Callable[[Seen], bool]:
    return lambda seen: payload in seen.rest


def _payload() -> bytes:
    """Whole words, so that SCTP pads nothing."""
    return os.urandom(100)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", _SEGMENTS, ids=_NAMES.values())
def test_each_with_ports(dual: Topology, protocol: int, version: int) -> None:
    """Two hosts from one port to one remote; every segment arrives sound, at its own host."""
    forms = _SEGMENTS[protocol]
    remote = dual.remotes_of(version)[0]
    with _both(dual) as running, Raw(dual.internet, remote, protocol) as far:
        externals = set()
        for host in dual.hosts:
            with Raw(host.namespace, host.of(version), protocol) as near:
                external = 0
                for outbound, inbound in (forms[:2], forms[2:], forms[2:]):
                    question, answer = _payload(), _payload()
                    near.send(remote, outbound((4000, 5000), question))
                    seen = far.receive(_bears(question))
                    assert (seen.address, seen.ports[1]) == (_EXTERNALS[version], 5000)
                    assert external in (0, seen.ports[0])
                    external = seen.ports[0]
                    far.send(seen.address, inbound((5000, external), answer))
                    assert near.receive(_bears(answer))[:2] == (remote, (5000, 4000))
                externals.add(external)
        assert len(externals) == 2
        mappings = rows(running, "mappings")
        assert {row["protocol"] for row in mappings} == {_NAMES[protocol]}
        assert {row["external_port"] for row in mappings} == externals
        assert drops(running) == {}


@pytest.mark.parametrize("protocol", _SEGMENTS, ids=_NAMES.values())
def test_a_forward_of_each(topology: Topology, protocol: int) -> None:
    host, remote = topology.hosts[0], topology.remotes[0]
    forms = _SEGMENTS[protocol]
    rule = ("--forward", f"{_NAMES[protocol]}:5000={host.address}:4000")
    with (
        nat(topology, "symmetric", arguments=rule) as running,
        Raw(host.namespace, host.address, protocol) as near,
        Raw(topology.internet, remote, protocol) as far,
    ):
        for inbound, outbound in (forms[:2], forms[2:]):
            question, answer = _payload(), _payload()
            far.send(EXTERNAL, inbound((6000, 5000), question))
            assert near.receive(_bears(question))[:2] == (remote, (6000, 4000))
            near.send(remote, outbound((4000, 6000), answer))
            assert far.receive(_bears(answer))[:2] == (EXTERNAL, (5000, 6000))
        assert drops(running) == {}


@pytest.mark.parametrize("protocol", [DCCP, SCTP], ids=["dccp", "sctp"])
def test_nothing_but_an_opening_segment_opens(topology: Topology, protocol: int) -> None:
    host, remote = topology.hosts[0], topology.remotes[0]
    data = _SEGMENTS[protocol][2]
    with nat(topology) as running, Raw(host.namespace, host.address, protocol) as near:
        near.send(remote, data((4000, 5000), _payload()))
        until(lambda: drops(running) == {"not-syn": 1}, "it is dropped")
        assert rows(running, "sessions") == []


def test_a_dccp_reset_closes_the_session(topology: Topology) -> None:
    host, remote = topology.hosts[0], topology.remotes[0]
    with (
        nat(topology) as running,
        Raw(host.namespace, host.address, DCCP) as near,
        Raw(topology.internet, remote, DCCP) as far,
    ):
        near.send(remote, dccp((4000, 5000), _DCCP_REQUEST, b"hello"))
        external = far.receive(_bears(b"hello")).ports[0]
        far.send(EXTERNAL, dccp((5000, external), _DCCP_RESPONSE, b"welcome"))
        near.receive(_bears(b"welcome"))
        near.send(remote, dccp((4000, 5000), _DCCP_DATA, b"data"))
        far.receive(_bears(b"data"))
        assert rows(running, "sessions")[0]["state"] == "established"
        near.send(remote, dccp((4000, 5000), _DCCP_RESET, b"enough"))
        far.receive(_bears(b"enough"))
        assert rows(running, "sessions")[0]["state"] != "established"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [GRE, ESP], ids=["gre", "esp"])
def test_those_without_ports_go_by_addresses(dual: Topology, protocol: int, version: int) -> None:
    """One host for each remote: another is refused there, and served elsewhere."""
    first, second = dual.hosts
    remote, elsewhere = dual.remotes_of(version)[:2]
    external = _EXTERNALS[version]
    with (
        _both(dual) as running,
        Raw(first.namespace, first.of(version), protocol) as one,
        Raw(second.namespace, second.of(version), protocol) as two,
        Raw(dual.internet, remote, protocol) as far,
        Raw(dual.internet, elsewhere, protocol) as other,
    ):
        for near, outside in ((one, far), (two, other)):
            for _ in range(2):
                question, answer = _payload(), _payload()
                near.send(outside.address, question)
                seen = outside.receive(lambda seen: True)
                assert (seen.address, struct.pack("!HH", *seen.ports) + seen.rest) == (
                    external,
                    question,
                )
                outside.send(external, answer)
                seen = near.receive(lambda seen: True)
                assert (seen.address, struct.pack("!HH", *seen.ports) + seen.rest) == (
                    outside.address,
                    answer,
                )
        two.send(remote, _payload())
        until(lambda: drops(running) == {"no-port": 1}, "the second host is refused")
        assert not far.has_any()


def test_a_stranger_has_no_way_in_without_ports(topology: Topology) -> None:
    host = topology.hosts[0]
    with (
        nat(topology) as running,
        Raw(host.namespace, host.address, GRE) as near,
        Raw(topology.internet, topology.remotes[0], GRE) as far,
        Raw(topology.internet, topology.remotes[1], GRE) as stranger,
    ):
        near.send(far.address, bytes(20))
        far.receive(lambda seen: True)
        stranger.send(EXTERNAL, bytes(20))
        until(lambda: sum(drops(running).values()) == 1, "it is dropped")
        assert not near.has_any()


#: The sockets of a kernel that has them: type and protocol.
_KERNELS_OWN = {
    "udplite": (socket.SOCK_DGRAM, UDPLITE),
    "sctp": (socket.SOCK_SEQPACKET, SCTP),
    "sctp as a stream": (socket.SOCK_STREAM, SCTP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
}


def _has(kind: int, protocol: int) -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET, kind, protocol):
        return True
    return False


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", [name for name, kind in _KERNELS_OWN.items() if _has(*kind)])
def test_the_kernels_own_sockets(dual: Topology, name: str, version: int) -> None:
    kind, protocol = _KERNELS_OWN[name]
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    host = dual.hosts[0]
    with (
        _both(dual) as running,
        host.namespace.socket(family, kind, protocol) as near,
        dual.internet.socket(family, kind, protocol) as listening,
    ):
        # One address each: an association of several does not pass a NAT.
        near.bind((host.of(version), 0))
        listening.bind((dual.remotes_of(version)[0], 5000))
        for handle in (near, listening):
            handle.settimeout(DEADLINE)
        if kind != socket.SOCK_DGRAM:
            listening.listen()
        near.connect(listening.getsockname())
        far = listening.accept()[0] if kind == socket.SOCK_STREAM else listening
        for size in (1, 100, 1200):
            question = os.urandom(size)
            near.send(question)
            received, source = far.recvfrom(2000)
            assert received == question
            if kind == socket.SOCK_STREAM:
                source = far.getpeername()
            assert source[0] == _EXTERNALS[version]
            far.sendto(question[::-1], source)
            assert near.recv(2000) == question[::-1]
        assert drops(running) == {}
