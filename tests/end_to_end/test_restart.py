"""Stopping and starting under traffic: nothing is left behind, and new flows work at once."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest

from end_to_end.frames import captured, sniffer
from end_to_end.harness import (
    DEADLINE,
    DEVICE,
    greet,
    readable,
    router_state,
    status,
    udp_pair,
    until,
    without_left,
)
from ratsnake.lab import EXTERNAL_2, RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.topology import ROUTER_LAN

_LAN = b"\xc0\x00\x02"  # 192.0.2.0/24


def _send(near: socket.socket) -> None:
    with suppress(OSError):  # nobody forwards it while the NAT is away
        near.send(bytes(100))


@contextmanager
def _under_traffic(topology: Topology) -> Iterator[None]:
    """A UDP flood from one LAN host, to a remote, as long as the `with` lasts."""
    stop = Event()

    def flood(near: socket.socket) -> None:
        while not stop.is_set():
            _send(near)

    with udp_pair(topology, host=1) as (near, _), ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood, near)
        try:
            yield
        finally:
            stop.set()
            flooding.result()


@contextmanager
def _transferring(topology: Topology) -> Iterator[None]:
    """A TCP connection full of data that nobody gets to the end of."""
    with traffic_generator.connection(topology) as (near, far), ThreadPoolExecutor(1) as pool:

        def pump() -> None:
            with suppress(OSError):
                while True:
                    far.sendall(bytes(1 << 20))

        pumping = pool.submit(pump)
        for _ in range(100):
            near.recv(65536)
        try:
            yield
        finally:
            far.shutdown(socket.SHUT_RDWR)
            pumping.result()


def _works_at_once(topology: Topology) -> None:
    """New flows pass.  A flood fills the kernel's queues too: what is lost there is repeated."""
    with udp_pair(topology) as (near, far):

        def arrived() -> bool:
            near.send(b"out")
            return readable(far, 0.05)

        until(arrived, "a datagram of a new flow passes")
        _, external = far.recvfrom(100)

        def answered() -> bool:
            far.sendto(b"back", external)
            return readable(near, 0.05)

        until(answered, "an answer passes")
    traffic_generator.download(topology, 4 << 20)


def _busy(running: RunningNat) -> None:
    seen = status(running)["counters"]["outbound"]["packets"]
    until(
        lambda: status(running)["counters"]["outbound"]["packets"] > seen + 1000, "traffic passes"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_traffic_leaves_nothing_and_a_start_works(
    topology: Topology, number: int
) -> None:
    before = router_state(topology)
    with _under_traffic(topology):
        for _ in range(2):
            with nat(topology) as running, _transferring(topology):
                _busy(running)
                running.process.send_signal(number)
                assert running.process.wait(DEADLINE) == 0
                assert not running.control.exists()
                assert "Traceback" not in running.log()
            assert router_state(topology) == before
        with nat(topology):
            _works_at_once(topology)
    assert router_state(topology) == before


def test_what_the_router_had_set_is_as_before(topology: Topology) -> None:
    """Also where it differs from the defaults."""
    topology.router.sysctl("net.ipv4.ip_forward", 1)
    topology.router.sysctl("net.ipv4.conf.all.accept_redirects", 0)
    topology.router.sysctl("net.ipv4.conf.all.rp_filter", 1)
    before = router_state(topology)
    with nat(topology):
        _works_at_once(topology)
    assert router_state(topology) == before


def test_a_start_after_kill_9_works_and_its_stop_leaves_nothing(
    topology: Topology, tmp_path: Path
) -> None:
    """The killed one could not undo its routing; its successor has the same control socket."""
    before = router_state(topology)
    control = tmp_path / "control.sock"
    arguments = ["--control", str(control)]
    with _under_traffic(topology):
        with nat(topology, arguments=arguments) as running:
            running.process.kill()
            running.process.wait(DEADLINE)
        assert control.exists()
        with nat(topology, arguments=arguments):
            _works_at_once(topology)
        assert not control.exists()
    assert without_left(router_state(topology)) == without_left(before)


def test_a_device_deleted_under_traffic_is_an_error_that_leaves_nothing(
    topology: Topology,
) -> None:
    before = router_state(topology)
    with _under_traffic(topology), nat(topology) as running, _transferring(topology):
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname=DEVICE)
            netlink.link("del", index=index)
        assert running.process.wait(DEADLINE) == 1
        last = running.log().splitlines()[-1]
        assert last.startswith(f"ratsnake: error: device {DEVICE}: ")
        assert "was the device removed?" in last
        assert not running.control.exists()
        assert router_state(topology) == before


def _leaked(watch: socket.socket) -> int:
    """How many packets left with a LAN address for a source."""
    return sum(packet[12:15] == _LAN for packet in captured(watch))


def test_nothing_passes_untranslated_while_it_starts(topology: Topology) -> None:
    """The router did not forward before; what it forwards from now on must all be translated."""
    with _under_traffic(topology):
        for _ in range(5):  # what there was to see lasted a millisecond
            with sniffer(topology.internet, "eth0") as watch, nat(topology) as running:
                _busy(running)
                assert _leaked(watch) == 0


@pytest.mark.parametrize("end", ["stopped", "killed", "device deleted"])
def test_nothing_passes_untranslated_when_it_ends(topology: Topology, end: str) -> None:
    """However it ends: the router then forwards nothing, as before."""
    with _under_traffic(topology), udp_pair(topology) as (near, _), nat(topology) as running:
        _busy(running)
        with sniffer(topology.internet, "eth0") as watch:
            if end == "killed":
                running.process.kill()
            elif end == "device deleted":
                with topology.router.netlink() as netlink:
                    netlink.link("del", index=netlink.link_lookup(ifname=DEVICE)[0])
            else:
                running.process.terminate()
            running.process.wait(DEADLINE)
            for _ in range(1000):
                _send(near)
            assert _leaked(watch) == 0


def test_two_at_a_time_do_not_disturb_each_other(topology: Topology) -> None:
    """The second serves the router's own packets; the first to start is the first to stop."""
    before = router_state(topology)
    second = ["--device", "second", "--lan", "lo"]
    with ExitStack() as later:
        with nat(topology):
            later.enter_context(nat(topology, external=[EXTERNAL_2], arguments=second))
        near = later.enter_context(topology.router.socket())
        far = later.enter_context(topology.internet.socket())
        far.bind((topology.remotes[0], 0))
        near.bind((ROUTER_LAN, 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        assert greet(near, far)[0] == EXTERNAL_2
    # The second found the host's settings made already, and leaves them so.
    assert without_left(router_state(topology)) == without_left(before)
