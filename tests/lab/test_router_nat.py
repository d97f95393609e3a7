"""lab/router_nat.py: how a NAT that does not start, dies or does not stop is reported."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from ratsnake.lab import (
    EXTERNAL,
    GatewayError,
    Topology,
    masquerade,
    nat,
    router_nat,
    traffic_generator,
)
from ratsnake.lab.topology import LAN_INTERFACE


def _rules(topology: Topology) -> list[str]:
    with topology.router.netlink() as netlink:
        return [str(rule["attrs"]) for rule in netlink.get_rules()]


def test_ready_then_stopped_with_nothing_left_behind(topology: Topology) -> None:
    before, descriptors = _rules(topology), len(os.listdir("/proc/self/fd"))
    with nat(topology, "full-cone", ports="5000-5099", arguments=["--udp", "symmetric"]) as running:
        assert running.ready_line.startswith("ready")
        assert running.control.is_socket()
        assert _rules(topology) != before
        with traffic_generator.connection(topology) as (_, far):
            address, port = far.getpeername()
            assert address == EXTERNAL and 5000 <= port < 5100
    assert running.process.returncode == 0
    assert not running.control.exists()
    assert _rules(topology) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_one_after_the_other(topology: Topology) -> None:
    for _ in range(2):
        with nat(topology):
            assert traffic_generator.exchange(topology, rounds=1) == 1


def test_a_usage_error_is_in_the_message(topology: Topology) -> None:
    with (
        pytest.raises(GatewayError, match=r"status 2 before it was ready\n.*no-such-type"),
        nat(topology, "no-such-type"),
    ):
        pass


def test_a_wrong_first_line(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_ratsnake(monkeypatch, "print('hello', flush=True); input()")
    with pytest.raises(GatewayError, match="'hello' where 'ready"), nat(topology):
        pass


def test_never_ready(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys, time; print('why', file=sys.stderr, flush=True); time.sleep(600)"
    _replace_ratsnake(monkeypatch, program)
    monkeypatch.setattr(router_nat, "_START_DEADLINE", 0.5)
    with pytest.raises(GatewayError, match="was not ready"), nat(topology):
        pass


def test_never_stopping(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    ignore = "import signal, time; signal.signal(15, signal.SIG_IGN); "
    _replace_ratsnake(monkeypatch, ignore + "print('ready', flush=True); time.sleep(600)")
    monkeypatch.setattr(router_nat, "_STOP_DEADLINE", 0.05)
    with pytest.raises(GatewayError, match="did not stop"), nat(topology) as running:
        pass
    assert running.process.returncode == -signal.SIGKILL


def test_another_status_than_0(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_ratsnake(monkeypatch, "import time; print('ready', flush=True); time.sleep(600)")
    with pytest.raises(GatewayError, match="exited with status -15"), nat(topology):
        pass


def _replace_ratsnake(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(router_nat, "_PROGRAM", ("-c", program))


def test_an_error_inside_is_not_hidden_by_the_stop(topology: Topology) -> None:
    with pytest.raises(ZeroDivisionError), nat(topology) as running:
        raise ZeroDivisionError
    assert running.process.returncode is not None


def test_a_nat_whose_device_is_removed_ends_by_itself(topology: Topology) -> None:
    with nat(topology) as running:
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="ratsnake")
            netlink.link("del", index=index)
        assert running.process.wait(10) == 1
        assert "ratsnake" in running.log()
    with topology.router.netlink() as netlink:
        assert netlink.link_lookup(ifname=LAN_INTERFACE)


@pytest.mark.usefixtures("nft")
def test_kernel_nat_is_undone(topology: Topology) -> None:
    with masquerade(topology), traffic_generator.connection(topology) as (_, far):
        assert far.getpeername()[0] == EXTERNAL
    with pytest.raises(GatewayError, match="nft: "):
        router_nat._nft(topology, "delete table ip ratsnake_lab")


def test_nft_missing(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_nat, "nft_program", lambda: None)
    with pytest.raises(GatewayError, match="nft: not installed"), masquerade(topology):
        pass


def test_a_narrow_way_out_makes_tcp_segments_smaller() -> None:
    """The router itself reports the MTU, to the external address, through the NAT (ICMP 3/4)."""
    with (
        Topology(wan_mtu=1400) as topology,
        nat(topology),
        traffic_generator.connection(topology) as (near, far),
    ):
        before = near.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        near.sendall(bytes(100_000))
        left = 100_000
        while left:
            left -= len(far.recv(65536))
        after = near.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    assert (before, after) == (1448, 1348)
