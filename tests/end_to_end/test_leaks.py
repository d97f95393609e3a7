"""Whatever the LAN sends: no packet on the internet side ever has a LAN address in it.

Kernel masquerade lets through with its LAN source what its connection tracker calls invalid, such
as a stray RST; `test_what_kernel_masquerade_leaks` prints what it does here.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import pytest

from end_to_end import pieces
from end_to_end.frames import (
    ACK,
    FIN,
    ICMP,
    PSH,
    RST,
    SYN,
    TCP,
    UDP,
    captured,
    checksum,
    icmp,
    ipv4,
    raw_sender,
    send,
    sniffer,
    tcp,
    udp,
)
from end_to_end.harness import drops, greet, status, udp_pair, until
from end_to_end.others import DCCP, ESP, GRE, SCTP, UDPLITE, dccp, sctp, summed
from end_to_end.pieces import piece
from ratsnake.lab import (
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    Topology,
    masquerade,
    nat,
    traffic_generator,
)
from ratsnake.lab.ping_and_traceroute import ping, traceroute
from ratsnake.lab.topology import ROUTER_WAN
from support import layers

_IGMP, _IPIP, _IPV6_IN_IP, _AH, _ICMPV6 = 2, 4, 41, 51, 58
_TIMESTAMP = 13  # of ICMP
_NO_DROP = ("", "held")
_LAN = ("192.0.2.",)  # no lab address outside the LAN begins so


def _odd_packets(lan: str, remote: str) -> Iterator[tuple[str, bytes]]:
    """What a LAN host's kernel, or a program with raw sockets, may send: reason, packet.

    The reason is "" for what is translated, and "held" for fragments whose first never comes.
    """
    strays = (ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, PSH | ACK)
    for flags in strays:
        yield "not-syn", tcp(lan, remote, (1111, 80), flags)
    for flags in (0, FIN, SYN | FIN, SYN | RST, 0x3F):
        yield "tcp-flags", tcp(lan, remote, (1112, 80), flags)
    yield "not-syn", tcp(lan, remote, (1111, 80), ACK, payload=b"late data", spoil=1)
    yield from _fragments(lan, remote)
    for protocol in (_IGMP, _IPIP, _IPV6_IN_IP, GRE, ESP, UDPLITE, 253, 255):
        yield "", ipv4(lan, remote, protocol, bytes(40))
    yield "protocol", ipv4(lan, remote, _AH, bytes(40))
    yield "protocol", ipv4(lan, remote, _ICMPV6, bytes(40))
    yield "", ipv4(lan, remote, DCCP, summed(lan, remote, DCCP, dccp((1113, 80), 0)))
    yield "not-syn", ipv4(lan, remote, DCCP, summed(lan, remote, DCCP, dccp((1114, 80), 4)))
    yield "dccp-header", ipv4(lan, remote, DCCP, bytes(40))
    yield "", ipv4(lan, remote, SCTP, summed(lan, remote, SCTP, sctp((1115, 80), 0, 1, bytes(16))))
    yield "not-syn", ipv4(lan, remote, SCTP, summed(lan, remote, SCTP, sctp((1116, 80), 9, 6, b"")))
    yield "sctp-header", ipv4(lan, remote, SCTP, bytes(40))
    for kind in (1, 4, 5, 9, 10, 15, 17, 42, 255):
        yield "icmp-type", icmp(lan, remote, kind, 0, 0, bytes(32))
    yield "", icmp(lan, remote, _TIMESTAMP, 0, 0x01020304, bytes(12))
    for kind in (0, _TIMESTAMP + 1):
        yield "no-session", icmp(lan, remote, kind, 0, 0x04050607, b"a reply nobody asked for")
    quoted = udp(remote, lan, (53, 5353), b"of no session")
    for kind, code in ((3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (11, 1), (12, 0)):
        yield "no-session", icmp(lan, remote, kind, code, 0, quoted)
    for protocol in (SCTP, UDPLITE):
        other = ipv4(remote, lan, protocol, bytes(range(20)))
        yield "no-session", icmp(lan, remote, 3, 2, 0, other)
    for protocol in (_IPIP, GRE, ESP):  # of the sessions that were opened above
        yield "", icmp(lan, remote, 3, 2, 0, ipv4(remote, lan, protocol, bytes(20)))
    yield "icmp-checksum", icmp(lan, remote, 3, 3, 0, quoted)[:-1] + b"!"
    yield "icmp-embedded", icmp(lan, remote, 3, 3, 0, quoted[:19])
    yield "icmp-embedded", icmp(lan, remote, 3, 3, 0, b"")
    yield "udp-length", ipv4(lan, remote, UDP, struct.pack("!HHHH", 1, 2, 4, 0))
    yield "udp-length", ipv4(lan, remote, UDP, struct.pack("!HHHH", 1, 2, 9000, 0))
    yield "tcp-truncated", ipv4(lan, remote, TCP, bytes(4))
    yield "icmp-truncated", ipv4(lan, remote, ICMP, bytes(7))


def _fragments(lan: str, remote: str) -> Iterator[tuple[str, bytes]]:
    """In order, backward, without their first, and such as cannot be."""
    whole = {
        UDP: udp(lan, remote, (1117, 53), bytes(3000))[20:],
        ICMP: icmp(lan, remote, 8, 0, 0x02030001, bytes(3000))[20:],
        GRE: bytes(3000),
    }
    for number, protocol in enumerate(whole):
        for backward in (False, True):
            starts = range(0, 3000, 1000)
            for start in reversed(starts) if backward else starts:
                octets = whole[protocol][start : start + 1000 if start < 2000 else None]
                identification = 2 * number + backward + 1
                more = start < 2000
                yield "", piece(lan, remote, identification, start, octets, more, protocol)
    for protocol in (TCP, UDP, ICMP, ESP):
        yield "held", piece(lan, remote, 11, 64, bytes(64), True, protocol)
    for protocol in (UDP, GRE):
        yield "fragment", piece(lan, remote, 12, 0, bytes(65), True, protocol)
        yield "fragment", piece(lan, remote, 13, 65528, bytes(64), False, protocol)
    quoted = udp(remote, lan, (53, 5353), bytes(100))
    error = icmp(lan, remote, 3, 3, 0, quoted)[20:]
    yield "fragment", piece(lan, remote, 14, 0, error[:64], True, ICMP)
    yield "held", piece(lan, remote, 14, 64, error[64:], False, ICMP)
    first = udp(lan, remote, (1118, 53), bytes(792))[20:]
    yield "", piece(lan, remote, 15, 0, first, True)
    yield "fragment-overlap", piece(lan, remote, 15, 792, bytes(808), True)
    yield "fragment-refused", piece(lan, remote, 15, 1600, bytes(8), False)
    yield "tcp-truncated", piece(lan, remote, 16, 0, bytes(16), True, TCP)
    yield "held", piece(lan, remote, 16, 16, bytes(64), False, TCP)
    yield "protocol", piece(lan, remote, 17, 8, bytes(8), False, _AH)


def _form(packet: bytes) -> tuple[object, ...]:
    """What translation leaves as it is: destination, protocol, fragment field and length."""
    field = int.from_bytes(packet[6:8], "big")
    return socket.inet_ntoa(packet[16:20]), packet[9], field, len(packet)


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
    decided: Counter[str] = Counter()
    passed: Counter[tuple[object, ...]] = Counter()
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
                decided[reason] += 1
                if not reason:
                    passed[_form(packet)] += 1
        ping(topology.hosts[0], topology.remotes[0])
        traceroute(topology.hosts[1], topology.remotes[1])
        traffic_generator.download(topology, 1 << 20)
        traffic_generator.upload(topology, 1 << 20, host=1)
        expected = {reason: count for reason, count in decided.items() if reason not in _NO_DROP}
        until(lambda: drops(running) == expected, f"the odd packets are dropped: {expected}")
        assert status(running)["counters"]["fragments_held"] >= decided["held"]
        greet(near, far)
        packets = captured(watch)
        assert _lan_addresses(packets) == []
        assert passed <= Counter(map(_form, packets))
        sources = {socket.inet_ntoa(packet[12:16]) for packet in packets}
        assert sources <= {EXTERNAL, ROUTER_WAN, *topology.remotes}
        assert EXTERNAL in sources


def _odd_packets_6(lan: str, remote: str) -> Iterator[tuple[str, bytes]]:
    """The same of IPv6."""

    def packet(number: int, payload: bytes) -> bytes:
        return layers.ipv6(number, payload, lan, remote)

    for flags in (ACK, FIN | ACK, RST, RST | ACK, SYN | ACK):
        yield "not-syn", packet(TCP, layers.tcp(flags))
    for flags in (0, FIN, SYN | FIN, SYN | RST):
        yield "tcp-flags", packet(TCP, layers.tcp(flags))
    for number in (layers.AH, layers.NONE, ICMP):
        yield "protocol", packet(number, bytes(40))
    for number in (_IPIP, _IPV6_IN_IP, GRE, ESP, UDPLITE, 253):
        yield "", packet(number, bytes(40))
    yield "", packet(SCTP, layers.sctp())
    yield "", packet(DCCP, layers.dccp())
    yield "not-syn", packet(DCCP, layers.dccp(2).replace(layers.PORTS, bytes([0, 1, 0, 2])))
    yield "sctp-header", packet(SCTP, bytes(12))
    yield "dccp-header", packet(DCCP, bytes(8))
    options, routing = layers.DESTINATION_OPTIONS, layers.ROUTING
    yield "", packet(options, layers.extension(UDP, layers.udp()))
    yield "", packet(routing, layers.extension(UDP, layers.udp(b"there")))
    yield "extension-header", packet(routing, layers.extension(UDP, layers.udp(), 24, 1))
    for kind in (133, 134, 135, 136, 137, 143):
        yield "neighbour-discovery", packet(_ICMPV6, layers.icmp(kind, bytes(24)))
    yield "icmp-type", packet(_ICMPV6, layers.icmp(200))
    yield "no-session", packet(_ICMPV6, layers.icmp(129))
    quoted = layers.ipv6(UDP, layers.udp(), remote, lan)
    for kind in (1, 2, 3, 4):
        error = layers.icmp(kind, quoted)
        yield "icmp-checksum", packet(_ICMPV6, error)
        addresses = ip_address(lan).packed + ip_address(remote).packed
        sound = checksum(addresses + struct.pack("!II", len(error), _ICMPV6) + error)
        yield "no-session", packet(_ICMPV6, error[:2] + sound.to_bytes(2, "big") + error[4:])
    for number, start in ((1, 0), (2, 2000)):
        whole = layers.udp(bytes(2992))
        for place in (0, 1000, 2000):
            at = abs(start - place)  # the second datagram comes backward
            yield "", piece(lan, remote, number, at, whole[at : at + 1000], at < 2000)
    for number in (TCP, _ICMPV6, ESP):
        yield "held", piece(lan, remote, 3 + number, 64, bytes(64), True, number)
    yield "fragment", piece(lan, remote, 3, 0, bytes(65), True)


def test_odd_packets_of_ipv6(dual: Topology) -> None:
    lan = dual.hosts[0].of(6)
    decided: Counter[str] = Counter()
    external, internal = (EXTERNAL, EXTERNAL_6), (LAN_PREFIX, LAN_PREFIX_6)
    with (
        nat(dual, "full-cone", external=external, internal=internal) as running,
        sniffer(dual.internet, "eth0") as watch,
        pieces.sender(dual.hosts[0], 6) as sender,
        udp_pair(dual, version=6) as (near, far),
    ):
        for remote in dual.remotes_6[:2]:
            for reason, packet in _odd_packets_6(lan, remote):
                greet(near, far)
                pieces.send(sender, packet)
                decided[reason] += 1
        expected = {reason: count for reason, count in decided.items() if reason not in _NO_DROP}
        until(lambda: drops(running) == expected, f"the odd packets are dropped: {expected}")
        greet(near, far)
        packets = captured(watch, 6)
    inside = ip_network(LAN_PREFIX_6).network_address.packed[:8]
    assert [packet.hex() for packet in packets if inside in packet] == []
    translated = [p for p in packets if p[8:24] == ip_address(EXTERNAL_6).packed]
    assert len(translated) >= decided.total() + 1 + decided[""]  # the greetings, and those


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
