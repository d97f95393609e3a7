"""Several interfaces are the LAN: each is translated, and may come and go beside others' flows."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from end_to_end.frames import captured, sniffer
from end_to_end.harness import DEADLINE, drops, greet, readable, router_state, rows, until
from end_to_end.second_lan import PREFIX, ROUTER_ADDRESS, SecondLan
from ratsnake.daemon.control.control_client import ask
from ratsnake.lab import EXTERNAL, Host, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import PathError, ping
from ratsnake.lab.topology import LAN_PREFIX

INTERNAL = [LAN_PREFIX, PREFIX]
BOTH = ("--lan", "lan0", "--lan", "lan1")


@contextmanager
def _pair(topology: Topology, host: Host) -> Iterator[tuple[socket.socket, socket.socket]]:
    with host.namespace.socket() as near, topology.internet.socket() as far:
        far.bind((topology.remotes[0], 0))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        yield near, far


def _works(topology: Topology, host: Host) -> None:
    with _pair(topology, host) as (near, far):
        assert greet(near, far)[0] == EXTERNAL
    until(lambda: _answered(host, topology.remotes[0]), "a ping is answered")


def _answered(host: Host, address: str) -> bool:
    try:
        ping(host, address, timeout=2.0)
    except PathError:
        return False
    return True


def test_each_lan_is_translated_and_one_reaches_the_other(topology: Topology) -> None:
    with SecondLan(topology) as lan1:
        before = router_state(topology)
        with nat(topology, internal=INTERNAL, arguments=BOTH) as running:
            _works(topology, topology.hosts[0])
            _works(topology, lan1.host)
            traffic_generator.download(topology, 1 << 20)
            assert {row["internal"].split(":")[0] for row in rows(running, "sessions")} >= {
                topology.hosts[0].address,
                lan1.host.address,
            }
            with lan1.host.namespace.socket() as near, topology.hosts[0].namespace.socket() as far:
                far.bind((topology.hosts[0].address, 0))
                near.connect(far.getsockname())
                near.send(b"untranslated")
                assert far.recvfrom(100)[1][0] == lan1.host.address
            assert drops(running) == {}
        assert router_state(topology) == before


def test_hosts_of_two_lans_meet_at_the_external_address(topology: Topology) -> None:
    """Hairpinning (RFC 4787 REQ-9)."""
    with (
        SecondLan(topology) as lan1,
        nat(topology, "full-cone", internal=INTERNAL, arguments=BOTH),
        topology.internet.socket() as far,
        topology.hosts[0].namespace.socket() as server,
        lan1.host.namespace.socket() as near,
    ):
        far.bind((topology.remotes[0], 0))
        server.bind((topology.hosts[0].address, 0))
        for handle in (far, server):
            handle.settimeout(DEADLINE)
        server.sendto(b"out", far.getsockname())
        external = far.recvfrom(100)[1]
        near.sendto(b"from the other LAN", external)
        message, seen = server.recvfrom(100)
        assert message == b"from the other LAN" and seen[0] == EXTERNAL


def _configuration(path: Path, lans: Sequence[str]) -> None:
    path.write_text(f"[host]\nlan = {json.dumps(lans[0] if len(lans) == 1 else list(lans))}\n")


def _reload(control: Path) -> list[str]:
    (answer,) = ask(str(control), "reload")
    return [f"{one['key']} {one['old']} {one['new']}" for one in answer["changed"]]


@contextmanager
def _asking(near: socket.socket, far: socket.socket) -> Iterator[None]:
    """A datagram there and back again and again; at the end, that none was lost."""
    stop = threading.Event()
    lost: list[int] = []

    def exchange() -> None:
        for number in range(1 << 30):
            if stop.is_set():
                return
            message = number.to_bytes(4, "big")
            near.send(message)
            if not readable(far) or far.recv(100) != message:
                lost.append(number)
                return
            far.send(message)
            if not readable(near) or near.recv(100) != message:
                lost.append(number)
                return

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert lost == []


def test_lans_come_and_go_by_reload_and_others_lose_no_packet(
    topology: Topology, tmp_path: Path
) -> None:
    file = tmp_path / "nat.toml"
    _configuration(file, ["lan0"])
    flags = ("--config", str(file), "--wan", "wan0")
    before = router_state(topology)
    with (
        SecondLan(topology) as lan1,
        nat(topology, internal=INTERNAL, lans=(), arguments=flags) as running,
        _pair(topology, topology.hosts[0]) as (near, far),
    ):
        external = greet(near, far)
        far.connect(external)
        with _asking(near, far):
            for _ in range(3):
                _configuration(file, ["lan0", "lan1"])
                assert _reload(running.control) == ["host.lan ['lan0'] ['lan0', 'lan1']"]
                _works(topology, lan1.host)
                _configuration(file, ["lan0"])
                assert _reload(running.control) == ["host.lan ['lan0', 'lan1'] ['lan0']"]
        _configuration(file, ["lan1"])
        _reload(running.control)
        _works(topology, lan1.host)
        lan1.go()
        lan1.come()
        _works(topology, lan1.host)
        lan1.go()
    assert router_state(topology) == before


def test_a_lan_that_is_not_there_yet_is_taken_in_when_it_comes(topology: Topology) -> None:
    """Not one packet of it leaves untranslated, the first included; also when it comes again."""
    with (
        SecondLan(topology) as lan1,
        sniffer(topology.internet, "eth0") as watch,
    ):
        lan1.go()
        with nat(topology, internal=INTERNAL, arguments=BOTH) as running:
            assert "--lan lan1: no such interface yet (there are lan0, " in running.log()
            _works(topology, topology.hosts[0])
            for _ in range(2):
                lan1.come()
                with _pair(topology, lan1.host) as (near, far):
                    near.send(b"the first")
                    assert far.recvfrom(100)[1][0] == EXTERNAL
                _works(topology, lan1.host)
                lan1.go()
        sources = {socket.inet_ntoa(packet[12:16]) for packet in captured(watch)}
        assert EXTERNAL in sources and lan1.host.address not in sources


def test_no_lan_is_there_at_the_start(topology: Topology) -> None:
    """As at boot, where a bridge or a VPN is made later."""
    with nat(topology, internal=INTERNAL, lans=["lan1"]), SecondLan(topology) as lan1:
        _works(topology, lan1.host)


def test_a_bridge_is_a_lan_as_well(topology: Topology) -> None:
    """Made while the NAT runs, with the router's address moved to it."""
    lans = ["lan0", "guest"]
    with SecondLan(topology) as lan1, nat(topology, internal=INTERNAL, lans=lans):
        with topology.router.netlink() as netlink:
            (port,) = netlink.link_lookup(ifname="lan1")
            netlink.flush_addr(index=port)
            netlink.link("add", ifname="guest", kind="bridge")
            (guest,) = netlink.link_lookup(ifname="guest")
            netlink.link("set", index=port, master=guest)
            netlink.addr("add", index=guest, address=ROUTER_ADDRESS, prefixlen=25)
            netlink.link("set", index=guest, state="up")
        _works(topology, lan1.host)
