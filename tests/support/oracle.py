"""scapy's opinion about checksums: an implementation that shares no line with ratsnake's."""

import logging

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402

Buffer = bytes | bytearray
ERRORS = (3, 11, 12)  # ICMP types, whose payload scapy would parse and compute anew


def recomputed(packet: Buffer) -> bytes:
    """The packet with the checksums of IP and of its transport computed anew.

    A UDP checksum of 0 stays, and what an ICMP error quotes is left as it is.
    """
    parsed = IP(bytes(packet))
    del parsed.chksum
    transport = parsed.payload
    if not (isinstance(transport, UDP) and transport.chksum == 0):
        del transport.chksum
    if isinstance(transport, ICMP) and transport.type in ERRORS:
        rest = bytes(transport)[8:]
        transport.remove_payload()
        transport.add_payload(rest)
    return bytes(parsed)


def is_right(packet: Buffer) -> bool:
    """Whether every checksum outside a quotation is right."""
    return recomputed(packet) == bytes(packet)


def transport_of(packet: Buffer) -> str:
    """The transport scapy sees: "tcp", "udp" or "icmp"."""
    parsed = IP(bytes(packet))
    return next(name for name, kind in KINDS.items() if kind in parsed)


KINDS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
