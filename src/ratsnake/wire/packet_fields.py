"""What the parser found out about one packet.  packet_fields.pxd is the same record as a C struct.

Every offset in it has been checked against the packet's end, so that who reads through these
offsets cannot read outside the packet.
"""

import dataclasses
from dataclasses import dataclass
from typing import TypeAlias

from .integer_types import u8, u16, u32, u64

# The protocols, as row numbers of the tables kept per protocol.
TCP = 0
UDP = 1
ICMP = 2
UDPLITE = 3
DCCP = 4
SCTP = 5
OTHER = 6
PROTOCOLS = 7
# Their numbers on the wire (IANA protocol numbers), and those that have no row.
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_DCCP = 33
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
IPPROTO_NONE = 59
IPPROTO_SCTP = 132
IPPROTO_UDPLITE = 136
# Which part of a datagram a packet is.
WHOLE = 0
FIRST = 1
LATER = 2


@dataclass(slots=True)
class PacketFields:
    """For an ICMP error, addresses are the outer ones; `protocol`, `number` and the ports are those
    of the quoted packet, and only then do `embedded` and `embedded_transport` mean anything.

    `transport`, `end`, `fragment_header`, `embedded` and `embedded_transport` are offsets in bytes
    from the packet's start.  An ICMP query has its identifier as both ports.  A protocol of row
    OTHER has no ports: both are its IANA number, so that one table serves all protocols.  A later
    fragment has ports 0 and kind 0, and its `transport` is where its data starts.

    - `identification`: 16 bits of any IPv4 header; 32 of an IPv6 fragment header, else 0
    - `fragment_offset`: bytes of the datagram's payload before this fragment, 0 to 65528
    - `fragment_header`: of IPv6; 0 if there is none.  A WHOLE packet may have one (RFC 6946)
    - `version`: 4 or 6; `protocol`: the row; `number`: the IANA number
    - `kind`: TCP: the flags; ICMP: the (outer) type; DCCP: the packet type; SCTP: the type of the
      first chunk; else 0
    """

    source_high: u64 = 0
    source_low: u64 = 0
    destination_high: u64 = 0
    destination_low: u64 = 0
    transport: u32 = 0
    end: u32 = 0
    identification: u32 = 0
    fragment_offset: u32 = 0
    fragment_header: u32 = 0
    embedded: u32 = 0
    embedded_transport: u32 = 0
    source_port: u16 = 0
    destination_port: u16 = 0
    version: u8 = 0
    protocol: u8 = 0
    number: u8 = 0
    kind: u8 = 0
    is_error: u8 = 0
    fragment: u8 = 0
    more_fragments: u8 = 0


Packet: TypeAlias = PacketFields


def new_packet() -> Packet:
    return PacketFields()


def release_packet(packet: Packet) -> None:
    """Give the record back; the garbage collector does it here."""


def fields_of(packet: Packet) -> dict[str, int]:
    return dataclasses.asdict(packet)
