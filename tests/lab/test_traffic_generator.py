"""traffic_generator.py and ping_and_traceroute.py, over plain forwarding and kernel NAT."""

from __future__ import annotations

import pytest

from ratsnake.lab import Topology, forward, masquerade, traffic_generator
from ratsnake.lab.ping_and_traceroute import Hop, PathError, ping, probe_hop, traceroute
from ratsnake.lab.topology import EXTERNAL, ROUTER_LAN, ROUTER_LAN_6, ROUTER_WAN
from ratsnake.lab.traffic_generator import TrafficError

_OCTETS = (5 << 20) + 321


def test_download_and_upload_are_checked(topology: Topology) -> None:
    with forward(topology):
        progress: list[int] = []
        transfer = traffic_generator.download(topology, _OCTETS, progress=progress.append)
        assert transfer.octets == _OCTETS
        assert transfer.gigabits > 0
        assert progress and progress == sorted(progress)
        assert traffic_generator.upload(topology, _OCTETS, host=1).octets == _OCTETS


def test_a_transfer_that_ends_early_is_an_error(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = traffic_generator._blocks
    monkeypatch.setattr(traffic_generator, "_blocks", lambda octets: whole(octets - 1))
    with forward(topology), pytest.raises(TrafficError, match=f"after {_OCTETS - 1} of {_OCTETS}"):
        traffic_generator.download(topology, _OCTETS)


def test_a_transfer_that_arrives_altered_is_an_error(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_generator, "_send_hashed", _send_other)
    with forward(topology), pytest.raises(TrafficError, match="differs"):
        traffic_generator.download(topology, 1000)


def _send_other(sender: object, octets: int) -> str:
    sender.sendall(bytes(octets))  # type: ignore[attr-defined]
    sender.shutdown(1)  # type: ignore[attr-defined]
    return "another hash"


def test_a_receiver_that_fails_does_not_leave_its_sender_waiting(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise TrafficError("no more")

    monkeypatch.setattr(traffic_generator, "_some", fail)
    monkeypatch.setattr(traffic_generator, "_STALL", 3600.0)
    with forward(topology), pytest.raises(TrafficError, match="no more"):
        traffic_generator.download(topology, 64 << 20)


def test_throughput(topology: Topology) -> None:
    with forward(topology):
        assert traffic_generator.throughput(topology, 0.05).octets > 0


def test_exchange(topology: Topology) -> None:
    with forward(topology):
        assert traffic_generator.exchange(topology, rounds=3, size=1400) == 3


def test_everything_over_ipv6(dual: Topology) -> None:
    with forward(dual):
        assert traffic_generator.exchange(dual, rounds=3, size=1400, version=6) == 3
        assert traffic_generator.download(dual, _OCTETS, version=6).octets == _OCTETS
        assert traffic_generator.upload(dual, _OCTETS, version=6).octets == _OCTETS
        assert traffic_generator.throughput(dual, 0.05, version=6).octets > 0
        with traffic_generator.connection(dual, version=6) as (_, far):
            assert far.getpeername()[0] == dual.hosts[0].address_6


def test_ping_and_traceroute_over_ipv6(dual: Topology) -> None:
    remote = dual.remotes_6[0]
    with forward(dual):
        assert 0 < ping(dual.hosts[0], remote, size=1400) < 5
        assert traceroute(dual.hosts[0], remote) == (
            Hop(ROUTER_LAN_6, arrived=False),
            Hop(remote, arrived=True),
        )
    with pytest.raises(PathError, match=f"ping {remote}: no reply"):
        ping(dual.hosts[0], remote, timeout=0.05)


def test_no_gateway_no_traffic(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_generator, "_STALL", 0.05)
    with pytest.raises(TrafficError, match=r"connection from 192\.0\.2\.130"):
        traffic_generator.download(topology, 1)
    with pytest.raises(PathError, match=r"ping 198\.51\.100\.1: no reply"):
        ping(topology.hosts[0], topology.remotes[0], timeout=0.01)


def test_traceroute_through_forwarding(topology: Topology) -> None:
    with forward(topology):
        hops = traceroute(topology.hosts[0], topology.remotes[0])
    assert hops == (Hop(ROUTER_LAN, False), Hop(topology.remotes[0], True))


def test_a_silent_hop(topology: Topology) -> None:
    with forward(topology), topology.internet.entered():
        topology.internet.sysctl("net.ipv4.icmp_ratemask", 1 << 3)
        topology.internet.sysctl("net.ipv4.icmp_ratelimit", 3_600_000)
        answers = [
            probe_hop(topology.hosts[0], topology.remotes[0], 2, timeout=0.01) for _ in range(10)
        ]
    assert answers[-1] is None


@pytest.mark.usefixtures("nft")
def test_everything_through_kernel_nat(topology: Topology) -> None:
    with masquerade(topology):
        host, remote = topology.hosts[0], topology.remotes[0]
        assert ping(host, remote) > 0
        assert traceroute(host, remote)[-1] == Hop(remote, True)
        assert traffic_generator.download(topology, _OCTETS).octets == _OCTETS
        assert traffic_generator.exchange(topology) == 10
        with traffic_generator.connection(topology) as (_, far):
            assert far.getpeername()[0] == EXTERNAL


def test_forwarding_is_undone(topology: Topology) -> None:
    with forward(topology):
        pass
    assert topology.router.sysctl("net.ipv4.ip_forward", 0) == "0"
    assert probe_hop(topology.hosts[0], topology.remotes[0], 1, timeout=0.05) is None
    assert ROUTER_WAN not in topology.remotes
