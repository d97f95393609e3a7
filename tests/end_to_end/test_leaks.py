"""Whatever the LAN sends: no packet on the internet side ever has a LAN address in it.

Kernel masquerade lets through with its LAN source what its connection tracker calls invalid, such
as a stray RST; `test_what_kernel_masquerade_leaks` prints what it does here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from end_to_end.frames import (
    ACK,
    FIN,
    ICMP,
    PSH,
    RST,
    SYN,
    UDP,
    captured,
    icmp,
    ipv4,
    raw_sender,
    send,
    sniffer,
    tcp,
    udp,
)
from end_to_end.harness import drops, greet, status, udp_pair, until
from ratsnake.lab import EXTERNAL, Topology, masquerade, nat, traffic
from ratsnake.lab.path import ping, traceroute
from ratsnake.lab.topology import ROUTER_WAN

_MORE = 0x2000  # the flag "more fragments"
_LAN = ("192.0.2.",)  # no lab address outside the LAN begins so


def _odd_packets(lan: str, remote: str) -> Iterator[tuple[str, bytes]]:
    """What a LAN host's kernel, or a program with raw sockets, may send: reason, packet."""
    strays = (ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, PSH | ACK)
    for flags in strays:
        yield "not-syn", tcp(lan, remote, (1111, 80), flags)
    for flags in (0, FIN, SYN | FIN, SYN | RST, 0x3F):
        yield "tcp-flags", tcp(lan, remote, (1112, 80), flags)
    yield "not-syn", tcp(lan, remote, (1111, 80), ACK, payload=b"late data", spoil=1)
    yield "fragment", ipv4(lan, remote, UDP, bytes(64), fragment=_MORE)
    yield "fragment", ipv4(lan, remote, UDP, bytes(64), fragment=8)
    yield "fragment", ipv4(lan, remote, ICMP, bytes(64), fragment=_MORE | 8)
    for protocol in (2, 4, 41, 47, 50, 51, 132, 136, 253, 255):
        yield "protocol", ipv4(lan, remote, protocol, bytes(40))
    for kind in (1, 4, 5, 9, 10, 13, 15, 17, 42, 255):
        yield "icmp-type", icmp(lan, remote, kind, 0, 0, bytes(32))
    yield "no-session", icmp(lan, remote, 0, 0, 0x01020304, b"a reply nobody asked for")
    quoted = udp(remote, lan, (53, 5353), b"of no session")
    for kind, code in ((3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (11, 1), (12, 0)):
        yield "no-session", icmp(lan, remote, kind, code, 0, quoted)
    yield "icmp-embedded", icmp(lan, remote, 3, 3, 0, quoted[:19])
    yield "icmp-embedded", icmp(lan, remote, 3, 3, 0, b"")
    yield "udp-length", ipv4(lan, remote, UDP, struct.pack("!HHHH", 1, 2, 4, 0))
    yield "udp-length", ipv4(lan, remote, UDP, struct.pack("!HHHH", 1, 2, 9000, 0))
    yield "tcp-truncated", ipv4(lan, remote, 6, bytes(4))
    yield "icmp-truncated", ipv4(lan, remote, ICMP, bytes(7))


def _lan_addresses(packets: list[bytes]) -> list[str]:
    """Every LAN address in an IPv4 header of these packets, also in those that errors quote."""
    found = []
    for packet in packets:
        headers = [packet]
        inner = (packet[0] & 15) * 4 + 8
        quotes = packet[9] == ICMP and len(packet) >= inner + 20
        if quotes and packet[inner - 8] in (3, 11, 12):
            headers.append(packet[inner:])
        for header in headers:
            pair = (socket.inet_ntoa(header[12:16]), socket.inet_ntoa(header[16:20]))
            if any(address.startswith(_LAN) for address in pair):
                found.append(f"{pair[0]} → {pair[1]}, protocol {header[9]}")
    return found


@pytest.mark.parametrize("nat_type", ["full-cone", "quasi-port-restricted-cone"])
def test_odd_packets_among_good_traffic(topology: Topology, nat_type: str) -> None:
    lan = topology.hosts[0].address
    expected: dict[str, int] = {}
    with (
        nat(topology, nat_type) as running,
        sniffer(topology.internet, "eth0") as watch,
        raw_sender(topology.hosts[0].namespace) as sender,
        udp_pair(topology) as (near, far),
    ):
        for remote in topology.remotes[:2]:
            for reason, packet in _odd_packets(lan, remote):
                greet(near, far)
                send(sender, packet)
                expected[reason] = expected.get(reason, 0) + 1
        ping(topology.hosts[0], topology.remotes[0])
        traceroute(topology.hosts[1], topology.remotes[1])
        traffic.download(topology, 1 << 20)
        traffic.upload(topology, 1 << 20, host=1)
        until(lambda: drops(running) == expected, f"the odd packets are dropped: {expected}")
        greet(near, far)
        packets = captured(watch)
        assert _lan_addresses(packets) == []
        sources = {socket.inet_ntoa(packet[12:16]) for packet in packets}
        assert sources <= {EXTERNAL, ROUTER_WAN, *topology.remotes}
        assert EXTERNAL in sources


def test_wrong_checksums_stay_wrong_and_leak_nothing(topology: Topology) -> None:
    """The NAT does not look at them, so it must not make them right (RFC 1624)."""
    lan, remote = topology.hosts[0].address, topology.remotes[0]
    with (
        nat(topology) as running,
        sniffer(topology.internet, "eth0") as watch,
        raw_sender(topology.hosts[0].namespace) as sender,
        udp_pair(topology) as (near, far),
    ):
        for spoil in (1, 0x8000, 0xFFFE):
            send(sender, udp(lan, remote, (5000, 9), b"spoilt", spoil))
            send(sender, tcp(lan, remote, (5001, 9), SYN, spoil=spoil))
        until(lambda: status(running)["counters"]["outbound"]["packets"] == 6, "all are sent on")
        greet(near, far)
        packets = captured(watch)
        assert _lan_addresses(packets) == []
        # Nobody answers what is wrong: neither an ICMP error nor a reset came back.
        from_remote = [p for p in packets if socket.inet_ntoa(p[12:16]) == remote]
        assert [packet[9] for packet in from_remote] == [UDP]


def test_errors_of_a_lan_host_about_a_live_flow_name_the_external_address(
    topology: Topology,
) -> None:
    with (
        nat(topology) as running,
        sniffer(topology.internet, "eth0") as watch,
        udp_pair(topology) as (near, far),
    ):
        external = greet(near, far)
        near.close()
        far.sendto(b"too late", external)
        seen: list[bytes] = []

        def error_is_out() -> bool:
            seen.extend(captured(watch))
            return any(packet[9] == ICMP for packet in seen)

        until(error_is_out, "the LAN host's error is out")
        assert _lan_addresses(seen) == []
        assert drops(running) == {}


def test_errors_of_the_router_about_inbound_packets_quote_no_lan_address(
    topology: Topology,
) -> None:
    """The router cannot deliver a translated packet (here: the LAN's MTU is too small for it)."""
    with topology.router.netlink() as netlink:
        for port in ("lan0", "port0", "port1"):
            netlink.link("set", index=netlink.link_lookup(ifname=port)[0], mtu=1300)
    with (
        nat(topology),
        sniffer(topology.internet, "eth0") as watch,
        udp_pair(topology) as (near, far),
    ):
        external = greet(near, far)
        far.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: DF is set
        far.sendto(bytes(1400), external)
        near.send(b"fence")
        far.recv(100)
        assert _lan_addresses(captured(watch)) == []


def test_what_kernel_masquerade_leaks(topology: Topology, program: Callable[[str], str]) -> None:
    """For comparison only: what the kernel does is not ours to assert."""
    program("nft")
    lan = topology.hosts[0].address
    with (
        masquerade(topology),
        sniffer(topology.internet, "eth0") as watch,
        raw_sender(topology.hosts[0].namespace) as sender,
        udp_pair(topology) as (near, far),
    ):
        for _, packet in _odd_packets(lan, topology.remotes[0]):
            send(sender, packet)
        greet(near, far)
        leaked = _lan_addresses(captured(watch))
    print(f"kernel masquerade leaked {len(leaked)} packets: {sorted(set(leaked))}")
