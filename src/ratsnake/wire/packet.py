"""What the parser found out about one packet.  packet.pxd is the same record as a C struct.

Every offset in it has been checked against the packet's end, so that who reads through these
offsets cannot read outside the packet.
"""

from dataclasses import dataclass
from typing import TypeAlias

from .types import u8, u16, u32, u64

# The protocols that have ports, as row numbers of the tables kept per protocol.
TCP = 0
UDP = 1
ICMP = 2
PROTOCOLS = 3
# Their numbers on the wire (IANA protocol numbers).
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17


@dataclass(slots=True)
class PacketFields:
    """For an ICMP error, addresses are the outer ones and ports those of the embedded packet.

    An ICMP Echo message has its identifier as both ports.  `transport`, `end`, `embedded` and
    `embedded_transport` are offsets in bytes.
    """

    source_high: u64 = 0
    source_low: u64 = 0
    destination_high: u64 = 0
    destination_low: u64 = 0
    transport: u32 = 0
    end: u32 = 0
    source_port: u16 = 0
    destination_port: u16 = 0
    protocol: u8 = 0
    is_error: u8 = 0
    tcp_flags: u8 = 0
    icmp_type: u8 = 0
    embedded: u32 = 0
    embedded_transport: u32 = 0


Packet: TypeAlias = PacketFields


def new_packet() -> Packet:
    return PacketFields()


def release_packet(packet: Packet) -> None:
    """Give the record back; the garbage collector does it here."""
