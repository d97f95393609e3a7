"""Bulk TCP and UDP through the NAT, checked by hash, with offloads and without."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEVICE, drops, status, udp_pair
from ratsnake.lab import RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.ethtool import set_feature, set_offloads, without_offloads

_GIGABYTE = 1 << 30
_UPLOAD = 128 << 20
_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104  # linux/udp.h
_ALL = ["csum", "tso4", "tso6", "uso4", "uso6"]


@contextmanager
def _without_any_offloads() -> Iterator[tuple[Topology, RunningNat]]:
    """Neither a veth nor the TUN carries anything but finished frames."""
    with Topology(offloads=False) as topology, nat(topology) as running:
        _plain_tun(topology)
        yield topology, running


def _plain_tun(topology: Topology) -> None:
    """The kernel finishes every packet before the TUN, which has then nothing to offload."""
    set_offloads(topology.router, DEVICE, {"tso": False, "gso": False, "tx-checksum": False})


def _mean_packet(running: RunningNat, direction: str) -> float:
    counters = status(running)["counters"][direction]
    return float(counters["bytes"] / counters["packets"])


def test_a_gigabyte_down_and_some_up_with_offloads() -> None:
    with Topology() as topology, nat(topology) as running:
        assert status(running)["offload"] == _ALL
        traffic_generator.download(topology, _GIGABYTE)
        assert _mean_packet(running, "inbound") > 5000, "no super-packets: offloads were not used"
        traffic_generator.upload(topology, _UPLOAD)
        assert status(running)["counters"]["outbound"]["bytes"] > _UPLOAD
        assert drops(running) == {}


def test_a_gigabyte_down_and_some_up_without_offloads() -> None:
    with _without_any_offloads() as (topology, running):
        traffic_generator.download(topology, _GIGABYTE)
        assert 1400 < _mean_packet(running, "inbound") <= 1500
        traffic_generator.upload(topology, _UPLOAD)
        assert _mean_packet(running, "outbound") <= 1500
        assert drops(running) == {}


@pytest.mark.parametrize("side", ["lan", "wan", "tun"])
def test_offloads_off_on_one_side_only(side: str) -> None:
    """The kernel then cuts packets or joins them on one side of the NAT."""
    with Topology() as topology, nat(topology), ExitStack() as stack:
        wan, lan = topology.interfaces[:2], topology.interfaces[2:]
        if side == "tun":
            _plain_tun(topology)
        else:
            stack.enter_context(without_offloads(*(wan if side == "wan" else lan)))
        traffic_generator.download(topology, _UPLOAD // 4)
        traffic_generator.upload(topology, _UPLOAD // 4)


def test_a_kernel_without_offloads_is_reported_and_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python's own start-up hook makes the NAT ask for an offload no kernel has."""
    (tmp_path / "sitecustomize.py").write_text(
        "from ratsnake.device import tun_constants as numbers\n"
        "numbers.OFFLOAD_SETS = (numbers.OffloadSet(1 << 30, ('none',), 'Linux 99'),)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Topology() as topology, nat(topology) as running:
        assert " offload=none " in running.ready_line
        assert status(running)["offload"] == []
        assert "WARNING the TUN driver takes no offloads: going on without them" in running.log()
        traffic_generator.download(topology, _UPLOAD // 4)
        traffic_generator.upload(topology, _UPLOAD // 4)
        traffic_generator.exchange(topology)
        assert _mean_packet(running, "inbound") <= 1500


def test_many_transfers_at_once_do_not_mix(topology: Topology) -> None:
    with nat(topology), ExitStack() as stack:
        pairs = [
            stack.enter_context(traffic_generator.connection(topology, host=k % 2, remote=k % 3))
            for k in range(30)
        ]
        messages = [os.urandom(100_000) for _ in pairs]
        for (near, _), message in zip(pairs, messages, strict=True):
            near.sendall(message)
            near.shutdown(socket.SHUT_WR)
        for (_, far), message in zip(pairs, messages, strict=True):
            with far.makefile("rb") as stream:
                assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(message).digest()


@pytest.mark.parametrize("upward", [True, False])
def test_udp_super_packets(upward: bool) -> None:
    """UDP segmentation offload: one send of many datagrams is one packet in the NAT."""
    with Topology() as topology, nat(topology) as running, udp_pair(topology) as (near, far):
        near.send(b"hello")
        external = far.recvfrom(100)[1]
        sender, receiver = (near, far) if upward else (far, near)
        sender.setsockopt(_SOL_UDP, _UDP_SEGMENT, 1400)
        far.connect(external)
        payload = os.urandom(1400 * 40 + 123)
        sender.send(payload)
        received = [receiver.recv(65536) for _ in range(41)]
        assert b"".join(received) == payload
        assert {len(part) for part in received} == {1400, 123}
        counters = status(running)["counters"]["outbound" if upward else "inbound"]
        assert counters["packets"] == (2 if upward else 1)
        assert drops(running) == {}


def test_udp_datagrams_that_arrive_singly_are_joined_for_the_nat() -> None:
    """As on a wire: the LAN host's own kernel cuts a send into datagrams before the link."""
    with Topology() as topology:
        host = topology.hosts[0].namespace
        set_feature(host, "eth0", "tx-udp-segmentation", False)
        set_offloads(topology.router, "lan0", {"gro": True})
        with nat(topology) as running, udp_pair(topology) as (near, far):
            near.setsockopt(_SOL_UDP, _UDP_SEGMENT, 1200)
            payload = os.urandom(1200 * 40 + 123)
            near.send(payload)
            received = [far.recv(65536) for _ in range(41)]
            assert b"".join(received) == payload
            assert [len(part) for part in received] == [1200] * 40 + [123]
            assert status(running)["counters"]["outbound"]["packets"] < 10
            assert drops(running) == {}
