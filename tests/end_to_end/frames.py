"""Packets made by hand, right or wrong, and raw sockets to send and watch them.

Plain `struct`, independent of what it tests.  Checksums are computed in full.
"""

from __future__ import annotations

import socket
import struct

from ratsnake.lab import Namespace

ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_ETH_P_ALL = 3
_ETH_P = {4: 0x0800, 6: 0x86DD}  # IPv4, IPv6
_SO_RCVBUFFORCE = 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6  # linux/if_packet.h


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    fragment: int = 0,
    ttl: int = 64,
    version: int = 4,
    words: int = 5,
    total: int | None = None,
) -> bytes:
    """An IPv4 packet; `fragment` is the whole flags-and-offset field."""
    length = 20 + len(payload) if total is None else total
    start = struct.pack("!BBHHHBB", version << 4 | words, 0, length, 7, fragment, ttl, protocol)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return start + checksum(start + addresses).to_bytes(2, "big") + addresses + payload


def tcp(
    source: str,
    destination: str,
    ports: tuple[int, int],
    flags: int,
    *,
    sequence: int = 1,
    acknowledged: int = 0,
    payload: bytes = b"",
    spoil: int = 0,
) -> bytes:
    """A TCP segment in its packet; `spoil` is added to the right checksum."""
    head = struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, 8192, 0, 0)
    return _summed(source, destination, TCP, head + payload, 16, spoil)


def udp(
    source: str, destination: str, ports: tuple[int, int], payload: bytes = b"", spoil: int = 0
) -> bytes:
    """A UDP datagram in its packet."""
    head = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    return _summed(source, destination, UDP, head + payload, 6, spoil)


def icmp(source: str, destination: str, kind: int, code: int, rest: int, body: bytes) -> bytes:
    """An ICMP message in its packet; `rest` is the second word of its header."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    summed = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    return ipv4(source, destination, ICMP, summed)


def _summed(
    source: str, destination: str, protocol: int, segment: bytes, at: int, spoil: int
) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    pseudo = addresses + struct.pack("!BBH", 0, protocol, len(segment))
    value = (checksum(pseudo + segment) or 0xFFFF) + spoil & 0xFFFF
    filled = segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]
    return ipv4(source, destination, protocol, filled)


def raw_sender(namespace: Namespace) -> socket.socket:
    """Sends whole IPv4 packets as the kernel lets anybody with CAP_NET_RAW: any source, any
    protocol, but lengths and header checksum are the kernel's."""
    return namespace.socket(kind=socket.SOCK_RAW, protocol=socket.IPPROTO_RAW)


def send(handle: socket.socket, packet: bytes) -> None:
    """Send a packet to where it says, by a `raw_sender`."""
    handle.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def injector(namespace: Namespace, interface: str, version: int = 4) -> socket.socket:
    """Any octets at all, straight into an interface without a link layer (a TUN): `send` them.

    The kernel takes them for that version of IP.
    """
    return _packet_socket(namespace, interface, socket.SOCK_RAW, _ETH_P[version])


def sniffer(namespace: Namespace, interface: str) -> socket.socket:
    """Receives every packet (from its IP header on) of an interface, in both directions."""
    handle = _packet_socket(namespace, interface, socket.SOCK_DGRAM, _ETH_P_ALL)
    handle.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
    return handle


def captured(handle: socket.socket, *versions: int) -> list[bytes]:
    """What the sniffer has received so far and is of these versions of IP (none given: IPv4);
    fails if it had to drop any."""
    wanted = {_ETH_P[version] for version in versions or (4,)}
    handle.setblocking(False)
    packets = []
    while True:
        try:
            packet, (_, protocol, *_) = handle.recvfrom(65536)
        except BlockingIOError:
            break
        if protocol in wanted:
            packets.append(packet)
    statistics = handle.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    assert struct.unpack("=II", statistics)[1] == 0, "the sniffer lost packets"
    return packets


def _packet_socket(namespace: Namespace, interface: str, kind: int, protocol: int) -> socket.socket:
    """With SOCK_DGRAM the kernel takes the link header off."""
    handle = namespace.socket(socket.AF_PACKET, kind, 0)  # 0: nothing comes in until it is bound
    with namespace.entered():
        handle.bind((interface, protocol))
    return handle
