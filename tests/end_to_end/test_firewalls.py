"""firewalld and ufw as they are on a router that forwards already: the warnings say what to type,
and then all passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from end_to_end.firewalls import Firewall, firewalld, ufw
from end_to_end.harness import DEADLINE, greet, readable, udp_pair
from ratsnake.lab import EXTERNAL, EXTERNAL_6, RunningNat, Topology, nat, traffic_generator
from ratsnake.lab.ping_and_traceroute import ping
from ratsnake.lab.topology import LAN_PREFIX, LAN_PREFIX_6

#: A router of before: the WAN's zone masquerades, and the LAN may go there.
_ROUTER = (
    "firewall-cmd --permanent --zone=external --add-interface=wan0",
    "firewall-cmd --permanent --zone=internal --add-interface=lan0",
    "firewall-cmd --permanent --new-policy=out",
    "firewall-cmd --permanent --policy=out --add-ingress-zone=internal",
    "firewall-cmd --permanent --policy=out --add-egress-zone=external",
    "firewall-cmd --permanent --policy=out --set-target=ACCEPT",
    "firewall-cmd --reload",
)


@contextmanager
def _nat(dual: Topology) -> Iterator[RunningNat]:
    with nat(
        dual,
        "full-cone",
        external=[EXTERNAL, EXTERNAL_6],
        internal=[LAN_PREFIX, LAN_PREFIX_6],
        arguments=["--wan", "wan0", "--forward", f"udp:4000={dual.hosts[0].address}"],
    ) as running:
        yield running


def _warnings(running: RunningNat) -> list[str]:
    return [line for line in running.log().splitlines() if "WARNING" in line and "`" in line]


def _type_what_it_says(firewall: Firewall, running: RunningNat) -> None:
    for line in _warnings(running):
        firewall.run(line.split("`")[1])


def _nothing_passes(dual: Topology) -> None:
    for version in (4, 6):
        with udp_pair(dual, version=version) as (near, far):
            near.send(b"out")
            assert not readable(far, 0.3)


def _all_passes(dual: Topology) -> None:
    for version in (4, 6):
        ping(dual.hosts[0], dual.remotes_of(version)[0], timeout=DEADLINE)
        traffic_generator.download(dual, 1 << 20, version=version)
        with udp_pair(dual, version=version) as (near, far):
            assert greet(near, far)[0] == (EXTERNAL if version == 4 else EXTERNAL_6)
    with dual.hosts[0].namespace.socket() as near, dual.internet.socket() as far:
        near.bind((dual.hosts[0].address, 4000))
        near.settimeout(DEADLINE)
        far.sendto(b"in", (EXTERNAL, 4000))
        assert near.recv(100) == b"in"


def test_firewalld(dual: Topology, program: Callable[[str], str]) -> None:
    for needed in ("firewalld", "dbus-daemon"):
        program(needed)
    with firewalld(dual) as firewall:
        for command in _ROUTER:
            firewall.run(command)
        with _nat(dual) as running:
            told = "\n".join(_warnings(running))
            assert "table inet firewalld, chain filter_FORWARD drops forwarded packets" in told
            assert "chain filter_PREROUTING drops packets before they are routed" in told
            assert "--zone=external --remove-masquerade" in told
            _nothing_passes(dual)
            _type_what_it_says(firewall, running)
            _all_passes(dual)
        with _nat(dual) as running:
            assert _warnings(running) == []
            _all_passes(dual)


def test_ufw(dual: Topology, program: Callable[[str], str]) -> None:
    program("ufw")
    with ufw(dual) as firewall:
        firewall.run("ufw default deny routed")
        firewall.run("ufw route allow in on lan0 out on wan0")
        with _nat(dual) as running:
            told = "\n".join(_warnings(running))
            assert "table ip filter, chain FORWARD drops forwarded packets" in told
            assert "table ip6 filter, chain FORWARD drops forwarded packets" in told
            _nothing_passes(dual)
            _type_what_it_says(firewall, running)
            _all_passes(dual)
        with _nat(dual) as running:
            assert _warnings(running) == []
            _all_passes(dual)
